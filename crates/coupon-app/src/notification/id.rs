//! The id of a notification: what it tells of, so that the same is never told under two ids.

use super::NotificationKind;
use coupon_core::{CouponId, IssuedCouponId, Position};
use std::fmt;
use std::str::FromStr;

/// What a notification tells of. It can be worked out before, during and after the event, and is the same whoever
/// works it out: a store that keeps ids unique never tells the same thing twice, however many workers or restarts.
///
/// Written in lower-case letters, digits and hyphens, at most 64 bytes: `issued-1-17`, `expiring-1-17-7`,
/// `redeemed-1-17-1`, `redemption-cancelled-1-17-2`, `expired-1-17`, `revoked-1-17`, `sold-out-1-100`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotificationId {
    /// It was issued.
    Issued(IssuedCouponId),
    /// The reminder so many days before its end.
    Expiring {
        /// Which issued coupon.
        issued: IssuedCouponId,
        /// The setting of the reminder.
        days: u16,
    },
    /// It was used.
    Redeemed {
        /// Which issued coupon.
        issued: IssuedCouponId,
        /// The number of the step in its history.
        number: u32,
    },
    /// The use was given back.
    RedemptionCancelled {
        /// Which issued coupon.
        issued: IssuedCouponId,
        /// The number of the step in its history.
        number: u32,
    },
    /// Its validity has ended unused; told once, even if a cancellation after the end makes it expired again.
    Expired(IssuedCouponId),
    /// An administrator took it back.
    Revoked(IssuedCouponId),
    /// The coupon is sold out. One whose quantity was raised can sell out again, at a higher position.
    SoldOut {
        /// Which coupon.
        coupon: CouponId,
        /// The last position.
        position: Position,
    },
}

/// The text is not the id of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a notification's id is what it tells of, such as issued-1-17 or redeemed-1-17-1")]
pub struct NotificationIdError;

impl NotificationId {
    /// Its kind.
    pub const fn kind(self) -> NotificationKind {
        match self {
            Self::Issued(_) => NotificationKind::Issued,
            Self::Expiring { .. } => NotificationKind::Expiring,
            Self::Redeemed { .. } => NotificationKind::Redeemed,
            Self::RedemptionCancelled { .. } => NotificationKind::RedemptionCancelled,
            Self::Expired(_) => NotificationKind::Expired,
            Self::Revoked(_) => NotificationKind::Revoked,
            Self::SoldOut { .. } => NotificationKind::SoldOut,
        }
    }

    /// Which coupon it is about.
    pub const fn coupon(self) -> CouponId {
        match self {
            Self::SoldOut { coupon, .. } => coupon,
            Self::Issued(issued)
            | Self::Expiring { issued, .. }
            | Self::Redeemed { issued, .. }
            | Self::RedemptionCancelled { issued, .. }
            | Self::Expired(issued)
            | Self::Revoked(issued) => issued.coupon,
        }
    }

    /// Which issued coupon it is about; `None` when about the coupon.
    pub const fn issued_coupon(self) -> Option<IssuedCouponId> {
        match self {
            Self::SoldOut { .. } => None,
            Self::Issued(issued)
            | Self::Expiring { issued, .. }
            | Self::Redeemed { issued, .. }
            | Self::RedemptionCancelled { issued, .. }
            | Self::Expired(issued)
            | Self::Revoked(issued) => Some(issued),
        }
    }
}

impl fmt::Display for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issued(issued) => write!(f, "issued-{issued}"),
            Self::Expiring { issued, days } => write!(f, "expiring-{issued}-{days}"),
            Self::Redeemed { issued, number } => write!(f, "redeemed-{issued}-{number}"),
            Self::RedemptionCancelled { issued, number } => {
                write!(f, "redemption-cancelled-{issued}-{number}")
            }
            Self::Expired(issued) => write!(f, "expired-{issued}"),
            Self::Revoked(issued) => write!(f, "revoked-{issued}"),
            Self::SoldOut { coupon, position } => write!(f, "sold-out-{coupon}-{position}"),
        }
    }
}

impl FromStr for NotificationId {
    type Err = NotificationIdError;

    /// Only the canonical form.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let first_digit = text
            .find(|c: char| c.is_ascii_digit())
            .ok_or(NotificationIdError)?;
        let (word, rest) = text.split_at(first_digit);
        let whole = || rest.parse().map_err(|_no_issued_coupon| NotificationIdError);
        let numbered = || {
            let (issued, number) = rest.rsplit_once('-').ok_or(NotificationIdError)?;
            let issued: IssuedCouponId = issued.parse().map_err(|_no_issued_coupon| NotificationIdError)?;
            Ok((issued, number))
        };
        match word {
            "issued-" => Ok(Self::Issued(whole()?)),
            "expired-" => Ok(Self::Expired(whole()?)),
            "revoked-" => Ok(Self::Revoked(whole()?)),
            "sold-out-" => {
                let IssuedCouponId { coupon, position } = whole()?;
                Ok(Self::SoldOut { coupon, position })
            }
            "expiring-" => {
                let (issued, days) = numbered()?;
                let days = counted(days)?;
                Ok(Self::Expiring { issued, days })
            }
            "redeemed-" => {
                let (issued, number) = numbered()?;
                let number = counted(number)?;
                Ok(Self::Redeemed { issued, number })
            }
            "redemption-cancelled-" => {
                let (issued, number) = numbered()?;
                let number = counted(number)?;
                Ok(Self::RedemptionCancelled { issued, number })
            }
            _no_kind => Err(NotificationIdError),
        }
    }
}

/// A number counted from 1, without sign or leading zero.
fn counted<N: FromStr>(text: &str) -> Result<N, NotificationIdError> {
    if text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotificationIdError);
    }
    text.parse().map_err(|_too_large| NotificationIdError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notifications_id_has_one_written_form() {
        for text in [
            "issued-1-17",
            "expiring-1-17-7",
            "redeemed-1-17-1",
            "redemption-cancelled-268435455-4294967295-4294967295",
            "expired-1-17",
            "revoked-1-17",
            "sold-out-1-100",
        ] {
            let id: NotificationId = text.parse().unwrap();
            assert_eq!(id.to_string(), text);
            assert!(text.len() <= 64, "{text}");
        }
        for refused in [
            "",
            "issued",
            "issued-",
            "issued-1",
            "issued-1-0",
            "issued-1-17-1",
            "expiring-1-17",
            "expiring-1-17-0",
            "expiring-1-17-07",
            "expiring-1-17-65536",
            "redeemed-1-17-+1",
            "redeemed-1-17-4294967296",
            "lost-1-17",
            "Issued-1-17",
            "issued-1-17 ",
        ] {
            assert_eq!(
                refused.parse::<NotificationId>(),
                Err(NotificationIdError),
                "{refused:?}"
            );
        }
    }
}
