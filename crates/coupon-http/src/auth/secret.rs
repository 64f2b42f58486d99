//! API keys as texts: `fck_<id>_<secret>`.

use coupon_app::{KeyRecord, Scope};
use coupon_core::Timestamp;
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

const PREFIX: &str = "fck_";
const ID_BYTES: usize = 8;
/// In hexadecimal 48 characters, which with SHA-256's padding is one block: half the work of two on every request.
const SECRET_BYTES: usize = 24;
/// What a key is made of.
pub(crate) const MATERIAL_BYTES: usize = ID_BYTES + SECRET_BYTES;

/// A whole API key: the public id and 192 secret bits. Only the SHA-256 of the secret is ever kept.
#[derive(Clone)]
pub struct ApiKeySecret {
    id: [u8; ID_BYTES],
    secret: [u8; SECRET_BYTES],
}

impl ApiKeySecret {
    /// A fresh one from the operating system's random numbers.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut material = [0; MATERIAL_BYTES];
        getrandom::fill(&mut material)?;
        Ok(Self::from_material(material))
    }

    /// The one that is made of these bytes, which must not be guessable.
    pub(crate) fn from_material(material: [u8; MATERIAL_BYTES]) -> Self {
        let mut key = Self {
            id: [0; ID_BYTES],
            secret: [0; SECRET_BYTES],
        };
        key.id.copy_from_slice(&material[..ID_BYTES]);
        key.secret.copy_from_slice(&material[ID_BYTES..]);
        key
    }

    /// Reads the written form; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = split(text)?;
        let mut key = Self {
            id: [0; ID_BYTES],
            secret: [0; SECRET_BYTES],
        };
        from_hex(id, &mut key.id)?;
        from_hex(secret, &mut key.secret)?;
        Some(key)
    }

    /// The public part.
    pub fn id(&self) -> Box<str> {
        hex(&self.id).into()
    }

    /// The written form, to be shown once.
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}_{}", hex(&self.id), hex(&self.secret))
    }

    /// What the store keeps of it.
    pub fn record(
        &self,
        name: &str,
        scopes: Vec<Scope>,
        created_at: Timestamp,
        expires_at: Option<Timestamp>,
    ) -> KeyRecord {
        KeyRecord {
            id: self.id(),
            name: name.into(),
            scopes,
            secret_hash: hash(hex(&self.secret).as_bytes()),
            created_at,
            expires_at,
            revoked_at: None,
            last_used_at: None,
        }
    }
}

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeySecret({}, hidden)", hex(&self.id))
    }
}

/// Id and secret of a text that is shaped like an API key.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    (id.len() == 2 * ID_BYTES && secret.len() == 2 * SECRET_BYTES).then_some((id, secret))
}

/// SHA-256, the only form in which a secret is kept.
pub(super) fn hash(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// Whether a secret has this hash, in a time that does not depend on either.
pub(super) fn matches(secret: &str, expected: &[u8; 32]) -> bool {
    equal(&hash(secret.as_bytes()), expected)
}

/// Whether two hashes are equal, in a time that does not depend on them. By words, because the barrier that keeps the
/// compiler from stopping early costs as much for a byte as for a word.
pub(super) fn equal(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let (one, _) = one.as_chunks::<8>();
    let (other, _) = other.as_chunks::<8>();
    let different = one.iter().zip(other).fold(0, |different, (one, other)| {
        different | (u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other))
    });
    different.ct_eq(&0).into()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// Fills `bytes` from lower-case hexadecimal digits.
pub(crate) fn from_hex(text: &str, bytes: &mut [u8]) -> Option<()> {
    if text.len() != 2 * bytes.len() {
        return None;
    }
    let digit = |character: u8| match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    };
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written_and_kept_as_a_hash() {
        let key = ApiKeySecret::generate().unwrap();
        let text = key.expose();
        assert_eq!(ApiKeySecret::parse(&text).unwrap().expose(), text);
        let record = key.record("n", vec![Scope::Issue], Timestamp::MIN, None);
        let (id, secret) = split(&text).unwrap();
        assert_eq!(id, &*record.id);
        assert!(matches(secret, &record.secret_hash));
        assert!(!matches(&secret.replace('0', "1"), &record.secret_hash) || !secret.contains('0'));
        assert!(!format!("{key:?}").contains(secret));
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        let whole = ApiKeySecret::generate().unwrap().expose();
        for text in [
            "",
            "fck_",
            "fck__",
            &whole[1..],
            &whole[..whole.len() - 1],
            &whole.to_uppercase(),
            &format!("{whole}0"),
        ] {
            assert!(ApiKeySecret::parse(text).is_none(), "{text}");
        }
    }
}
