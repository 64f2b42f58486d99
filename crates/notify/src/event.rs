//! What a webhook carries: the event as JSON.
//!
//! Only what the news itself fixes stands in it, not how things are at the time of sending: every attempt tells the
//! same.

use coupon_app::{About, CodeKey, News, Notification};
use coupon_core::{Coupon, IssuedCoupon, Timestamp};
use serde::Serialize;

/// The body of a webhook, in the shape that the Standard Webhooks specification proposes.
#[derive(Debug, Serialize)]
pub(crate) struct Event<D> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// When that which it tells of happened.
    pub(crate) timestamp: String,
    pub(crate) data: D,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
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
    code: String,
    issued_at: String,
    expires_at: String,
}

/// The body of the webhook that tells `notification`.
pub(crate) fn event_body(notification: &Notification, codes: &CodeKey) -> Result<Vec<u8>, serde_json::Error> {
    let data = data(notification, codes);
    serde_json::to_vec(&Event {
        kind: notification.kind().event(),
        timestamp: rfc3339(notification.at),
        data,
    })
}

/// An instant as RFC 3339 with microseconds, in UTC.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_microsecond(at.as_micros())
        .expect("every instant of ours lies before the end of the year 9999");
    format!("{at:.6}")
}

fn data<'a>(notification: &'a Notification, codes: &CodeKey) -> Data<'a> {
    let mut data = Data {
        coupon: coupon_data(&notification.coupon),
        issued_coupon: None,
        days: None,
        order_id: None,
        order_amount: None,
        discount_amount: None,
        issued: None,
    };
    match &notification.about {
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

fn coupon_data(coupon: &Coupon) -> CouponData<'_> {
    CouponData {
        id: coupon.id.get(),
        name: &coupon.terms.name,
        currency: &coupon.terms.currency,
    }
}

fn issued_data<'a>(issued: &'a IssuedCoupon, codes: &CodeKey) -> IssuedCouponData<'a> {
    IssuedCouponData {
        id: issued.id().to_string(),
        coupon_id: issued.coupon.get(),
        user_id: issued.user.as_str(),
        position: issued.grant.position.get(),
        code: codes.code(issued.id()).to_string(),
        issued_at: rfc3339(issued.grant.issued_at),
        expires_at: rfc3339(issued.grant.expires_at),
    }
}
