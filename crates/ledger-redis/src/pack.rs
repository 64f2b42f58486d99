//! What stands packed in Redis: a user's grant, and the entry of a batch. All numbers are big-endian.

use coupon_app::{IssuedRecord, Record};
use coupon_core::{CouponId, Grant, Held, KeyHash, Position, Timestamp, UserId};

/// Position, time of issue, expiry.
const GRANT_BYTES: usize = 20;
const KEY_BYTES: usize = 8;
/// Kind, epoch, first position, count, time of issue, expiry.
const ENTRY_HEADER_BYTES: usize = 29;
const WITHOUT_KEYS: u8 = 1;
const WITH_KEYS: u8 = 2;

/// Bytes that stand in Redis are not what this crate writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unreadable: {0}")]
pub(crate) struct Unreadable(pub(crate) &'static str);

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn time_at(bytes: &[u8], at: usize) -> Option<Timestamp> {
    let micros = i64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?);
    Timestamp::from_micros(micros)
}

/// An instant as scripts copy it.
pub(crate) fn time_bytes(instant: Timestamp) -> [u8; 8] {
    instant.as_micros().to_be_bytes()
}

/// An instant that a script sends packed.
pub(crate) fn time(bytes: &[u8]) -> Result<Timestamp, Unreadable> {
    time_at(bytes, 0).ok_or(Unreadable("a time is out of range"))
}

/// A user's value.
pub(crate) fn held_bytes(held: &Held) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(GRANT_BYTES + KEY_BYTES);
    bytes.extend(held.grant.position.get().to_be_bytes());
    bytes.extend(time_bytes(held.grant.issued_at));
    bytes.extend(time_bytes(held.grant.expires_at));
    if let Some(key) = held.key {
        bytes.extend(key.get().to_be_bytes());
    }
    bytes
}

/// What a user's value says.
pub(crate) fn held(bytes: &[u8]) -> Result<Held, Unreadable> {
    let read = || {
        let key = match bytes.len().checked_sub(GRANT_BYTES)? {
            0 => None,
            KEY_BYTES => Some(KeyHash::new(u64::from_be_bytes(
                bytes[GRANT_BYTES..].try_into().ok()?,
            ))?),
            _ => return None,
        };
        Some(Held {
            grant: Grant {
                position: Position::new(u32_at(bytes, 0)?)?,
                issued_at: time_at(bytes, 4)?,
                expires_at: time_at(bytes, 12)?,
            },
            key,
        })
    };
    read().ok_or(Unreadable("a user's grant is malformed"))
}

/// The key hashes of a call, one for each user; empty when there is none.
pub(crate) fn keys<'k>(keys: impl Iterator<Item = Option<&'k KeyHash>> + Clone) -> Vec<u8> {
    if keys.clone().all(|key| key.is_none()) {
        return Vec::new();
    }
    keys.flat_map(|key| key.map_or(0, |key| key.get()).to_be_bytes())
        .collect()
}

/// The epoch and the issues of an entry.
pub(crate) fn entry(coupon: CouponId, bytes: &[u8]) -> Result<(u32, Vec<Record>), Unreadable> {
    let header = || {
        let with_keys = match *bytes.first()? {
            WITHOUT_KEYS => false,
            WITH_KEYS => true,
            _ => return None,
        };
        let (epoch, first, count) = (u32_at(bytes, 1)?, u32_at(bytes, 5)?, u32_at(bytes, 9)?);
        Some((
            with_keys,
            epoch,
            first,
            count,
            time_at(bytes, 13)?,
            time_at(bytes, 21)?,
        ))
    };
    let (with_keys, epoch, first, count, issued_at, expires_at) =
        header().ok_or(Unreadable("an entry's header is malformed"))?;
    let count = usize::try_from(count).map_err(|_narrow| Unreadable("an entry counts too many"))?;
    let key_bytes = if with_keys {
        count.saturating_mul(KEY_BYTES)
    } else {
        0
    };
    let body = &bytes[ENTRY_HEADER_BYTES..];
    let (keys, users) = body
        .split_at_checked(key_bytes)
        .ok_or(Unreadable("an entry is cut short"))?;
    let users = std::str::from_utf8(users).map_err(|_not_utf8| Unreadable("a user is not text"))?;
    let mut records = Vec::with_capacity(count.min(body.len()));
    for (number, user) in (0_u32..).zip(users.split('\0')) {
        let position = first
            .checked_add(number)
            .and_then(Position::new)
            .ok_or(Unreadable("a position is out of range"))?;
        let at = records.len() * KEY_BYTES;
        let key = keys
            .get(at..at + KEY_BYTES)
            .and_then(|key| KeyHash::new(u64::from_be_bytes(key.try_into().ok()?)));
        records.push(Record::Issued(IssuedRecord {
            coupon,
            user: UserId::parse(user).map_err(|_refused| Unreadable("a user may not be"))?,
            grant: Grant {
                position,
                issued_at,
                expires_at,
            },
            key,
        }));
    }
    if records.len() != count {
        return Err(Unreadable("an entry counts others than it names"));
    }
    Ok((epoch, records))
}

#[cfg(test)]
mod tests {
    use super::*;
    use coupon_app::contract::{at, coupon_id};
    use proptest::prelude::*;

    fn grants() -> impl Strategy<Value = Held> {
        (1..=u32::MAX, any::<u32>(), any::<u32>(), any::<u64>()).prop_map(|(position, issued, valid, key)| {
            Held {
                grant: Grant {
                    position: Position::new(position).unwrap(),
                    issued_at: at(issued.into()),
                    expires_at: at(i64::from(issued) + i64::from(valid)),
                },
                key: KeyHash::new(key),
            }
        })
    }

    proptest! {
        #[test]
        fn a_grant_is_read_as_it_was_written(written in grants()) {
            prop_assert_eq!(held(&held_bytes(&written)), Ok(written));
        }

        /// Whatever stands in a stream, reading it ends, and does not panic.
        #[test]
        fn bytes_that_are_no_entry_are_unreadable_or_say_something(
            mut bytes in prop::collection::vec(any::<u8>(), 0..120),
            kind in 0..4_u8,
        ) {
            if let Some(first) = bytes.first_mut() {
                *first = kind;
            }
            if let Ok((_, records)) = entry(coupon_id(1), &bytes) {
                prop_assert!(bytes.len() > ENTRY_HEADER_BYTES && !records.is_empty());
            }
            let _ = held(&bytes);
        }
    }
}
