//! What a notification says to other systems, as JSON: the same by every channel that tells them.
//!
//! Only what the news itself fixes stands in it, not how things are at the time of sending: every attempt tells the
//! same.

use super::{About, News, Notification};
use crate::CodeKey;
use coupon_core::{Coupon, IssuedCoupon, Timestamp};
use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use serde::Serialize;

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

/// The `data` of a notification, as docs/NOTIFICATIONS.md has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotificationData<'a> {
    coupon: CouponData<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_coupon: Option<IssuedCouponData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_amount: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discount_amount: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued: Option<u32>,
}

#[derive(Debug, Serialize)]
struct CouponData<'a> {
    id: u32,
    name: &'a str,
    currency: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct IssuedCouponData<'a> {
    id: String,
    coupon_id: u32,
    user_id: &'a str,
    position: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    issued_at: String,
    expires_at: String,
}

impl Notification {
    /// What it says to other systems. With `codes` the issued coupon's code is in it, which is for a recipient alone;
    /// without, nothing is that can be used as one.
    pub fn data<'a>(&'a self, codes: Option<&CodeKey>) -> NotificationData<'a> {
        let mut data = NotificationData {
            coupon: coupon_data(&self.coupon),
            issued_coupon: None,
            days: None,
            order_id: None,
            order_amount: None,
            discount_amount: None,
            issued: None,
        };
        match &self.about {
            About::SoldOut { position } => data.issued = Some(position.get()),
            About::IssuedCoupon { issued, news } => {
                data.issued_coupon = Some(issued_data(issued, codes));
                match news {
                    News::Issued | News::Expired | News::Revoked => {}
                    News::Expiring { days } => data.days = Some(*days),
                    News::Redeemed {
                        number: _,
                        order,
                        discount,
                    } => {
                        data.order_id = Some(order.id.as_str());
                        data.order_amount = Some(order.amount.get());
                        data.discount_amount = discount.map(|amount| amount.get());
                    }
                    News::RedemptionCancelled { number: _, order } => data.order_id = Some(order.as_str()),
                }
            }
        }
        data
    }

    /// What it is of, in its written form: an issued coupon's id, or a coupon's.
    pub fn subject(&self) -> String {
        match &self.about {
            About::IssuedCoupon { issued, .. } => issued.id().to_string(),
            About::SoldOut { .. } => self.coupon.id.to_string(),
        }
    }
}

/// An instant as RFC 3339 with microseconds, in UTC.
pub fn rfc3339(at: Timestamp) -> String {
    // Through the calendar, because a timestamp of jiff ends hours before ours does.
    let civil = EPOCH
        .checked_add(SignedDuration::from_micros(at.as_micros()))
        .expect("every instant of ours lies before the end of the year 9999");
    format!("{civil:.6}Z")
}

fn coupon_data(coupon: &Coupon) -> CouponData<'_> {
    CouponData {
        id: coupon.id.get(),
        name: &coupon.terms.name,
        currency: &coupon.terms.currency,
    }
}

fn issued_data<'a>(issued: &'a IssuedCoupon, codes: Option<&CodeKey>) -> IssuedCouponData<'a> {
    IssuedCouponData {
        id: issued.id().to_string(),
        coupon_id: issued.coupon.get(),
        user_id: issued.user.as_str(),
        position: issued.grant.position.get(),
        code: codes.map(|codes| codes.code(issued.id()).to_string()),
        issued_at: rfc3339(issued.grant.issued_at),
        expires_at: rfc3339(issued.grant.expires_at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instant_has_a_written_form() {
        for (at, written) in [
            (Timestamp::MIN, "1970-01-01T00:00:00.000000Z"),
            (
                Timestamp::from_micros(1_800_000_000_000_001).unwrap(),
                "2027-01-15T08:00:00.000001Z",
            ),
            (Timestamp::MAX, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(rfc3339(at), written);
        }
    }
}
