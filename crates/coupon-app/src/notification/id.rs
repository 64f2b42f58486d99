//! The id of a notification: what it tells of, so that the same is never told under two ids.

use super::NotificationKind;
use coupon_core::{CouponId, HistoryEntry, IssuedCouponId, Position, Step};
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

/// An id in parts: how stores keep it, and what its text is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotificationKey {
    /// Which issued coupon; of a coupon that is sold out, the id that its last position has.
    pub issued: IssuedCouponId,
    /// The word for its kind, as in its text.
    pub word: &'static str,
    /// The days of a reminder or the number of a step, from 1; else 0.
    pub detail: u32,
}

impl NotificationId {
    /// What a step of an issued coupon is told as.
    pub const fn of_step(issued: IssuedCouponId, entry: &HistoryEntry) -> Self {
        let number = entry.number;
        match entry.step {
            Step::Redeemed { .. } => Self::Redeemed { issued, number },
            Step::Cancelled { .. } => Self::RedemptionCancelled { issued, number },
            Step::Revoked => Self::Revoked(issued),
        }
    }

    /// Its parts.
    pub fn key(self) -> NotificationKey {
        let (issued, word, detail) = match self {
            Self::Issued(issued) => (issued, "issued", 0),
            Self::Expiring { issued, days } => (issued, "expiring", u32::from(days)),
            Self::Redeemed { issued, number } => (issued, "redeemed", number),
            Self::RedemptionCancelled { issued, number } => (issued, "redemption-cancelled", number),
            Self::Expired(issued) => (issued, "expired", 0),
            Self::Revoked(issued) => (issued, "revoked", 0),
            Self::SoldOut { coupon, position } => (IssuedCouponId { coupon, position }, "sold-out", 0),
        };
        NotificationKey { issued, word, detail }
    }

    /// The id with these parts; see [`NotificationKey`].
    pub fn from_key(issued: IssuedCouponId, word: &str, detail: u32) -> Result<Self, NotificationIdError> {
        Ok(match (word, detail) {
            ("issued", 0) => Self::Issued(issued),
            ("expired", 0) => Self::Expired(issued),
            ("revoked", 0) => Self::Revoked(issued),
            ("sold-out", 0) => Self::SoldOut {
                coupon: issued.coupon,
                position: issued.position,
            },
            ("expiring", 1..) => Self::Expiring {
                issued,
                days: u16::try_from(detail).map_err(|_too_many| NotificationIdError)?,
            },
            ("redeemed", 1..) => Self::Redeemed {
                issued,
                number: detail,
            },
            ("redemption-cancelled", 1..) => Self::RedemptionCancelled {
                issued,
                number: detail,
            },
            _no_id => return Err(NotificationIdError),
        })
    }

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
        let NotificationKey { issued, word, detail } = self.key();
        match detail {
            0 => write!(f, "{word}-{issued}"),
            _ => write!(f, "{word}-{issued}-{detail}"),
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
        let word = word.strip_suffix('-').ok_or(NotificationIdError)?;
        let (issued, detail) = if let Ok(issued) = rest.parse() {
            (issued, 0)
        } else {
            let (issued, detail) = rest.rsplit_once('-').ok_or(NotificationIdError)?;
            let issued = issued.parse().map_err(|_no_issued_coupon| NotificationIdError)?;
            (issued, counted(detail)?)
        };
        Self::from_key(issued, word, detail)
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
