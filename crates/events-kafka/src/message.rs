//! The records of the topic: CloudEvents 1.0 in structured JSON, one for each issue and each revision.
//!
//! docs/EVENTS.md has every field. What is read is checked against itself, so that a record that contradicts itself
//! goes aside instead of into the store.

use crate::instant::Instant;
use coupon_app::{CommandToken, Delivery, Epoch, IssuedRecord, Origin, Record, RevisedRecord};
use coupon_core::{Coupon, CouponId, Grant, IssuedCouponId, KeyHash, Position, UserId};
use serde::de::{self, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// What the value of a record is.
pub(crate) const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";
const VERSION: &str = "1.0";
const JSON: &str = "application/json";
const ISSUED: &str = "issued_coupon.issued";
const REVISED: &str = "coupon.revised";
/// Names what `data` holds. It changes when a reader of this one would misunderstand.
const SCHEMA: &str = "urn:firstcome:events:1";

/// Why a record cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It has no value.
    #[error("it is empty")]
    Empty,
    /// It is not JSON, or not a CloudEvent, or holds a value that cannot be.
    #[error("it is no event: {0}")]
    NoEvent(#[from] serde_json::Error),
    /// It is written in a way that this reader does not know.
    #[error("{0} is `{1}`, which this version does not know")]
    Unknown(&'static str, String),
    /// Two of its fields say different things.
    #[error("`{0}` contradicts the data")]
    Contradiction(&'static str),
}

/// One record as it goes to the topic.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Decides the partition.
    pub(crate) key: String,
    pub(crate) value: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Event<'a, D> {
    #[serde(borrow)]
    specversion: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    subject: Cow<'a, str>,
    time: Instant,
    #[serde(borrow)]
    datacontenttype: Cow<'a, str>,
    #[serde(borrow)]
    dataschema: Cow<'a, str>,
    data: D,
}

/// `data` of an issue.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Issued<'a> {
    coupon_id: CouponId,
    epoch: Epoch,
    position: Position,
    user_id: Cow<'a, UserId>,
    issued_at: Instant,
    expires_at: Instant,
    #[serde(default)]
    request_key: Option<Hex<8>>,
}

/// `data` of a revision.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Revised<'a> {
    epoch: Epoch,
    coupon: Cow<'a, Coupon>,
    issued: u32,
    /// Not in records of the first versions, when it was not told.
    #[serde(default)]
    lost: u32,
    #[serde(flatten)]
    actor: Cow<'a, Origin>,
    #[serde(default)]
    token: Option<Token>,
}

#[derive(Serialize, Deserialize)]
struct Token {
    scope: Hex<16>,
    payload: Hex<16>,
}

/// Bytes as digits.
struct Hex<const N: usize>([u8; N]);

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digit = |nibble: u8| char::from_digit(nibble.into(), 16).expect("a nibble is a digit");
        let text: String = self
            .0
            .iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
            .collect();
        serializer.serialize_str(&text)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        let read = || {
            let mut bytes = [0; N];
            let small = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
            if text.len() != 2 * N || !text.bytes().all(|byte| small(&byte)) {
                return None;
            }
            for (at, byte) in bytes.iter_mut().enumerate() {
                *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
            }
            Some(Self(bytes))
        };
        read().ok_or_else(|| de::Error::custom(format_args!("{} small hexadecimal digits expected", 2 * N)))
    }
}

/// The records of a delivery, as they go to the topic.
pub(crate) fn write<'d>(source: &'d str, delivery: &'d Delivery) -> impl Iterator<Item = Outgoing> + 'd {
    let epoch = delivery.epoch;
    delivery.records.iter().map(move |record| match record {
        Record::Issued(issued) => write_issued(source, epoch, issued),
        Record::Revised(revised) => write_revised(source, epoch, revised),
    })
}

fn json(event: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(event).expect("an event has no map with keys that JSON does not take")
}

fn write_issued(source: &str, epoch: Epoch, issued: &IssuedRecord) -> Outgoing {
    let subject = issued_subject(issued.coupon, issued.grant.position);
    let event = Event {
        specversion: VERSION.into(),
        id: issued_id(&subject, epoch).into(),
        source: source.into(),
        kind: ISSUED.into(),
        subject: subject.as_str().into(),
        time: Instant(issued.grant.issued_at),
        datacontenttype: JSON.into(),
        dataschema: SCHEMA.into(),
        data: Issued {
            coupon_id: issued.coupon,
            epoch,
            position: issued.grant.position,
            user_id: Cow::Borrowed(&issued.user),
            issued_at: Instant(issued.grant.issued_at),
            expires_at: Instant(issued.grant.expires_at),
            request_key: issued.key.map(|key| Hex(key.get().to_be_bytes())),
        },
    };
    let value = json(&event);
    Outgoing { key: subject, value }
}

