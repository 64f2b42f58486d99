//! The law, case by case.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: what fails here fails the test"
)]

mod commands;
mod decision;
mod discounts;
mod invariants;
mod issued_coupon;
mod jobs;
mod redemptions;
mod terms;
mod written;

use coupon_core::{
    AckLevel, Coupon, CouponId, Discount, Grant, Position, Quantity, Span, Standing, Strategy, Terms,
    Timestamp, Validity, Window,
};
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// The opening of every window here; [`at`] counts from it.
const OPENING_US: i64 = 1_800_000_000_000_000;
/// The length of every window here.
const OPEN_US: i64 = 1_000;

/// So many microseconds after the opening.
fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(OPENING_US + micros).unwrap()
}

/// Exactly so many; unlimited when 0.
fn quantity(count: u32) -> Quantity {
    NonZeroU32::new(count).map_or(Quantity::UNLIMITED, Quantity::limited)
}

fn terms(count: u32) -> Terms {
    Terms {
        name: "봄맞이 쿠폰".into(),
        window: Window::new(at(0), at(OPEN_US)).unwrap(),
        quantity: quantity(count),
        validity: Validity::For(Span::from_secs(86_400)),
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

/// A coupon of this quantity, created a second before its window opens.
fn coupon(count: u32) -> Coupon {
    Coupon {
        id: CouponId::FIRST,
        revision: 1,
        terms: terms(count),
        paused: false,
        closed_at: None,
        deleted: false,
        created_at: at(-1_000_000),
        revised_at: at(-1_000_000),
    }
}

fn grant(position: u32, issued_at: Timestamp) -> Grant {
    Grant {
        position: Position::new(position).unwrap(),
        issued_at,
        expires_at: issued_at.saturating_add(Span::from_secs(86_400)),
    }
}

/// So many issued, the last of them at this time.
fn issued(count: u32, last_issued_at: Timestamp) -> Standing {
    Standing {
        issued: count,
        last_issued_at,
    }
}
