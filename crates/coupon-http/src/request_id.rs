//! `x-request-id`: by which a client, a log line and a trace find each other.

use crate::auth;
use crate::ink::Ink;
use crate::limits::REQUEST_ID_BYTES;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where it stands.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request at hand, among its extensions.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) HeaderValue);

impl RequestId {
    /// The id in these extensions. Every request that is routed has one.
    pub(crate) fn of(extensions: &http::Extensions) -> Box<str> {
        let id = extensions.get::<Self>().and_then(|id| id.0.to_str().ok());
        id.unwrap_or_default().into()
    }
}

/// Makes request ids for one event loop: a random beginning and a count, which costs no random number per request.
#[derive(Debug)]
pub(crate) struct RequestIds {
    prefix: [u8; 16],
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut random = [0; 8];
        getrandom::fill(&mut random)?;
        let mut prefix = [b'0'; 16];
        prefix.copy_from_slice(auth::hex(&random).as_bytes());
        Ok(Self {
            prefix,
            next: AtomicU64::new(1),
        })
    }

    /// The client's own id, if it is a sane one, or a new one.
    pub(crate) fn of(&self, headers: &HeaderMap, ink: &Ink) -> HeaderValue {
        match headers.get(X_REQUEST_ID) {
            Some(given) if is_sane(given.as_bytes()) => given.clone(),
            _ => self.fresh(ink),
        }
    }

    fn fresh(&self, ink: &Ink) -> HeaderValue {
        let mut number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut text = [b'-'; 27];
        text[..16].copy_from_slice(&self.prefix);
        for place in text[17..].iter_mut().rev() {
            *place = b"0123456789abcdef"[usize::from(number.to_le_bytes()[0] & 15)];
            number >>= 4;
        }
        let text = ink.write(|out| out.extend_from_slice(&text));
        HeaderValue::from_maybe_shared(text).expect("hexadecimal digits and a hyphen may stand in a header")
    }
}

/// Short, and of characters that can do no harm in a log or a page.
fn is_sane(id: &[u8]) -> bool {
    let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(byte);
    !id.is_empty() && id.len() <= REQUEST_ID_BYTES && id.iter().all(harmless)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sane_id_is_taken_over_and_any_other_replaced() {
        let (ids, ink) = (RequestIds::new().unwrap(), Ink::new());
        let long = "x".repeat(129);
        for (given, kept) in [
            ("req-1", true),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            ("<x>", false),
            (&long, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(X_REQUEST_ID, HeaderValue::from_str(given).unwrap());
            assert_eq!(ids.of(&headers, &ink) == given, kept, "{given:?}");
        }
    }

    #[test]
    fn fresh_ids_differ() {
        let (one, other) = (RequestIds::new().unwrap(), RequestIds::new().unwrap());
        let ink = Ink::new();
        let ids = [one.fresh(&ink), one.fresh(&ink), other.fresh(&ink)];
        assert!(ids[0] != ids[1] && ids[0] != ids[2]);
        assert!(is_sane(ids[0].as_bytes()));
    }
}
