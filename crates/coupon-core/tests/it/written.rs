//! What is written down is read back: the forms that journals, stores and streams keep.

use crate::{at, coupon, grant, terms};
use coupon_core::{
    AckLevel, Coupon, CouponId, Discount, Grant, Quantity, Span, Strategy, Terms, Timestamp, UserId,
    Validity, Window,
};
use proptest::prelude::*;
use proptest::strategy::Strategy as _;

fn there_and_back(one: &Coupon) {
    let text = serde_json::to_string(one).unwrap();
    let back: Coupon = serde_json::from_str(&text).unwrap();
    assert_eq!(&back, one, "{text}");
}

#[test]
fn the_written_form_of_a_coupon_does_not_change_by_accident() {
    let text = serde_json::to_string(&coupon(100)).unwrap();
    let expected = concat!(
        r#"{"id":1,"revision":1,"terms":{"name":"봄맞이 쿠폰","#,
        r#""window":{"opensAt":1800000000000000,"closesAt":1800000000001000},"#,
        r#""quantity":100,"validity":{"for":86400000000},"#,
        r#""discount":{"type":"percent","value":10,"maxAmount":5000},"minOrderAmount":20000,"#,
        r#""currency":"KRW","timeZone":"Asia/Seoul","strategy":"journal","ack":"ledger","#,
        r#""showRemaining":true,"labels":{"team":"growth"}},"#,
        r#""paused":false,"closedAt":null,"deleted":false,"#,
        r#""createdAt":1799999999000000,"revisedAt":1799999999000000}"#
    );
    assert_eq!(text, expected);
}

#[test]
fn what_cannot_be_is_not_read() {
    let text = serde_json::to_string(&coupon(100)).unwrap();
    for (right, wrong) in [
        (r#""id":1"#, r#""id":0"#),
        (r#""id":1"#, r#""id":268435456"#),
        (r#""quantity":100"#, r#""quantity":0"#),
        (r#""quantity":100"#, r#""quantity":4294967296"#),
        (r#""createdAt":1799999999000000"#, r#""createdAt":-1"#),
        (
            r#""createdAt":1799999999000000"#,
            r#""createdAt":253402300800000000"#,
        ),
        (r#"{"for":86400000000}"#, r#"{"for":-1}"#),
        (r#""strategy":"journal""#, r#""strategy":"abacus""#),
        (r#""closesAt":1800000000001000"#, r#""closesAt":1800000000000000"#),
        (r#""opensAt":1800000000000000"#, r#""opensAt":1800000000001001"#),
    ] {
        assert!(text.contains(right), "{right}");
        let broken = text.replace(right, wrong);
        assert!(serde_json::from_str::<Coupon>(&broken).is_err(), "{wrong}");
    }
    for wrong in [r#""""#, r#""a\u0000""#, r#""a\u202eb""#] {
        assert!(serde_json::from_str::<UserId>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_grant_is_read_back() {
    for one in [
        grant(1, at(0)),
        grant(u32::MAX, Timestamp::MAX),
        grant(7, Timestamp::MIN),
    ] {
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Grant>(&text).unwrap(), one);
    }
}

fn instant() -> impl prop::strategy::Strategy<Value = Timestamp> {
    (0..=Timestamp::MAX.as_micros()).prop_map(Timestamp::saturating_from_micros)
}

fn some_terms() -> impl prop::strategy::Strategy<Value = Terms> {
    let validity = prop_oneof![
        instant().prop_map(Validity::Until),
        (0..i64::MAX).prop_map(|us| Validity::For(Span::from_micros(us).unwrap())),
    ];
    let discount = prop_oneof![
        Just(None),
        any::<u64>().prop_map(|value| Some(Discount::Amount { value })),
        any::<(u8, Option<u64>)>()
            .prop_map(|(value, max_amount)| Some(Discount::Percent { value, max_amount })),
    ];
    let strategy = prop::sample::select(vec![
        Strategy::Journal,
        Strategy::Database,
        Strategy::RedisLock,
        Strategy::RedisScript,
    ]);
    let window = (0..1_i64 << 50, 1..1_i64 << 50).prop_map(|(opens_at, length)| {
        let opens_at = Timestamp::saturating_from_micros(opens_at);
        let length = Span::from_micros(length).unwrap();
        Window::new(opens_at, opens_at.saturating_add(length)).unwrap()
    });
    let labels = prop::collection::btree_map(any::<String>(), any::<String>(), 0..4);
    let texts = any::<(String, u32, bool, bool)>();
    (texts, validity, discount, strategy, window, labels).prop_map(
        |((name, count, shown, stored), validity, discount, strategy, window, labels)| Terms {
            name: name.into(),
            window,
            quantity: std::num::NonZeroU32::new(count).map_or(Quantity::UNLIMITED, Quantity::limited),
            validity,
            discount,
            strategy,
            ack: if stored { AckLevel::Store } else { AckLevel::Ledger },
            show_remaining: shown,
            labels: labels
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
            ..terms(1)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_coupon_is_read_back_as_it_was_written(
        terms in some_terms(),
        id in 1..1_u32 << 28,
        revision in any::<u32>(),
        paused in any::<bool>(),
        deleted in any::<bool>(),
        closed_at in prop::option::of(instant()),
        created_at in instant(),
        revised_at in instant(),
    ) {
        there_and_back(&Coupon {
            id: CouponId::new(id).unwrap(),
            revision,
            terms,
            paused,
            closed_at,
            deleted,
            created_at,
            revised_at,
        });
    }
}
