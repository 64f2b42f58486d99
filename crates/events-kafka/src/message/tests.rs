//! The written form does not change by accident, and what cannot be is not read.

use super::*;
use coupon_app::contract::{START, at, coupon_id, key, terms, token, user};
use proptest::prelude::*;

fn issue(position: u32) -> Delivery {
    Delivery {
        coupon: coupon_id(17),
        epoch: 2,
        records: vec![Record::Issued(IssuedRecord {
            coupon: coupon_id(17),
            user: user(5),
            grant: Grant {
                position: Position::new(position).unwrap(),
                issued_at: START,
                expires_at: at(2_000_001),
            },
            key: key(255),
        })],
    }
}

fn revision() -> Delivery {
    Delivery {
        coupon: coupon_id(17),
        epoch: 1,
        records: vec![Record::Revised(Box::new(RevisedRecord {
            coupon: Coupon {
                id: coupon_id(17),
                revision: 3,
                terms: terms(100),
                paused: true,
                closed_at: Some(at(5)),
                deleted: false,
                created_at: START,
                revised_at: at(7),
            },
            issued: 9,
            lost: 4,
            actor: "key-1".into(),
            token: token(1, 254),
        }))],
    }
}

fn text(delivery: &Delivery) -> String {
    let outgoing = write("/firstcome", delivery).next().unwrap();
    String::from_utf8(outgoing.value).unwrap()
}

#[test]
fn an_issue_is_written_as_it_is_documented() {
    let expected = concat!(
        r#"{"specversion":"1.0","id":"17-42.e2","source":"/firstcome","type":"issued_coupon.issued","#,
        r#""subject":"17-42","time":"2027-01-15T08:00:01.000000Z","datacontenttype":"application/json","#,
        r#""dataschema":"urn:firstcome:events:1","data":{"couponId":17,"epoch":2,"position":42,"#,
        r#""userId":"user-5","issuedAt":"2027-01-15T08:00:01.000000Z","#,
        r#""expiresAt":"2027-01-15T08:00:02.000001Z","requestKey":"00000000000000ff"}}"#
    );
    assert_eq!(text(&issue(42)), expected);
    let page = include_str!("../../../../docs/EVENTS.md");
    let shown: String = page.lines().map(str::trim).collect();
    let shown = shown.replace("\": ", "\":").replace(", \"", ",\"");
    assert!(shown.contains(expected), "docs/EVENTS.md shows another form");
}

#[test]
fn what_was_written_is_read_back_record_by_record() {
    for delivery in [issue(1), issue(u32::MAX), revision()] {
        assert_eq!(read(Some(text(&delivery).as_bytes())).unwrap(), delivery);
    }
    let older = text(&revision()).replace("\"lost\":4,", "");
    let read_back = read(Some(older.as_bytes())).unwrap();
    let Record::Revised(revised) = &read_back.records[0] else {
        panic!("{read_back:?}")
    };
    assert_eq!((revised.issued, revised.lost), (9, 0), "{older}");
    let mut whole = issue(1);
    whole.records.extend(issue(2).records);
    let keys: Vec<String> = write("/x", &whole).map(|one| one.key).collect();
    assert_eq!(keys, ["17-1", "17-2"]);
}

proptest! {
    #[test]
    fn any_user_and_any_numbers_come_back(
        user in "[^\\p{Cc}\\u{061c}\\u{200e}\\u{200f}\\u{202a}-\\u{202e}\\u{2066}-\\u{2069}]{1,30}",
        position in 1..=u32::MAX,
        epoch in 1..=u32::MAX,
        issued in 0..=coupon_core::Timestamp::MAX.as_micros(),
        key in any::<u64>(),
    ) {
        let Ok(user) = UserId::parse(&user) else { return Ok(()) };
        let issued_at = coupon_core::Timestamp::from_micros(issued).unwrap();
        let grant = Grant { position: Position::new(position).unwrap(), issued_at, expires_at: coupon_core::Timestamp::MAX };
        let record = IssuedRecord { coupon: coupon_id(1), user, grant, key: KeyHash::new(key) };
        let delivery = Delivery { coupon: coupon_id(1), epoch, records: vec![Record::Issued(record)] };
        prop_assert_eq!(read(Some(text(&delivery).as_bytes())).unwrap(), delivery);
    }

    #[test]
    fn no_bytes_make_reading_fail_otherwise_than_by_saying_so(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(Some(&bytes));
    }
}

#[test]
fn what_contradicts_itself_or_is_written_otherwise_is_not_read() {
    let (one, other) = (text(&issue(42)), text(&revision()));
    let cases = [
        (
            &one,
            r#""specversion":"1.0""#,
            r#""specversion":"2.0""#,
            "specversion",
        ),
        (
            &one,
            "urn:firstcome:events:1",
            "urn:firstcome:events:2",
            "dataschema",
        ),
        (&one, "issued_coupon.issued", "issued_coupon.redeemed", "type"),
        (&one, "application/json", "text/plain", "datacontenttype"),
        (&one, r#""id":"17-42.e2""#, r#""id":"17-42.e1""#, "id"),
        (&one, r#""subject":"17-42""#, r#""subject":"17-43""#, "subject"),
        (
            &one,
            r#""time":"2027-01-15T08:00:01.0"#,
            r#""time":"2027-01-15T08:00:01.1"#,
            "time",
        ),
        (&one, r#""position":42"#, r#""position":43"#, "id"),
        (&one, r#""position":42"#, r#""position":0"#, "no event"),
        (&one, r#""couponId":17"#, r#""couponId":0"#, "no event"),
        (&one, r#""epoch":2"#, r#""epoch":3"#, "id"),
        (&one, r#""userId":"user-5""#, r#""userId":"""#, "no event"),
        (&one, r#""userId":"user-5","#, "", "no event"),
        (
            &one,
            r#""userId":"user-5","#,
            r#""userId":"user-5","userId":"user-6","#,
            "no event",
        ),
        (&one, "08:00:02.000001Z", "08:00:00.000001Z", "expiresAt"),
        (&one, "00000000000000ff", "0000000000000000", "requestKey"),
        (&one, "00000000000000ff", "00000000000000FF", "no event"),
        (&one, r#""data":{"#, r#""data_base64":{"#, "no event"),
        (&other, r#""id":"17.r3.e1""#, r#""id":"17.r4.e1""#, "id"),
        (&other, r#""subject":"17""#, r#""subject":"18""#, "subject"),
        (&other, r#""quantity":100"#, r#""quantity":0"#, "no event"),
    ];
    for (text, right, wrong, said) in cases {
        assert!(text.contains(right), "{right}");
        let error = read(Some(text.replacen(right, wrong, 1).as_bytes())).unwrap_err();
        assert!(error.to_string().contains(said), "{wrong}: {error}");
    }
    for wrong in [&b"{"[..], b"null", b"[]", b"\xff", b"{}"] {
        assert!(matches!(read(Some(wrong)), Err(Unreadable::NoEvent(_))));
    }
    assert!(matches!(read(None), Err(Unreadable::Empty)));
    assert!(matches!(read(Some(b"")), Err(Unreadable::Empty)));
}

#[test]
fn attributes_that_others_add_do_not_hurt() {
    let text = text(&issue(42)).replacen(
        r#"{"specversion""#,
        r#"{"traceparent":"00-0-0-01","specversion""#,
        1,
    );
    assert_eq!(read(Some(text.as_bytes())).unwrap(), issue(42));
}
