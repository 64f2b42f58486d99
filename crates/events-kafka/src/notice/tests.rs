//! The written form does not change by accident.

use super::*;
use coupon_app::contract::{START, at, coupon_id, terms, user};
use coupon_app::{About, News};
use coupon_core::{Amount, Coupon, Grant, IssuedCoupon, Order, OrderId, Position};

fn told(about: About) -> Notification {
    let mut terms = terms(100);
    terms.name = "Grand opening".into();
    Notification {
        at: at(2_000_001),
        coupon: Coupon {
            id: coupon_id(17),
            revision: 1,
            terms,
            paused: false,
            closed_at: None,
            deleted: false,
            created_at: START,
            revised_at: START,
        },
        about,
    }
}

fn redeemed() -> Notification {
    let grant = Grant {
        position: Position::new(42).unwrap(),
        issued_at: START,
        expires_at: at(60_000_000),
    };
    told(About::IssuedCoupon {
        issued: Box::new(IssuedCoupon::new(coupon_id(17), user(5), grant)),
        news: News::Redeemed {
            number: 1,
            order: Order {
                id: OrderId::parse("A-1001").unwrap(),
                amount: Amount::new(50_000).unwrap(),
            },
            discount: Amount::new(5_000).ok(),
        },
    })
}

#[test]
fn a_notification_is_written_as_it_is_documented_and_its_code_is_not_in_it() {
    let outgoing = write("/firstcome", &redeemed()).unwrap();
    assert_eq!(outgoing.key, "17-42");
    let written = String::from_utf8(outgoing.value).unwrap();
    let expected = concat!(
        r#"{"specversion":"1.0","id":"redeemed-17-42-1","source":"/firstcome","type":"issued_coupon.redeemed","#,
        r#""subject":"17-42","time":"2027-01-15T08:00:02.000001Z","datacontenttype":"application/json","#,
        r#""dataschema":"urn:firstcome:notifications:1","data":{"coupon":{"id":17,"name":"Grand opening","#,
        r#""currency":"KRW"},"issuedCoupon":{"id":"17-42","couponId":17,"userId":"user-5","position":42,"#,
        r#""issuedAt":"2027-01-15T08:00:01.000000Z","expiresAt":"2027-01-15T08:01:00.000000Z"},"#,
        r#""orderId":"A-1001","orderAmount":50000,"discountAmount":5000}}"#
    );
    assert_eq!(written, expected);
    let page = include_str!("../../../../docs/EVENTS.md");
    let shown: String = page.lines().map(str::trim).collect();
    let shown = shown.replace("\": ", "\":").replace(", \"", ",\"");
    assert!(shown.contains(expected), "docs/EVENTS.md shows another form");
}

#[test]
fn news_of_a_coupon_has_the_coupon_as_its_subject() {
    let position = Position::new(100).unwrap();
    let outgoing = write("/firstcome", &told(About::SoldOut { position })).unwrap();
    let written = String::from_utf8(outgoing.value).unwrap();
    assert_eq!(outgoing.key, "17");
    assert!(
        written.contains(r#""id":"sold-out-17-100""#) && written.contains(r#""subject":"17""#),
        "{written}"
    );
    assert!(written.ends_with(r#""issued":100}}"#), "{written}");
}
