//! What HTTP itself says must be refused, before anybody looks at what is asked: a message that two readers could take
//! for two different ones.

use crate::error::Problem;
use http::header::{CONTENT_ENCODING, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Version};

/// Whether a message may be taken for what it says. hyper has refused what it cannot parse (docs/decisions/0027).
pub(super) fn check(version: Version, headers: &HeaderMap) -> Result<(), Problem> {
    let malformed = |header| Err(Problem::InvalidHeader { header });
    // RFC 9112, 3.2. HTTP/1.0 does not know Host, but whoever sends it sends one.
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_host(host.as_bytes()) => {}
        (None, _) if version < Version::HTTP_11 => {}
        (Some(_) | None, _) => return malformed("host"),
    }
    // RFC 9112, 6.1: no other coding is understood here, so the body would be taken for another one.
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => {}
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {}
        (Some(_), _) => return malformed("transfer-encoding"),
    }
    // RFC 9110, 8.4: nothing is decoded here.
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Problem::UnsupportedMediaType);
    }
    Ok(())
}

/// Whether this is a host and perhaps a port (RFC 3986, 3.2.2), of which an empty one is one too.
fn is_host(text: &[u8]) -> bool {
    let colon = text.iter().rposition(|&byte| byte == b':');
    // The colons of an address of version 6 stand in brackets.
    let (name, port) = match colon {
        Some(at) if !text[at..].contains(&b']') => (&text[..at], &text[at + 1..]),
        Some(_) | None => (text, &b""[..]),
    };
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte);
    let known = match name.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) {
        Some(address) => !address.is_empty() && address.iter().all(|byte| plain(byte) || *byte == b':'),
        None => {
            let mut pieces = name.split(|&byte| byte == b'%');
            let begins = pieces.next().is_none_or(|piece| piece.iter().all(plain));
            let escaped = |piece: &[u8]| {
                piece.len() >= 2 && piece[..2].iter().all(u8::is_ascii_hexdigit) && piece.iter().all(plain)
            };
            begins && pieces.all(escaped)
        }
    };
    known && port.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        for host in [
            "",
            "localhost",
            "shop.example:8080",
            "first_come:8080",
            "127.0.0.1:",
            "[::1]",
            "[2001:db8::1]:443",
            "xn--9t4b11yi5a.kr",
            "a%20b",
        ] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for none in [
            "a b", "a/b", "a,b:x", "a:b", "a:1:2", "u@a", "[::1", "::1", "[]", "[::1]x", "a?", "a#", "a%2",
            "a%zz", "a\"", "a\\", "http://a", "\u{e9}",
        ] {
            assert!(!is_host(none.as_bytes()), "{none}");
        }
    }
}
