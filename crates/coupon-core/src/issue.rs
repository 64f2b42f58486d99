//! The decision at the heart of everything: who gets a coupon.

use crate::{Coupon, Position, Timestamp};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU64;

/// A hash of the idempotency key that came with an issue request. Never zero, so that "none" costs nothing.
pub type KeyHash = NonZeroU64;

/// What one user was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The place in the order of issue.
    pub position: Position,
    /// The judged time of the issue.
    pub issued_at: Timestamp,
    /// The first instant at which it can no longer be redeemed.
    pub expires_at: Timestamp,
}

/// The answer to an issue request. A refusal is an outcome, not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The user has it now.
    Issued(Grant),
    /// The user has had it before.
    AlreadyIssued {
        /// What was given then.
        grant: Grant,
        /// Whether this request carries the idempotency key of the one that got it: then it is the same request.
        same_key: bool,
    },
    /// As many as there were have been issued.
    SoldOut,
    /// The window has not opened.
    NotYetOpen {
        /// When it opens.
        opens_at: Timestamp,
    },
    /// The window has ended, or an administrator closed the coupon.
    Closed {
        /// When.
        closed_at: Timestamp,
    },
    /// An administrator has paused the coupon.
    Paused,
    /// There is no such coupon.
    UnknownCoupon,
}

/// How far a coupon has been issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How many, which is also the last position.
    pub issued: u32,
    /// When the last one was; [`Timestamp::MIN`] before the first.
    pub last_issued_at: Timestamp,
}

impl Standing {
    /// Nothing issued yet.
    pub const NONE: Self = Self {
        issued: 0,
        last_issued_at: Timestamp::MIN,
    };

    /// The time that a request is judged by: the clock, but never earlier than the last issue, so that `issued_at`
    /// does not decrease with position whatever the clock does.
    pub fn judged_time(self, clock: Timestamp) -> Timestamp {
        clock.max(self.last_issued_at)
    }

    /// This standing after one more issue.
    #[must_use]
    pub fn after(self, grant: Grant) -> Self {
        Self {
            issued: grant.position.get(),
            last_issued_at: grant.issued_at,
        }
    }
}

/// What the ledger remembers of a user's issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// What was given.
    pub grant: Grant,
    /// The key that came with the request.
    pub key: Option<KeyHash>,
}

/// Decides one request: who asked (`held` is what that user already has, `key` came with the request), for which
/// coupon (`None`: there is none), at which reading of the ledger's clock.
///
/// The order of checks is part of the contract: unknown coupon, already issued, closed, not yet open, paused, sold
/// out. Already-issued comes early so that a user whose answer was lost learns the truth by asking again, even after
/// the end.
pub fn decide(
    coupon: Option<&Coupon>,
    standing: Standing,
    held: Option<Held>,
    key: Option<KeyHash>,
    clock: Timestamp,
) -> Outcome {
    let Some(coupon) = coupon.filter(|coupon| !coupon.deleted) else {
        return Outcome::UnknownCoupon;
    };
    if let Some(held) = held {
        return Outcome::AlreadyIssued {
            grant: held.grant,
            same_key: key.is_some() && key == held.key,
        };
    }
    let now = standing.judged_time(clock);
    if let Some(closed_at) = coupon.closed_at(now) {
        return Outcome::Closed { closed_at };
    }
    if !coupon.terms.window.has_opened(now) {
        return Outcome::NotYetOpen {
            opens_at: coupon.terms.window.opens_at(),
        };
    }
    if coupon.paused {
        return Outcome::Paused;
    }
    match coupon.terms.quantity.next_position(standing.issued) {
        None => Outcome::SoldOut,
        Some(position) => Outcome::Issued(Grant {
            position,
            issued_at: now,
            expires_at: coupon.terms.validity.expires_at(now),
        }),
    }
}
