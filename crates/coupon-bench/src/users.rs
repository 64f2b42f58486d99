//! User ids for measuring: sixteen bytes, all different, in an order that no memory can guess.

use coupon_core::UserId;

/// Bytes of each id.
pub(crate) const USER_BYTES: usize = 16;

/// Every byte in two hexadecimal digits: making ids is to take no time from what is measured.
const PAIRS: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    pairs
};

/// The number that the id with this number is written from. Different numbers are mixed to different ones: each step
/// of the mixing can be undone (splitmix64; Steele, Lea and Flood, OOPSLA 2014).
pub(crate) fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Writes the id with this number: [`mixed`], in hexadecimal digits.
pub(crate) fn write(number: u64, to: &mut [u8; USER_BYTES]) {
    for (pair, byte) in to.chunks_exact_mut(2).zip(mixed(number).to_be_bytes()) {
        pair.copy_from_slice(&PAIRS[usize::from(byte)]);
    }
}

/// The same as a user id.
pub(crate) fn user(number: u64) -> UserId {
    let mut text = [0; USER_BYTES];
    write(number, &mut text);
    let text = std::str::from_utf8(&text).expect("digits are ASCII");
    UserId::parse(text).expect("sixteen digits are a user id")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_number_has_an_id_of_its_own_of_sixteen_bytes() {
        let ids: HashSet<UserId> = (0..10_000).map(user).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.as_bytes().len() == USER_BYTES));
    }
}
