//! The scene of every case: an hour on one day, and the users, coupons and keys that appear in it.

use crate::CommandToken;
use coupon_core::{
    AckLevel, CouponId, Discount, KeyHash, Quantity, Span, Strategy, Terms, Timestamp, UserId, Validity,
    Window,
};
use std::collections::BTreeMap;

/// When the issue window of every coupon opens unless a case says otherwise; [`at`] counts from here.
pub const OPENING: Timestamp = Timestamp::saturating_from_micros(1_800_000_000_000_000);
/// Where the clock stands when a case begins: one second after the opening.
pub const START: Timestamp = Timestamp::saturating_from_micros(1_800_000_001_000_000);
/// When the window closes unless a case says otherwise, counted from the opening.
pub(crate) const CLOSING_US: i64 = 3_600_000_000;

/// The instant so many microseconds after the opening.
pub fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(OPENING.as_micros() + micros).unwrap()
}

/// The coupon with this number.
pub fn coupon_id(number: u32) -> CouponId {
    CouponId::new(number).unwrap()
}

/// One of many users.
pub fn user(number: usize) -> UserId {
    UserId::parse(format!("user-{number}")).unwrap()
}

/// An idempotency key of an issue.
pub fn key(number: u64) -> Option<KeyHash> {
    Some(KeyHash::new(number).unwrap())
}

/// An idempotency key of a command, and what was asked under it.
pub fn token(scope: u8, payload: u8) -> Option<CommandToken> {
    Some(CommandToken {
        scope: [scope; 16],
        payload: [payload; 16],
    })
}

/// Exactly so many; unlimited when 0.
pub fn quantity(count: u32) -> Quantity {
    std::num::NonZeroU32::new(count).map_or(Quantity::UNLIMITED, Quantity::limited)
}

/// Ordinary terms: an hour's window, thirty days' validity, every field filled.
pub fn terms(count: u32) -> Terms {
    Terms {
        name: "봄맞이 쿠폰 — spring".into(),
        window: Window::new(OPENING, at(CLOSING_US)).unwrap(),
        quantity: quantity(count),
        validity: Validity::For(Span::from_secs(30 * 86_400)),
        discount: Some(Discount::Percent {
            value: 10,
            max_amount: Some(5_000),
        }),
        min_order_amount: 20_000,
        currency: "KRW".into(),
        time_zone: "Asia/Seoul".into(),
        strategy: Strategy::Journal,
        ack: AckLevel::Ledger,
        show_remaining: true,
        labels: BTreeMap::from([("team".into(), "growth".into())]),
    }
}
