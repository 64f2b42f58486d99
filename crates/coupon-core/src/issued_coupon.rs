//! What a user holds: an issued coupon and its state.

use crate::{Amount, CouponId, Grant, Order, Position, Timestamp, UserId};
use std::fmt;
use std::str::FromStr;

/// `{couponId}-{position}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuedCouponId {
    /// Which coupon.
    pub coupon: CouponId,
    /// Which place in its order.
    pub position: Position,
}

/// The text is not the id of an issued coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an issued coupon's id is a coupon id and a position with a hyphen between them, such as 1-17")]
pub struct IssuedCouponIdError;

impl fmt::Display for IssuedCouponId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.coupon, self.position)
    }
}

impl FromStr for IssuedCouponId {
    type Err = IssuedCouponIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (coupon, position) = text.split_once('-').ok_or(IssuedCouponIdError)?;
        if position.starts_with('0') || !position.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(IssuedCouponIdError);
        }
        Ok(Self {
            coupon: coupon.parse().map_err(|_not_an_id| IssuedCouponIdError)?,
            position: position.parse().map_err(|_not_a_position| IssuedCouponIdError)?,
        })
    }
}

/// The use of an issued coupon on an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redemption {
    /// When.
    pub redeemed_at: Timestamp,
    /// On which order of the shop.
    pub order: Order,
    /// What the order got; `None` when the coupon does not say.
    pub discount: Option<Amount>,
}

/// An issued coupon as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCoupon {
    /// Which coupon.
    pub coupon: CouponId,
    /// Whose.
    pub user: UserId,
    /// Position and times.
    pub grant: Grant,
    /// The use that stands, if any.
    pub redemption: Option<Redemption>,
    /// When an administrator took it back.
    pub revoked_at: Option<Timestamp>,
}

/// The state of an issued coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssuedState {
    /// It can be redeemed.
    Issued,
    /// It was redeemed.
    Redeemed,
    /// Its validity ended before it was redeemed.
    Expired,
    /// An administrator took it back.
    Revoked,
}

impl IssuedCoupon {
    /// A freshly issued one.
    pub fn new(coupon: CouponId, user: UserId, grant: Grant) -> Self {
        Self {
            coupon,
            user,
            grant,
            redemption: None,
            revoked_at: None,
        }
    }

    /// Its id.
    pub fn id(&self) -> IssuedCouponId {
        IssuedCouponId {
            coupon: self.coupon,
            position: self.grant.position,
        }
    }

    /// Its state at `now`. `Expired` is what the clock says, whatever a job has written down.
    pub fn state(&self, now: Timestamp) -> IssuedState {
        if self.revoked_at.is_some() {
            IssuedState::Revoked
        } else if self.redemption.is_some() {
            IssuedState::Redeemed
        } else if now >= self.grant.expires_at {
            IssuedState::Expired
        } else {
            IssuedState::Issued
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issued_coupons_id_has_one_written_form() {
        let id: IssuedCouponId = "1-17".parse().unwrap();
        assert_eq!(
            (id.coupon.get(), id.position.get(), id.to_string().as_str()),
            (1, 17, "1-17")
        );
        for refused in [
            "",
            "1",
            "1-",
            "-1",
            "1-0",
            "1-01",
            "01-1",
            "1-1-1",
            "1-+1",
            "1-4294967296",
            "a-1",
            "1-a",
        ] {
            assert_eq!(
                refused.parse::<IssuedCouponId>(),
                Err(IssuedCouponIdError),
                "{refused:?}"
            );
        }
    }
}
