//! Records to and from their bytes. docs/JOURNAL-FORMAT.md is the same in prose.

use crate::limits::MAX_REVISED_BYTES;
use coupon_app::{CommandToken, IssuedRecord, Origin, Record, RevisedRecord};
use coupon_core::{Coupon, CouponId, Grant, KeyHash, Position, Timestamp, UserId};
use serde::{Deserialize, Serialize};

const ISSUED: u8 = 1;
const ISSUED_WITH_KEY: u8 = 2;
const REVISED: u8 = 3;

/// Bytes of an issue besides the user id: tag, coupon, position, two times, key, length.
pub(crate) const MAX_ISSUED_BYTES: usize = 1 + 4 + 4 + 8 + 8 + 8 + 1 + coupon_core::limits::MAX_USER_ID_BYTES;

/// Bytes that are not a record. The checksum held, so this program wrote something that it cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a record with a valid checksum cannot be read ({0}); it was written by another version of this program"
)]
pub struct UnreadableRecord(&'static str);

/// A revision's fields as they stand in the journal, as JSON: rare, and readable by people.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Revised<'a> {
    coupon: std::borrow::Cow<'a, Coupon>,
    issued: u32,
    #[serde(flatten)]
    actor: std::borrow::Cow<'a, Origin>,
    token: Option<([u8; 16], [u8; 16])>,
}

/// Appends an issue.
pub(crate) fn write_issued(
    bytes: &mut Vec<u8>,
    coupon: CouponId,
    user: &UserId,
    grant: &Grant,
    key: Option<KeyHash>,
) {
    bytes.push(if key.is_some() { ISSUED_WITH_KEY } else { ISSUED });
    bytes.extend_from_slice(&coupon.get().to_le_bytes());
    bytes.extend_from_slice(&grant.position.get().to_le_bytes());
    bytes.extend_from_slice(&grant.issued_at.as_micros().to_le_bytes());
    bytes.extend_from_slice(&grant.expires_at.as_micros().to_le_bytes());
    if let Some(key) = key {
        bytes.extend_from_slice(&key.get().to_le_bytes());
    }
    bytes.push(u8::try_from(user.as_bytes().len()).expect("a user id has at most 128 bytes"));
    bytes.extend_from_slice(user.as_bytes());
}

/// Appends a revision.
pub(crate) fn write_revised(bytes: &mut Vec<u8>, record: &RevisedRecord) {
    let fields = Revised {
        coupon: std::borrow::Cow::Borrowed(&record.coupon),
        issued: record.issued,
        actor: std::borrow::Cow::Borrowed(&record.actor),
        token: record.token.map(|token| (token.scope, token.payload)),
    };
    let json = serde_json::to_vec(&fields).expect("these fields always have a JSON form");
    debug_assert!(
        json.len() <= MAX_REVISED_BYTES,
        "the limits of terms keep this small"
    );
    bytes.push(REVISED);
    bytes.extend_from_slice(&u32::try_from(json.len()).expect("far below 4 GiB").to_le_bytes());
    bytes.extend_from_slice(&json);
}

/// Reads the `count` records of a frame.
pub(crate) fn read_all(mut bytes: &[u8], count: u32) -> Result<Vec<Record>, UnreadableRecord> {
    let mut records = Vec::with_capacity(usize::try_from(count).unwrap_or(0).min(bytes.len()));
    for _ in 0..count {
        records.push(read(&mut bytes)?);
    }
    if bytes.is_empty() {
        Ok(records)
    } else {
        Err(UnreadableRecord("bytes after the last record"))
    }
}

fn read(bytes: &mut &[u8]) -> Result<Record, UnreadableRecord> {
    match take::<1>(bytes)?[0] {
        tag @ (ISSUED | ISSUED_WITH_KEY) => {
            let coupon = u32::from_le_bytes(take(bytes)?);
            let position = u32::from_le_bytes(take(bytes)?);
            let issued_at = time(take(bytes)?)?;
            let expires_at = time(take(bytes)?)?;
            let key = match tag {
                ISSUED_WITH_KEY => Some(
                    KeyHash::new(u64::from_le_bytes(take(bytes)?))
                        .ok_or(UnreadableRecord("a key hash of zero"))?,
                ),
                _ => None,
            };
            let length = usize::from(take::<1>(bytes)?[0]);
            let user = std::str::from_utf8(take_slice(bytes, length)?);
            let user = user.map_err(|_not_utf8| UnreadableRecord("a user id that is not UTF-8"))?;
            Ok(Record::Issued(IssuedRecord {
                coupon: CouponId::new(coupon).map_err(|_range| UnreadableRecord("a coupon id"))?,
                user: UserId::parse(user).map_err(|_invalid| UnreadableRecord("a user id"))?,
                grant: Grant {
                    position: Position::new(position).ok_or(UnreadableRecord("a position of zero"))?,
                    issued_at,
                    expires_at,
                },
                key,
            }))
        }
        REVISED => {
            let length = usize::try_from(u32::from_le_bytes(take(bytes)?)).unwrap_or(usize::MAX);
            let fields: Revised<'_> = serde_json::from_slice(take_slice(bytes, length)?)
                .map_err(|_shape| UnreadableRecord("the JSON of a revision"))?;
            Ok(Record::Revised(Box::new(RevisedRecord {
                coupon: fields.coupon.into_owned(),
                issued: fields.issued,
                lost: 0,
                actor: fields.actor.into_owned(),
                token: fields
                    .token
                    .map(|(scope, payload)| CommandToken { scope, payload }),
            })))
        }
        _ => Err(UnreadableRecord("an unknown tag")),
    }
}

fn time(bytes: [u8; 8]) -> Result<Timestamp, UnreadableRecord> {
    Timestamp::from_micros(i64::from_le_bytes(bytes)).ok_or(UnreadableRecord("an instant out of range"))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], UnreadableRecord> {
    let mut taken = [0; N];
    taken.copy_from_slice(take_slice(bytes, N)?);
    Ok(taken)
}

fn take_slice<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], UnreadableRecord> {
    let (taken, rest) = bytes
        .split_at_checked(length)
        .ok_or(UnreadableRecord("an early end"))?;
    *bytes = rest;
    Ok(taken)
}
