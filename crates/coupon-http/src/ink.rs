//! Where answers are written: one buffer for each loop, cut into pieces.
//!
//! An answer of its own costs three allocations and as many frees on another path of the allocator. Pieces of one block
//! cost a count up and down; the block is freed with its last piece.

use bytes::{Bytes, BytesMut};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Holds some forty answers.
const BLOCK_BYTES: usize = 16 * 1024;

/// See above. Only one loop uses it, so nobody ever waits for the lock.
pub(crate) struct Ink(Mutex<Pot>);

struct Pot {
    draft: Vec<u8>,
    block: BytesMut,
}

impl Ink {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Pot {
            draft: Vec::with_capacity(1_024),
            block: BytesMut::with_capacity(BLOCK_BYTES),
        }))
    }

    /// What `write` appends to an empty buffer.
    pub(crate) fn write(&self, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
        let mut pot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Pot { draft, block } = &mut *pot;
        draft.clear();
        write(draft);
        if block.capacity() < draft.len() {
            *block = BytesMut::with_capacity(BLOCK_BYTES.max(draft.len()));
        }
        block.extend_from_slice(draft);
        block.split().freeze()
    }
}

impl fmt::Debug for Ink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ink")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_stay_what_they_were_whatever_is_written_after() {
        let ink = Ink::new();
        let pieces: Vec<Bytes> = (0..200u32)
            .map(|number| ink.write(|out| out.extend(std::iter::repeat_n(number.to_le_bytes()[0], 300))))
            .collect();
        for (number, piece) in pieces.iter().enumerate() {
            assert!(piece.len() == 300 && piece.iter().all(|&byte| usize::from(byte) == number));
        }
        let large = ink.write(|out| out.resize(3 * BLOCK_BYTES, 7));
        assert_eq!(large.len(), 3 * BLOCK_BYTES);
        assert!(ink.write(|_| ()).is_empty());
    }
}
