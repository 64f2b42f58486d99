//! Who holds which position of one coupon, in as few bytes as can be.
//!
//! Two structures. The *roll* keeps every issue in order of position: blocks of sixteen in large chunks, each record
//! a length byte, the user id, the hash of the idempotency key if there was one, and the time since the block's
//! first issue as a varint. The *index* finds a position by 32 bits of the user's hash.

use crate::index::Index;
use coupon_core::{KeyHash, Position, Timestamp, UserId};

const BLOCK: u32 = 16;
/// The largest chunk. Chunks double from [`FIRST_CHUNK_BYTES`], so that a small coupon takes little.
const LAST_CHUNK_BYTES: usize = 256 << 10;
const FIRST_CHUNK_BYTES: usize = 4 << 10;
/// Length byte, user id, key hash and a varint of 64 bits.
const MAX_RECORD_BYTES: usize = 1 + coupon_core::limits::MAX_USER_ID_BYTES + 8 + 10;
const MAX_BLOCK_BYTES: usize = BLOCK as usize * MAX_RECORD_BYTES;
const HAS_KEY: u8 = 0x80;

/// The holders of one coupon.
#[derive(Debug, Default)]
pub(crate) struct Members {
    roll: Roll,
    index: Index,
}

/// One holder as the roll has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    pub(crate) position: Position,
    pub(crate) user: &'a str,
    pub(crate) issued_at: Timestamp,
    pub(crate) key: Option<KeyHash>,
}

impl Members {
    /// How many there are, which is also the last position.
    pub(crate) fn count(&self) -> u32 {
        self.roll.count
    }

    /// What a user holds, whose hash this is.
    pub(crate) fn get(&self, user: &UserId, hash: u32) -> Option<Member<'_>> {
        let holds = |position: u32| {
            self.roll
                .at(position)
                .is_some_and(|member| member.user.as_bytes() == user.as_bytes())
        };
        self.index
            .find(hash, holds)
            .and_then(|position| self.roll.at(position))
    }

    /// Brings what [`Members::get`] and [`Members::push`] will need closer to the processor. The number says nothing.
    pub(crate) fn touch(&self, hash: u32) -> u64 {
        self.index.touch(hash)
    }

    /// Who holds a position.
    pub(crate) fn at(&self, position: u32) -> Option<Member<'_>> {
        self.roll.at(position)
    }

    /// Gives the next position to a user who has none, and whose hash this is. Times must not decrease.
    pub(crate) fn push(&mut self, user: &UserId, hash: u32, issued_at: Timestamp, key: Option<KeyHash>) {
        let position = self.roll.push(user.as_bytes(), issued_at, key);
        self.index.insert(hash, position);
    }
}

#[derive(Debug, Default)]
struct Roll {
    count: u32,
    chunks: Vec<Vec<u8>>,
    blocks: Vec<BlockStart>,
}

#[derive(Clone, Copy, Debug)]
struct BlockStart {
    chunk: u32,
    offset: u32,
    issued_at: Timestamp,
}

impl Roll {
    fn push(&mut self, user: &[u8], issued_at: Timestamp, key: Option<KeyHash>) -> u32 {
        if self.count.is_multiple_of(BLOCK) {
            self.begin_block(issued_at);
        }
        let start = self.blocks.last().expect("a block was begun").issued_at;
        let chunk = self.chunks.last_mut().expect("a block is in a chunk");
        let length = u8::try_from(user.len() - 1).expect("a user id has 1 to 128 bytes");
        chunk.push(if key.is_some() { length | HAS_KEY } else { length });
        chunk.extend_from_slice(user);
        if let Some(key) = key {
            chunk.extend_from_slice(&key.get().to_le_bytes());
        }
        push_varint(chunk, issued_at.as_micros().abs_diff(start.as_micros()));
        self.count += 1;
        self.count
    }

    fn begin_block(&mut self, issued_at: Timestamp) {
        let room = self
            .chunks
            .last()
            .map_or(0, |chunk| chunk.capacity() - chunk.len());
        if room < MAX_BLOCK_BYTES {
            let next = self
                .chunks
                .last()
                .map_or(FIRST_CHUNK_BYTES, |chunk| 2 * chunk.capacity());
            self.chunks.push(Vec::with_capacity(next.min(LAST_CHUNK_BYTES)));
        }
        let chunk = self.chunks.len() - 1;
        self.blocks.push(BlockStart {
            chunk: u32::try_from(chunk).expect("2^32 records fill fewer chunks"),
            offset: u32::try_from(self.chunks[chunk].len()).expect("a chunk is far smaller than 4 GiB"),
            issued_at,
        });
    }

