//! A filter over the users in `holders`: it knows for certain that a user is not there.
//!
//! Without it, every issue would look into an index that is larger than any cache, only to find nothing. It is a
//! split-block Bloom filter, as in Apache Parquet: a key sets one bit in each of the eight words of one block of 32
//! bytes, so a look-up touches one line of memory. At one byte a key about one key in thirty is taken for known, and
//! the index is asked for that one.

use coupon_core::CouponId;

/// Each word of a block takes its bit from another product of the key; odd numbers, from Parquet's specification.
const SALTS: [u32; 8] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

/// A block takes so many keys: one byte each.
const KEYS_PER_BLOCK: usize = 32;

/// The first layer has room for so many keys.
const FIRST_LAYER: usize = 1 << 18;

/// What is certainly not in the index is told from what may be.
#[derive(Debug)]
pub(crate) struct Filter {
    layers: Vec<Layer>,
}

/// Filters cannot grow: when one is full, another, as large as all before together, stands beside it.
#[derive(Debug)]
struct Layer {
    blocks: Vec<[u32; 8]>,
    room: usize,
}

impl Filter {
    /// A filter without keys, with room for so many before it needs a second layer.
    pub(crate) fn with_room(keys: usize) -> Self {
        Self {
            layers: vec![Layer::with_room(keys.max(FIRST_LAYER))],
        }
    }

    /// Takes in the holder of a coupon, by the hash of the user.
    pub(crate) fn insert(&mut self, user: u64, coupon: CouponId) {
        let full = self.layers.last().is_none_or(|layer| layer.room == 0);
        if full {
            let keys: usize = self
                .layers
                .iter()
                .map(|layer| layer.blocks.len() * KEYS_PER_BLOCK)
                .sum();
            self.layers.push(Layer::with_room(keys));
        }
        if let Some(layer) = self.layers.last_mut() {
            layer.insert(key(user, coupon));
        }
    }

    /// False only when the user certainly was not taken in with this coupon.
    pub(crate) fn may_have(&self, user: u64, coupon: CouponId) -> bool {
        let key = key(user, coupon);
        self.layers.iter().any(|layer| layer.may_have(key))
    }
}

/// Another hash of the same user for each coupon; the finalizer of splitmix64.
fn key(user: u64, coupon: CouponId) -> u64 {
    let mut key = user ^ u64::from(coupon.get()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    key = (key ^ key >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    key = (key ^ key >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ key >> 31
}

impl Layer {
    fn with_room(keys: usize) -> Self {
        let blocks = keys.div_ceil(KEYS_PER_BLOCK).max(1);
        Self {
            blocks: vec![[0; 8]; blocks],
            room: blocks * KEYS_PER_BLOCK,
        }
    }

    fn insert(&mut self, key: u64) {
        self.room = self.room.saturating_sub(1);
        let block = self.block(key);
        for (word, bit) in self.blocks[block].iter_mut().zip(bits(key)) {
            *word |= bit;
        }
    }

    fn may_have(&self, key: u64) -> bool {
        let block = &self.blocks[self.block(key)];
        block.iter().zip(bits(key)).all(|(word, bit)| word & bit != 0)
    }

    /// The upper half of the key, scaled to the number of blocks.
    fn block(&self, key: u64) -> usize {
        let blocks = self.blocks.len() as u64;
        let scaled = (u128::from(key) * u128::from(blocks)) >> 64;
        usize::try_from(scaled).expect("scaled to less than the number of blocks")
    }
}

/// The bit of each word, from the lower half of the key.
fn bits(key: u64) -> impl Iterator<Item = u32> {
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
    let lower = key as u32;
    SALTS
        .into_iter()
        .map(move |salt| 1 << (lower.wrapping_mul(salt) >> 27))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_taken_in_is_found_and_few_others_are() {
        let (one, other) = (CouponId::new(1).unwrap(), CouponId::new(2).unwrap());
        let mut filter = Filter::with_room(0);
        let user = |number: u64| key(number, CouponId::FIRST);
        let keys = 3 * FIRST_LAYER as u64;
        for number in 0..keys {
            filter.insert(user(number), one);
        }
        assert!((0..keys).all(|number| filter.may_have(user(number), one)));
        assert_eq!(filter.layers.len(), 3);
        let mistaken = (0..keys)
            .filter(|number| filter.may_have(user(*number), other))
            .count();
        assert!(mistaken < FIRST_LAYER * 3 / 10, "{mistaken} of {keys}");
    }
}