fn write_revised(source: &str, epoch: Epoch, revised: &RevisedRecord) -> Outgoing {
    let subject = revised.coupon.id.to_string();
    let event = Event {
        specversion: VERSION.into(),
        id: revised_id(&revised.coupon, epoch).into(),
        source: source.into(),
        kind: REVISED.into(),
        subject: subject.as_str().into(),
        time: Instant(revised.coupon.revised_at),
        datacontenttype: JSON.into(),
        dataschema: SCHEMA.into(),
        data: Revised {
            epoch,
            coupon: Cow::Borrowed(&revised.coupon),
            issued: revised.issued,
            lost: revised.lost,
            actor: Cow::Borrowed(&revised.actor),
            token: revised.token.map(|token| Token {
                scope: Hex(token.scope),
                payload: Hex(token.payload),
            }),
        },
    };
    let value = json(&event);
    Outgoing { key: subject, value }
}

fn issued_subject(coupon: CouponId, position: Position) -> String {
    IssuedCouponId { coupon, position }.to_string()
}

fn issued_id(subject: &str, epoch: Epoch) -> String {
    format!("{subject}.e{epoch}")
}

fn revised_id(coupon: &Coupon, epoch: Epoch) -> String {
    format!("{}.r{}.e{epoch}", coupon.id, coupon.revision)
}

/// What a record says.
pub(crate) fn read(value: Option<&[u8]>) -> Result<Delivery, Unreadable> {
    let value = value.filter(|value| !value.is_empty()).ok_or(Unreadable::Empty)?;
    let envelope: Event<'_, IgnoredAny> = serde_json::from_slice(value)?;
    for (name, found, known) in [
        ("specversion", &envelope.specversion, VERSION),
        ("datacontenttype", &envelope.datacontenttype, JSON),
        ("dataschema", &envelope.dataschema, SCHEMA),
    ] {
        if found != known {
            return Err(Unreadable::Unknown(name, found.to_string()));
        }
    }
    match &*envelope.kind {
        ISSUED => read_issued(value),
        REVISED => read_revised(value),
        other => Err(Unreadable::Unknown("type", other.to_owned())),
    }
}

/// The envelope repeats what the data says; both must agree.
fn agree<D>(envelope: &Event<'_, D>, id: &str, subject: &str, time: Instant) -> Result<(), Unreadable> {
    for (name, agrees) in [
        ("id", envelope.id == id),
        ("subject", envelope.subject == subject),
        ("time", envelope.time == time),
    ] {
        if !agrees {
            return Err(Unreadable::Contradiction(name));
        }
    }
    Ok(())
}

fn read_issued(value: &[u8]) -> Result<Delivery, Unreadable> {
    let event: Event<'_, Issued<'_>> = serde_json::from_slice(value)?;
    let subject = issued_subject(event.data.coupon_id, event.data.position);
    agree(
        &event,
        &issued_id(&subject, event.data.epoch),
        &subject,
        event.data.issued_at,
    )?;
    let data = event.data;
    if data.epoch == 0 {
        return Err(Unreadable::Contradiction("epoch"));
    }
    if data.expires_at.0 < data.issued_at.0 {
        return Err(Unreadable::Contradiction("expiresAt"));
    }
    let key = match data.request_key {
        None => None,
        // Zero stands for none, and none is not written.
        Some(Hex(bytes)) => {
            Some(KeyHash::new(u64::from_be_bytes(bytes)).ok_or(Unreadable::Contradiction("requestKey"))?)
        }
    };
    Ok(Delivery {
        coupon: data.coupon_id,
        epoch: data.epoch,
        records: vec![Record::Issued(IssuedRecord {
            coupon: data.coupon_id,
            user: data.user_id.into_owned(),
            grant: Grant {
                position: data.position,
                issued_at: data.issued_at.0,
                expires_at: data.expires_at.0,
            },
            key,
        })],
    })
}

fn read_revised(value: &[u8]) -> Result<Delivery, Unreadable> {
    let event: Event<'_, Revised<'_>> = serde_json::from_slice(value)?;
    let id = revised_id(&event.data.coupon, event.data.epoch);
    let subject = event.data.coupon.id.to_string();
    agree(&event, &id, &subject, Instant(event.data.coupon.revised_at))?;
    let data = event.data;
    let coupon = data.coupon.into_owned();
    if data.epoch == 0 {
        return Err(Unreadable::Contradiction("epoch"));
    }
    Ok(Delivery {
        coupon: coupon.id,
        epoch: data.epoch,
        records: vec![Record::Revised(Box::new(RevisedRecord {
            coupon,
            issued: data.issued,
            lost: data.lost,
            actor: data.actor.into_owned(),
            token: data.token.map(|token| CommandToken {
                scope: token.scope.0,
                payload: token.payload.0,
            }),
        }))],
    })
}

/// When what a record says was decided, by the ledger's clock.
pub(crate) fn decided_at(delivery: &Delivery) -> Option<coupon_core::Timestamp> {
    delivery.records.first().map(|record| match record {
        Record::Issued(issued) => issued.grant.issued_at,
        Record::Revised(revised) => revised.coupon.revised_at,
    })
}

#[cfg(test)]
mod tests;
