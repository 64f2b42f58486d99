//! Notifications: what is told of coupons and issued coupons, and the port of the channels that tell it.
//!
//! The store writes a notification in the transaction of what it tells of. A job hands each to every channel, again and
//! again until it is done with, and keeps what became of it.

mod channel;
mod id;
mod patience;
mod written;

pub use channel::{Attempt, Channel, ChannelOutcome, DeliveryId, Recipient, RecipientError, Report};
pub use id::{NotificationId, NotificationIdError, NotificationKey};
pub use patience::Patience;
pub use written::{NotificationData, rfc3339};

use coupon_core::{Amount, Coupon, IssuedCoupon, Order, OrderId, Position, Timestamp};

/// One thing to tell, with everything that a channel needs to tell it. What it says of the issued coupon and of the
/// coupon may be newer than what it tells of: a reader takes the news from [`About`] and the rest as background.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// When that which it tells of happened, by the clock that judged it; of a reminder or an expiry, the instant from
    /// which it was due. Never the time of sending.
    pub at: Timestamp,
    /// The coupon, at the last revision that the store had when this was read.
    pub coupon: Coupon,
    /// What it tells.
    pub about: About,
}

/// What a notification tells, and of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Something of an issued coupon, for its holder and for the shop's systems.
    IssuedCoupon {
        /// The issued coupon as it was when this was read.
        issued: Box<IssuedCoupon>,
        /// What happened.
        news: News,
    },
    /// The coupon is sold out; for the administrator and for the shop's systems.
    SoldOut {
        /// The last position, which is also how many were issued.
        position: Position,
    },
}

/// What happened to an issued coupon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It was issued.
    Issued,
    /// Its validity ends soon, and it has not been used. Never told of one that is redeemed, revoked or expired.
    Expiring {
        /// So many midnights of the coupon's time zone lie before its end: a setting of the reminder, 1 to 366.
        days: u16,
    },
    /// It was used.
    Redeemed {
        /// The number of the step in its history.
        number: u32,
        /// On which order.
        order: Order,
        /// What the order got; `None` when the coupon does not say.
        discount: Option<Amount>,
    },
    /// The use was given back.
    RedemptionCancelled {
        /// The number of the step in its history.
        number: u32,
        /// Of which order.
        order: OrderId,
    },
    /// Its validity has ended and it was not used.
    Expired,
    /// An administrator took it back.
    Revoked,
}

impl Notification {
    /// Its id, which is what it tells of. See [`NotificationId`].
    pub fn id(&self) -> NotificationId {
        let (issued, news) = match &self.about {
            About::SoldOut { position } => {
                return NotificationId::SoldOut {
                    coupon: self.coupon.id,
                    position: *position,
                };
            }
            About::IssuedCoupon { issued, news } => (issued.id(), news),
        };
        match *news {
            News::Issued => NotificationId::Issued(issued),
            News::Expiring { days } => NotificationId::Expiring { issued, days },
            News::Redeemed { number, .. } => NotificationId::Redeemed { issued, number },
            News::RedemptionCancelled { number, .. } => {
                NotificationId::RedemptionCancelled { issued, number }
            }
            News::Expired => NotificationId::Expired(issued),
            News::Revoked => NotificationId::Revoked(issued),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> NotificationKind {
        self.id().kind()
    }
}

/// The kinds of notification. Their names are the event names of webhooks, of Kafka and of logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotificationKind {
    /// [`News::Issued`].
    Issued,
    /// [`News::Expiring`].
    Expiring,
    /// [`News::Redeemed`].
    Redeemed,
    /// [`News::RedemptionCancelled`].
    RedemptionCancelled,
    /// [`News::Expired`].
    Expired,
    /// [`News::Revoked`].
    Revoked,
    /// [`About::SoldOut`].
    SoldOut,
}

impl NotificationKind {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Issued,
        Self::Expiring,
        Self::Redeemed,
        Self::RedemptionCancelled,
        Self::Expired,
        Self::Revoked,
        Self::SoldOut,
    ];

    /// The name of the event.
    pub const fn event(self) -> &'static str {
        match self {
            Self::Issued => "issued_coupon.issued",
            Self::Expiring => "issued_coupon.expiring",
            Self::Redeemed => "issued_coupon.redeemed",
            Self::RedemptionCancelled => "issued_coupon.redemption_cancelled",
            Self::Expired => "issued_coupon.expired",
            Self::Revoked => "issued_coupon.revoked",
            Self::SoldOut => "coupon.sold_out",
        }
    }

    /// The kind whose event has this name.
    pub fn parse(event: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.event() == event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_name_that_the_interface_promises_and_is_found_by_it() {
        let names = NotificationKind::ALL.map(NotificationKind::event);
        assert_eq!(
            names,
            [
                "issued_coupon.issued",
                "issued_coupon.expiring",
                "issued_coupon.redeemed",
                "issued_coupon.redemption_cancelled",
                "issued_coupon.expired",
                "issued_coupon.revoked",
                "coupon.sold_out",
            ]
        );
        assert_eq!(
            names.map(NotificationKind::parse),
            NotificationKind::ALL.map(Some)
        );
        assert_eq!(NotificationKind::parse("issued_coupon.lost"), None);
    }
}
