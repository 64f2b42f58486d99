//! A coupon: the offer and where it stands in its life.

use crate::limits::MAX_COUPON_ID;
use crate::{Terms, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The id of a coupon: counted from 1, at most 2^28-1, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct CouponId(u32);

/// The text or number is not a coupon id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a coupon id is a whole number from 1 to {MAX_COUPON_ID}")]
pub struct CouponIdError;

impl CouponId {
    /// The first coupon.
    pub const FIRST: Self = Self(1);

    /// The id with this number.
    pub const fn new(number: u32) -> Result<Self, CouponIdError> {
        if number >= 1 && number <= MAX_COUPON_ID {
            Ok(Self(number))
        } else {
            Err(CouponIdError)
        }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The id after this one; `None` after the last.
    pub fn next(self) -> Option<Self> {
        Self::new(self.0 + 1).ok()
    }
}

impl fmt::Display for CouponId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for CouponId {
    type Err = CouponIdError;

    /// Only the canonical form: digits without sign or leading zero.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(CouponIdError);
        }
        text.parse()
            .map_err(|_not_a_u32| CouponIdError)
            .and_then(Self::new)
    }
}

impl TryFrom<u32> for CouponId {
    type Error = CouponIdError;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        Self::new(number)
    }
}

impl From<CouponId> for u32 {
    fn from(id: CouponId) -> Self {
        id.0
    }
}

/// How often a coupon's facts have been set: 1 when created, one more with every command that changed something.
pub type Revision = u32;

/// A coupon as one revision left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Coupon {
    /// Which one.
    pub id: CouponId,
    /// Which revision of it.
    pub revision: Revision,
    /// What it promises.
    pub terms: Terms,
    /// Whether an administrator has paused it.
    pub paused: bool,
    /// When an administrator closed it for good.
    pub closed_at: Option<Timestamp>,
    /// Whether it was deleted: its id stays taken, and everyone is told that it does not exist.
    pub deleted: bool,
    /// When it was created, by the ledger's clock.
    pub created_at: Timestamp,
    /// When this revision was made, by the ledger's clock.
    pub revised_at: Timestamp,
}

/// Where a coupon stands: the first of these that is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CouponState {
    /// By an administrator, or because the window has ended.
    Closed,
    /// The window has not opened.
    Scheduled,
    /// An administrator has paused it.
    Paused,
    /// Nothing is left.
    SoldOut,
    /// It can be issued.
    Open,
}

impl Coupon {
    /// When issuing ended or will end, and whether it has: the earlier of the window's end and an administrator's.
    pub fn closed_at(&self, now: Timestamp) -> Option<Timestamp> {
        let window_end = self.terms.window.closes_at();
        match self.closed_at {
            Some(by_hand) => Some(by_hand.min(window_end)),
            None => self.terms.window.has_closed(now).then_some(window_end),
        }
    }

    /// The state at `now` after `issued` issues.
    pub fn state(&self, now: Timestamp, issued: u32) -> CouponState {
        if self.closed_at(now).is_some() {
            CouponState::Closed
        } else if !self.terms.window.has_opened(now) {
            CouponState::Scheduled
        } else if self.paused {
            CouponState::Paused
        } else if self.terms.quantity.next_position(issued).is_none() {
            CouponState::SoldOut
        } else {
            CouponState::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coupon_id_has_one_written_form() {
        assert_eq!("17".parse(), CouponId::new(17));
        assert_eq!("268435455".parse(), CouponId::new(268_435_455));
        for refused in [
            "",
            "0",
            "01",
            "+1",
            "-1",
            "1.0",
            " 1",
            "1 ",
            "x",
            "268435456",
            "99999999999",
            "１",
        ] {
            assert_eq!(refused.parse::<CouponId>(), Err(CouponIdError), "{refused:?}");
        }
    }
}
