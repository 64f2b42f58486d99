//! Entries of a coupon's stream, as workers read them.

use crate::command::By;
use crate::error::RedisTrouble;
use crate::facts::{self, instant, optional_instant};
use crate::pack::{self, Unreadable};
use crate::reply::{array, bytes, pairs, text};
use coupon_app::{CommandToken, Delivery, Record, RevisedRecord};
use coupon_core::{CouponId, Timestamp};
use redis::Value;

/// One entry as the server sends it.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) id: Box<str>,
    /// Names and values; empty when the entry has been deleted.
    pub(crate) fields: RawFields,
}

impl Raw {
    /// The entries of a list of id and fields.
    pub(crate) fn list(value: Value) -> Result<Vec<Self>, RedisTrouble> {
        array(value)?.into_iter().map(Self::one).collect()
    }

    fn one(value: Value) -> Result<Self, RedisTrouble> {
        let mut parts = array(value)?.into_iter();
        let (Some(id), Some(said)) = (parts.next(), parts.next()) else {
            return Err(RedisTrouble::Nonsense("an entry has an id and fields"));
        };
        Ok(Self {
            id: text(id)?.into(),
            fields: fields(pairs(said)?)?,
        })
    }

    /// The field with this name.
    pub(crate) fn field(&self, name: &str) -> Option<&[u8]> {
        let found = self.fields.iter().find(|(it, _)| it == name.as_bytes());
        found.map(|(_, value)| value.as_slice())
    }
}

/// Names and values of an entry.
pub(crate) type RawFields = Vec<(Vec<u8>, Vec<u8>)>;

/// Names and values of an entry.
pub(crate) fn fields(pairs: Vec<(Value, Value)>) -> Result<RawFields, RedisTrouble> {
    pairs
        .into_iter()
        .map(|(name, value)| Ok((bytes(name)?, bytes(value)?)))
        .collect()
}

/// The delivery that an entry is.
pub(crate) fn delivery(coupon: CouponId, raw: &Raw) -> Result<Delivery, Unreadable> {
    if let Some(packed) = raw.field("issued").filter(|_| raw.field("coupon").is_none()) {
        let (epoch, records) = pack::entry(coupon, packed)?;
        return Ok(Delivery {
            coupon,
            epoch,
            records,
        });
    }
    let word = |name| {
        let value = raw.field(name).ok_or(Unreadable("a field is missing"))?;
        std::str::from_utf8(value).map_err(|_not_utf8| Unreadable("a field is not text"))
    };
    let number = |name| {
        let parsed = word(name)?.parse::<u32>();
        parsed.map_err(|_no_number| Unreadable("a field is no number"))
    };
    let no_instant = |_| Unreadable("a field is no instant");
    let revised = instant(word("revised")?).map_err(no_instant)?;
    let closed = optional_instant(word("closed")?).map_err(no_instant)?;
    let json = raw.field("coupon").ok_or(Unreadable("a field is missing"))?;
    let revision = facts::coupon(json, revised, closed).map_err(|_| Unreadable("the coupon is malformed"))?;
    let by: By = serde_json::from_str(word("by")?).map_err(|_| Unreadable("who did it is malformed"))?;
    if revision.id != coupon {
        return Err(Unreadable("it is of another coupon"));
    }
    let token = by.token.map(|(scope, payload)| CommandToken { scope, payload });
    let record = RevisedRecord {
        coupon: revision,
        issued: number("issued")?,
        // Entries of the first versions do not tell.
        lost: raw.field("lost").map_or(Ok(0), |_| number("lost"))?,
        actor: by.actor,
        token,
    };
    Ok(Delivery {
        coupon,
        epoch: number("epoch")?,
        records: vec![Record::Revised(Box::new(record))],
    })
}

/// When a delivery was decided.
pub(crate) fn decided_at(delivery: &Delivery) -> Option<Timestamp> {
    delivery.records.first().map(|record| match record {
        Record::Issued(issued) => issued.grant.issued_at,
        Record::Revised(revised) => revised.coupon.revised_at,
    })
}
