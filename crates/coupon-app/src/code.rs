//! The code of an issued coupon: unique without a look-up, not guessable, and reversible by the server alone.
//!
//! A code is a keyed permutation of 60 bits, 28 of them the coupon's id and 32 the position, written as 12 characters
//! of Crockford's base 32. The permutation is a balanced Feistel network of ten rounds over two halves of 30 bits,
//! the construction and the number of rounds of NIST SP 800-38G's FF1, with SipHash-2-4 under a 128-bit key as the
//! round function. A permutation cannot collide, so codes are unique; and since only the issued part of 2^60 values
//! means anything, a guess hits with the probability of issued / 2^60.

use coupon_core::{CouponId, IssuedCouponId, Position};
use siphasher::sip::SipHasher24;
use std::fmt;
use std::hash::Hasher;
use std::str::FromStr;

const HALF_BITS: u32 = 30;
const HALF_MASK: u64 = (1 << HALF_BITS) - 1;
const ROUNDS: u8 = 10;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CHARACTERS: usize = 12;

/// The secret key of the permutation: made once, kept with the store and in its backups, never rotated.
#[derive(Clone)]
pub struct CodeKey {
    round: SipHasher24,
    idempotency: SipHasher24,
}

impl CodeKey {
    /// The permutation under these 128 random bits.
    pub fn new(key: [u8; 16]) -> Self {
        let mut other = key;
        other[0] ^= 0xa5;
        Self {
            round: SipHasher24::new_with_key(&key),
            idempotency: SipHasher24::new_with_key(&other),
        }
    }

    /// The code of an issued coupon.
    pub fn code(&self, id: IssuedCouponId) -> Code {
        let plain = u64::from(id.coupon.get()) << 32 | u64::from(id.position.get());
        let (mut left, mut right) = (plain >> HALF_BITS, plain & HALF_MASK);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.mix(round, right));
        }
        Code(left << HALF_BITS | right)
    }

    /// Which issued coupon has this code; `None` when it is nobody's, whatever is issued.
    pub fn reverse(&self, code: Code) -> Option<IssuedCouponId> {
        let (mut left, mut right) = (code.0 >> HALF_BITS, code.0 & HALF_MASK);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.mix(round, left), left);
        }
        let plain = left << HALF_BITS | right;
        let coupon = u32::try_from(plain >> 32)
            .ok()
            .and_then(|number| CouponId::new(number).ok())?;
        let position = Position::new(u32::try_from(plain & u64::from(u32::MAX)).ok()?)?;
        Some(IssuedCouponId { coupon, position })
    }

    /// The hash by which a ledger remembers an idempotency key, never zero.
    pub fn key_hash(&self, idempotency_key: &str) -> coupon_core::KeyHash {
        let mut hasher = self.idempotency;
        hasher.write(idempotency_key.as_bytes());
        coupon_core::KeyHash::new(hasher.finish()).unwrap_or(coupon_core::KeyHash::MIN)
    }

    fn mix(&self, round: u8, half: u64) -> u64 {
        let mut hasher = self.round;
        hasher.write_u64(half << 8 | u64::from(round));
        hasher.finish() & HALF_MASK
    }
}

impl fmt::Debug for CodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeKey(hidden)")
    }
}

/// A code, 60 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code(u64);

/// The text is not a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code has {CHARACTERS} characters of Crockford's base 32, such as 7ZQ4-K0M2-XW9D")]
pub struct CodeError;

impl Code {
    /// The twelve characters in three groups of four: `XXXX-XXXX-XXXX`, as ASCII.
    pub fn to_ascii(self) -> [u8; 14] {
        let mut text = [b'-'; 14];
        for index in 0..CHARACTERS {
            let shift = 5 * (CHARACTERS - 1 - index);
            let digit = usize::try_from(self.0 >> shift & 31).expect("five bits fit a usize");
            text[index + index / 4] = ALPHABET[digit];
        }
        text
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.to_ascii()).expect("the alphabet is ASCII"))
    }
}

impl FromStr for Code {
    type Err = CodeError;

    /// As people type it: in either case, with or without hyphens, O for 0 and I or L for 1.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > 2 * CHARACTERS {
            return Err(CodeError);
        }
        let mut bits = 0u64;
        let mut count = 0;
        for byte in text.bytes().filter(|&byte| byte != b'-') {
            let canonical = match byte.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            let digit = ALPHABET
                .iter()
                .position(|&letter| letter == canonical)
                .ok_or(CodeError)?;
            bits = bits << 5 | u64::try_from(digit).map_err(|_not_five_bits| CodeError)?;
            count += 1;
            if count > CHARACTERS {
                return Err(CodeError);
            }
        }
        if count == CHARACTERS {
            Ok(Self(bits))
        } else {
            Err(CodeError)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn id(coupon: u32, position: u32) -> IssuedCouponId {
        IssuedCouponId {
            coupon: CouponId::new(coupon).unwrap(),
            position: Position::new(position).unwrap(),
        }
    }

    proptest! {
        #[test]
        fn a_code_leads_back_to_its_issued_coupon(key: [u8; 16], coupon in 1u32..1 << 28, position in 1u32..) {
            let key = CodeKey::new(key);
            let code = key.code(id(coupon, position));
            prop_assert_eq!(key.reverse(code), Some(id(coupon, position)));
            prop_assert_eq!(code.to_string().parse(), Ok(code));
            prop_assert_eq!(code.to_string().to_lowercase().replace('-', "").parse(), Ok(code));
        }
    }

    #[test]
    fn codes_are_unique_depend_on_the_key_and_show_no_order() {
        let (one, two) = (CodeKey::new([1; 16]), CodeKey::new([2; 16]));
        let codes: Vec<String> = (1..=10_000).map(|n| one.code(id(1, n)).to_string()).collect();
        assert_eq!(codes.iter().collect::<HashSet<_>>().len(), codes.len());
        let same = (1..=10_000)
            .filter(|&n| one.code(id(1, n)) == two.code(id(1, n)))
            .count();
        assert_eq!(same, 0, "another key gives other codes");
        let rising = codes.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!(
            (4_700..5_300).contains(&rising),
            "neighbours' codes are in no order: {rising} of 9999 rise"
        );
        let shared = codes
            .windows(2)
            .filter(|pair| pair[0][..4] == pair[1][..4])
            .count();
        assert!(shared < 5, "neighbours' codes do not look alike: {shared}");
    }

    #[test]
    fn what_is_not_a_code_is_refused() {
        for text in [
            "",
            "0000",
            "0000-0000-000",
            "0000-0000-00000",
            "0000-0000-000U",
            "0000-0000-000é",
            "0000 0000 0000",
        ] {
            assert_eq!(text.parse::<Code>(), Err(CodeError), "{text:?}");
        }
        let long = "-".repeat(10_000);
        assert_eq!(long.parse::<Code>(), Err(CodeError));
        assert_eq!("oil0-0000-0000".parse::<Code>(), "0110-0000-0000".parse());
    }
}
