//! What there is to tell, and who tells it.

use coupon_app::contract::{at, coupon_id, terms, user};
use coupon_app::{About, Attempt, CodeKey, News, Notification, Patience, Recipient};
use coupon_core::{Amount, Coupon, Grant, IssuedCoupon, Order, OrderId, Position, Timestamp};

/// The key of the codes.
pub(crate) fn codes() -> CodeKey {
    CodeKey::new([7; 16])
}

/// The time by the clock of the machine, which the oracle of signatures looks at too.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros(jiff::Timestamp::now().as_microsecond()).unwrap()
}

/// A table of one wait, so that there are two attempts.
pub(crate) fn patience() -> Patience {
    notify::patience(&[60]).unwrap()
}

pub(crate) fn coupon() -> Coupon {
    Coupon {
        id: coupon_id(1),
        revision: 1,
        terms: terms(100),
        paused: false,
        closed_at: None,
        deleted: false,
        created_at: at(0),
        revised_at: at(0),
    }
}

/// The issued coupon at this position, of `user(position)`.
pub(crate) fn issued(position: u32) -> IssuedCoupon {
    let grant = Grant {
        position: position_of(position),
        issued_at: at(1),
        expires_at: at(86_400_000_000),
    };
    IssuedCoupon::new(coupon_id(1), user(usize::try_from(position).unwrap()), grant)
}

pub(crate) fn position_of(position: u32) -> Position {
    Position::new(position).unwrap()
}

/// News of the issued coupon at position 17.
pub(crate) fn told(news: News) -> Notification {
    Notification {
        at: at(5),
        coupon: coupon(),
        about: About::IssuedCoupon {
            issued: Box::new(issued(17)),
            news,
        },
    }
}

/// Everything that there is to tell.
pub(crate) fn everything() -> Vec<Notification> {
    let order = Order {
        id: OrderId::parse("A-1001").unwrap(),
        amount: Amount::new(50_000).unwrap(),
    };
    let news = [
        News::Issued,
        News::Expiring { days: 7 },
        News::Redeemed {
            number: 1,
            order: order.clone(),
            discount: Amount::new(5_000).ok(),
        },
        News::RedemptionCancelled {
            number: 2,
            order: order.id,
        },
        News::Expired,
        News::Revoked,
    ];
    let mut everything: Vec<_> = news.into_iter().map(told).collect();
    everything.push(sold_out());
    everything
}

pub(crate) fn sold_out() -> Notification {
    Notification {
        at: at(5),
        coupon: coupon(),
        about: About::SoldOut {
            position: position_of(100),
        },
    }
}

/// The first attempt to tell `recipient`.
pub(crate) fn attempt(notification: Notification, recipient: &str) -> Attempt {
    Attempt {
        notification,
        recipient: Recipient::parse(recipient).unwrap(),
        number: 1,
        now: now(),
    }
}
