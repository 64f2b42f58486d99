//! The invariants of CONTRACT.md that a list of issued coupons or a history can show, as checks that tests and audits
//! share.

use crate::{Grant, HistoryEntry, OrderId, Position, Quantity, Step, Timestamp};
use std::collections::HashMap;

/// One issued coupon as a witness saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed<'a> {
    /// Where it stands.
    pub position: Position,
    /// Whose it is.
    pub user: &'a str,
    /// When it was issued.
    pub issued_at: Timestamp,
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// I1: more than the quantity.
    #[error("I1: {issued} issued of {quantity}")]
    OverIssued {
        /// How many there are.
        issued: usize,
        /// How many there may be.
        quantity: u32,
    },
    /// I2: one user twice.
    #[error("I2: one user holds positions {first} and {second}")]
    IssuedTwice {
        /// The first of the two.
        first: Position,
        /// The second.
        second: Position,
    },
    /// I5: positions are not exactly 1..issued.
    #[error("I5: position {found} where {expected} was due")]
    NotContiguous {
        /// The position that is there.
        found: Position,
        /// The one that should be.
        expected: usize,
    },
    /// Point 3: `issued_at` decreases with position.
    #[error("point 3: issued_at decreases at position {position}")]
    TimeRanBack {
        /// Where.
        position: Position,
    },
}

/// Checks I1, I2, I5 and the order of times over issued coupons given in order of position.
pub fn check_order(quantity: Quantity, issued: &[Witnessed<'_>]) -> Result<(), Breach> {
    if let Some(limit) = quantity.limit()
        && u64::try_from(issued.len()).is_ok_and(|count| count > u64::from(limit.get()))
    {
        return Err(Breach::OverIssued {
            issued: issued.len(),
            quantity: limit.get(),
        });
    }
    let mut seen: HashMap<&str, Position> = HashMap::with_capacity(issued.len());
    let mut last = Timestamp::MIN;
    for (index, one) in issued.iter().enumerate() {
        let expected = index + 1;
        if u64::try_from(expected).is_ok_and(|expected| expected != u64::from(one.position.get())) {
            return Err(Breach::NotContiguous {
                found: one.position,
                expected,
            });
        }
        if one.issued_at < last {
            return Err(Breach::TimeRanBack {
                position: one.position,
            });
        }
        last = one.issued_at;
        if let Some(first) = seen.insert(one.user, one.position) {
            return Err(Breach::IssuedTwice {
                first,
                second: one.position,
            });
        }
    }
    Ok(())
}

/// I14 does not hold: what a history says cannot have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryBreach {
    /// Numbers are not 1, 2, 3 and so on.
    #[error("I14: step {found} where {expected} was due")]
    NotContiguous {
        /// The number that is there.
        found: u32,
        /// The one that should be.
        expected: u32,
    },
    /// A step is before the one it follows, or before the issue.
    #[error("I14: time runs back at step {0}")]
    TimeRanBack(u32),
    /// Redeemed while a redemption stood.
    #[error("I14: redeemed a second time at step {0}")]
    RedeemedTwice(u32),
    /// Redeemed after the validity's end.
    #[error("I14: redeemed after its end at step {0}")]
    RedeemedExpired(u32),
    /// Redeemed after it was taken back.
    #[error("I14: redeemed after it was revoked, at step {0}")]
    RedeemedRevoked(u32),
    /// A use was given back that did not stand, or to another order.
    #[error("I14: a use given back that did not stand, at step {0}")]
    CancelledNothing(u32),
    /// Taken back twice.
    #[error("I14: revoked a second time at step {0}")]
    RevokedTwice(u32),
}

/// Checks I14 over the whole history of one issued coupon: redeemed at most once at a time, a cancellation restores
/// exactly one use and only of the same order.
pub fn check_history(grant: Grant, history: &[HistoryEntry]) -> Result<(), HistoryBreach> {
    let mut last = grant.issued_at;
    let mut stands: Option<&OrderId> = None;
    let mut revoked = false;
    for (entry, expected) in history.iter().zip(1..) {
        let number = entry.number;
        if number != expected {
            return Err(HistoryBreach::NotContiguous {
                found: number,
                expected,
            });
        }
        if entry.at < last {
            return Err(HistoryBreach::TimeRanBack(number));
        }
        last = entry.at;
        match &entry.step {
            Step::Redeemed { .. } if stands.is_some() => return Err(HistoryBreach::RedeemedTwice(number)),
            Step::Redeemed { .. } if revoked => return Err(HistoryBreach::RedeemedRevoked(number)),
            Step::Redeemed { .. } if entry.at >= grant.expires_at => {
                return Err(HistoryBreach::RedeemedExpired(number));
            }
            Step::Redeemed { order, .. } => stands = Some(&order.id),
            Step::Cancelled { order } if stands != Some(order) => {
                return Err(HistoryBreach::CancelledNothing(number));
            }
            Step::Cancelled { .. } => stands = None,
            Step::Revoked if revoked => return Err(HistoryBreach::RevokedTwice(number)),
            Step::Revoked => revoked = true,
        }
    }
    Ok(())
}
