//! The `Retry-After` of an answer.

use coupon_core::{Span, Timestamp};
use jiff::fmt::rfc2822;

/// How long the header asks to wait, counted from `now`: seconds, or a date (RFC 9110). `None` for what is neither, and
/// for a date that has passed.
pub(crate) fn retry_after(header: &str, now: Timestamp) -> Option<Span> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than the type holds is more than anybody waits; the caller puts the bound.
        return Some(Span::from_secs(header.parse().unwrap_or(u32::MAX)));
    }
    let at = rfc2822::DateTimeParser::new().parse_timestamp(header).ok()?;
    Span::from_micros(at.as_microsecond().checked_sub(now.as_micros())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_as_seconds_or_as_a_date() {
        // 1994-11-06T08:49:30Z
        let now = Timestamp::from_micros(784_111_770_000_000).unwrap();
        for (header, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999999999999999", Some(u32::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:49:29 GMT", None),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            assert_eq!(
                retry_after(header, now),
                expected.map(Span::from_secs),
                "{header:?}"
            );
        }
    }
}
