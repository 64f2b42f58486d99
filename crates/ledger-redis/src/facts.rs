//! A coupon's facts as they stand in Redis: whole as JSON, and as the fields that the scripts judge by.

use crate::error::RedisTrouble;
use crate::pack;
use crate::reply::Fields;
use coupon_app::Epoch;
use coupon_core::{Coupon, Quantity, Revision, Standing, Timestamp, Validity};
use std::sync::Arc;

/// Where a coupon stands: the beginning of every good reply.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) epoch: Epoch,
    pub(crate) revision: Revision,
    /// The coupon, if the caller had another revision's facts.
    pub(crate) facts: Option<Arc<Coupon>>,
    pub(crate) revised: Timestamp,
    /// The last position.
    pub(crate) position: u32,
    /// How many positions were lost with a Redis and belong to nobody.
    pub(crate) lost: u32,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

impl Head {
    /// The fields after the word `ok`.
    pub(crate) fn read(fields: &mut Fields) -> Result<Self, RedisTrouble> {
        let (epoch, revision) = (fields.small()?, fields.small()?);
        let json = fields.bytes()?;
        let revised = instant(&fields.text()?)?;
        let closed = optional_instant(&fields.text()?)?;
        let facts = if json.is_empty() {
            None
        } else {
            Some(Arc::new(coupon(&json, revised, closed)?))
        };
        Ok(Self {
            epoch,
            revision,
            facts,
            revised,
            position: fields.small()?,
            lost: fields.small()?,
            first: instant(&fields.text()?)?,
            last: instant(&fields.text()?)?,
        })
    }

    /// How many issued coupons exist.
    pub(crate) fn existing(&self) -> u32 {
        self.position.saturating_sub(self.lost)
    }

    /// As the core's decisions take it: the quantity counts coupons that exist.
    pub(crate) fn standing(&self) -> Standing {
        Standing {
            issued: self.existing(),
            last_issued_at: self.last,
        }
    }
}

/// An instant in decimal microseconds.
pub(crate) fn instant(text: &str) -> Result<Timestamp, RedisTrouble> {
    text.parse()
        .ok()
        .and_then(Timestamp::from_micros)
        .ok_or(RedisTrouble::Nonsense("an instant was expected"))
}

/// An instant, or nothing.
pub(crate) fn optional_instant(text: &str) -> Result<Option<Timestamp>, RedisTrouble> {
    if text.is_empty() {
        Ok(None)
    } else {
        instant(text).map(Some)
    }
}

/// The coupon of a JSON text, with the times that the scripts decided.
pub(crate) fn coupon(
    json: &[u8],
    revised: Timestamp,
    closed: Option<Timestamp>,
) -> Result<Coupon, RedisTrouble> {
    let coupon: Coupon = serde_json::from_slice(json)
        .map_err(|_malformed| RedisTrouble::Nonsense("the coupon's JSON cannot be read"))?;
    Ok(dated(coupon, revised, closed))
}

/// A coupon with the times that a script decided.
pub(crate) fn dated(mut coupon: Coupon, revised: Timestamp, closed: Option<Timestamp>) -> Coupon {
    coupon.revised_at = revised;
    coupon.closed_at = closed;
    if coupon.revision == 1 {
        coupon.created_at = revised;
    }
    coupon
}

/// The coupon as JSON.
pub(crate) fn json(coupon: &Coupon) -> Vec<u8> {
    serde_json::to_vec(coupon).expect("a coupon has no map with keys that JSON does not take")
}

/// The fields that the scripts judge by, in the order in which `apply.lua` takes them.
pub(crate) fn judged(coupon: &Coupon) -> [Vec<u8>; 7] {
    let text = |number: i64| number.to_string().into_bytes();
    let flag = |set: bool| if set { b"1".to_vec() } else { b"0".to_vec() };
    let window = &coupon.terms.window;
    let (valid_for, valid_until) = match coupon.terms.validity {
        Validity::For(span) => (text(span.as_micros()), Vec::new()),
        Validity::Until(instant) => (b"0".to_vec(), pack::time_bytes(instant).to_vec()),
    };
    [
        text(window.opens_at().as_micros()),
        text(window.closes_at().as_micros()),
        flag(coupon.paused),
        flag(coupon.deleted),
        quantity(coupon.terms.quantity).to_string().into_bytes(),
        valid_for,
        valid_until,
    ]
}

/// An unlimited coupon ends where positions end.
fn quantity(quantity: Quantity) -> u32 {
    quantity.limit().map_or(u32::MAX, std::num::NonZeroU32::get)
}
