//! `Idempotency-Key`: the same request again gives the same answer.

use crate::error::Problem;
use crate::limits::IDEMPOTENCY_KEY_BYTES;
use coupon_app::CommandToken;
use http::header::IF_MATCH;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Marks an answer that was given before.
pub(crate) const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// Its value.
pub(crate) const TRUE: HeaderValue = HeaderValue::from_static("true");

/// The key of a request: 1 to 255 visible ASCII characters, quoted or bare, which is the same key.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let malformed = Problem::InvalidHeader {
        header: "Idempotency-Key",
    };
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(malformed);
    }
    let Ok(text) = value.to_str() else {
        return Err(malformed);
    };
    let bare = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    let fits = (1..=IDEMPOTENCY_KEY_BYTES).contains(&bare.len());
    let visible = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
    if fits && bare.bytes().all(visible) {
        Ok(Some(bare))
    } else {
        Err(malformed)
    }
}

/// The token of a command: whose key for which path, and what was asked with it.
pub(crate) fn token(head: &Parts, body: &[u8], caller: &str) -> Result<Option<CommandToken>, Problem> {
    let Some(key) = key(&head.headers)? else {
        return Ok(None);
    };
    let if_match: Vec<&[u8]> = head
        .headers
        .get_all(IF_MATCH)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let if_match = if_match.join(&b","[..]);
    Ok(Some(CommandToken {
        scope: hash(&[caller.as_bytes(), head.uri.path().as_bytes(), key.as_bytes()]),
        payload: hash(&[head.method.as_str().as_bytes(), body, &if_match]),
    }))
}

/// 128 bits of SHA-256 over parts whose lengths are hashed with them, so that no two lists run together.
fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hasher.finalize()[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_quoted_or_bare_and_otherwise_refused() {
        let longest = "k".repeat(255);
        let too_long = "k".repeat(256);
        let quoted = format!("\"{longest}\"");
        for (given, expected) in [
            ("abc", Some("abc")),
            ("\"abc\"", Some("abc")),
            (&longest, Some(longest.as_str())),
            (&quoted, Some(longest.as_str())),
            (&too_long, None),
            ("", None),
            ("\"\"", None),
            ("\"abc", None),
            ("a b", None),
            ("a\tb", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_str(given).unwrap());
            assert_eq!(key(&headers).ok().flatten(), expected, "{given}");
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static("other"));
            assert!(key(&headers).is_err());
        }
        assert!(matches!(key(&HeaderMap::new()), Ok(None)));
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_ne!(hash(&[b"ab"]), hash(&[b"ab", b""]));
    }
}
