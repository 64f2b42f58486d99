//! The invariants of CONTRACT.md that a list of issued coupons can show, as one check that tests and audits share.

use crate::{Position, Quantity, Timestamp};
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