    fn at(&self, position: u32) -> Option<Member<'_>> {
        if position > self.count {
            return None;
        }
        let index = position.checked_sub(1)?;
        let block = self.blocks[to_usize(index / BLOCK)];
        let mut bytes = &self.chunks[to_usize(block.chunk)][to_usize(block.offset)..];
        for _ in 0..index % BLOCK {
            let (length, key_bytes) = shape(bytes[0]);
            bytes = &bytes[1 + length + key_bytes..];
            bytes = &bytes[varint_bytes(bytes)..];
        }
        let (length, key_bytes) = shape(bytes[0]);
        let user = std::str::from_utf8(&bytes[1..=length]).expect("a user id was written here");
        let bytes = &bytes[1 + length..];
        let key = (key_bytes > 0).then(|| {
            let mut hash = [0; 8];
            hash.copy_from_slice(&bytes[..8]);
            KeyHash::new(u64::from_le_bytes(hash)).expect("a key hash is never zero")
        });
        let later = i64::try_from(read_varint(&bytes[key_bytes..])).unwrap_or(i64::MAX);
        let issued_at = Timestamp::saturating_from_micros(block.issued_at.as_micros().saturating_add(later));
        Some(Member {
            position: Position::new(position)?,
            user,
            issued_at,
            key,
        })
    }
}

/// Bytes of the user id and of the key hash.
fn shape(length: u8) -> (usize, usize) {
    (
        usize::from(length & !HAS_KEY) + 1,
        if length & HAS_KEY == 0 { 0 } else { 8 },
    )
}

fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = u8::try_from(number & 0x7f).expect("seven bits");
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn varint_bytes(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1
}

fn read_varint(bytes: &[u8]) -> u64 {
    let digits = bytes[..varint_bytes(bytes)].iter().rev();
    digits.fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f))
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).expect("a usize holds 32 bits on every machine this runs on")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

    fn user(text: &str) -> UserId {
        UserId::parse(text).unwrap()
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low half is enough of a hash")]
    fn hash(user: &UserId) -> u32 {
        BuildHasherDefault::<DefaultHasher>::default().hash_one(user.as_bytes()) as u32
    }

    #[test]
    fn every_holder_is_found_by_user_and_by_position_as_thousands_of_tables_split() {
        let mut members = Members::default();
        let mut expected = HashMap::new();
        for n in 1..=50_000u32 {
            let id = user(&format!("{}{n}", "u".repeat(to_usize(n % 100))));
            let issued_at = Timestamp::from_micros(i64::from(n) * i64::from(n)).unwrap();
            let key = if n % 3 == 0 {
                KeyHash::new(u64::from(n))
            } else {
                None
            };
            assert_eq!(members.get(&id, hash(&id)), None, "{n} is new");
            members.push(&id, hash(&id), issued_at, key);
            expected.insert(id, (n, issued_at, key));
            if n % 4_999 == 0 {
                check(&members, &expected);
            }
        }
        check(&members, &expected);
        assert_eq!(members.at(0), None);
        assert_eq!(members.at(50_001), None);
        assert!(members.index.tables() > 40, "the index has split");
    }

    fn check(members: &Members, expected: &HashMap<UserId, (u32, Timestamp, Option<KeyHash>)>) {
        for (user, &(position, issued_at, key)) in expected {
            let position = Position::new(position).unwrap();
            let member = Member {
                position,
                user: user.as_str(),
                issued_at,
                key,
            };
            assert_eq!(members.get(user, hash(user)), Some(member));
            assert_eq!(members.at(position.get()), Some(member));
        }
    }

    #[test]
    fn the_longest_ids_with_keys_and_the_largest_times_fit() {
        let mut members = Members::default();
        for n in 0..40 {
            let id = user(&format!("{n:0>128}"));
            let time = if n % BLOCK == 0 {
                Timestamp::MIN
            } else {
                Timestamp::MAX
            };
            members.push(&id, hash(&id), time, Some(KeyHash::MAX));
            let found = members.get(&id, hash(&id)).unwrap();
            assert_eq!(
                (found.position.get(), found.issued_at, found.key),
                (n + 1, time, Some(KeyHash::MAX))
            );
        }
    }
}
