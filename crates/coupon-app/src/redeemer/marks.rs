//! Which issued coupons have a history: a bit for each position, in blocks, so that the many without cost nothing.

use coupon_core::{CouponId, IssuedCouponId};
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// A block has so many positions: 2^12, in 512 bytes.
const BLOCK_BITS: u32 = 12;
const WORDS: usize = 1 << (BLOCK_BITS - 6);

#[derive(Debug, Default)]
pub(super) struct Marks(RwLock<Blocks>);

type Blocks = HashMap<(CouponId, u32), Box<[u64; WORDS]>>;

/// The block, the word in it and the bit in that.
fn place(id: IssuedCouponId) -> ((CouponId, u32), usize, u64) {
    let position = id.position.get();
    let within = position & ((1 << BLOCK_BITS) - 1);
    let word = usize::try_from(within >> 6).unwrap_or(0); // less than 64
    ((id.coupon, position >> BLOCK_BITS), word, 1 << (within & 63))
}

fn put(blocks: &mut Blocks, id: IssuedCouponId) {
    let (block, word, bit) = place(id);
    blocks.entry(block).or_insert_with(|| Box::new([0; WORDS]))[word] |= bit;
}

impl Marks {
    /// Marks one, before anybody else looks.
    pub(super) fn put(&mut self, id: IssuedCouponId) {
        put(self.0.get_mut().unwrap_or_else(PoisonError::into_inner), id);
    }

    /// Marks some.
    pub(super) fn put_all(&self, ids: impl Iterator<Item = IssuedCouponId>) {
        let mut ids = ids.peekable();
        if ids.peek().is_none() {
            return;
        }
        let mut blocks = self.0.write().unwrap_or_else(PoisonError::into_inner);
        ids.for_each(|id| put(&mut blocks, id));
    }

    /// Whether it is marked.
    pub(super) fn has(&self, id: IssuedCouponId) -> bool {
        let (block, word, bit) = place(id);
        let blocks = self.0.read().unwrap_or_else(PoisonError::into_inner);
        blocks.get(&block).is_some_and(|words| words[word] & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_what_was_put_is_marked() {
        let ids = ["1-1", "1-63", "1-64", "1-4095", "1-4096", "2-1", "1-4294967295"];
        let parse = |text: &str| text.parse::<IssuedCouponId>().unwrap();
        let mut marks = Marks::default();
        marks.put(parse(ids[0]));
        marks.put_all(ids[1..].iter().map(|text| parse(text)));
        for id in ids {
            assert!(marks.has(parse(id)), "{id}");
        }
        for id in [
            "1-2",
            "1-62",
            "1-65",
            "1-4094",
            "1-4097",
            "2-2",
            "3-1",
            "1-4294967294",
        ] {
            assert!(!marks.has(parse(id)), "{id}");
        }
    }
}
