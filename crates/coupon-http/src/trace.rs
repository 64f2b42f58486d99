//! W3C Trace Context, level 1: read, checked, and passed on in the span of the request.

use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::Span;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A valid `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceParent<'a> {
    pub(crate) trace_id: &'a str,
    pub(crate) parent_id: &'a str,
    pub(crate) flags: &'a str,
}

impl<'a> TraceParent<'a> {
    /// The one of the request. An invalid one is as none (section 4.3).
    pub(crate) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        Self::parse(value.to_str().ok()?)
    }

    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace_id, parent_id, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |text: &str, digits| {
            text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let zero = |text: &str| text.bytes().all(|byte| byte == b'0');
        let shaped = hex(version, 2) && hex(trace_id, 32) && hex(parent_id, 16) && hex(flags, 2);
        // Version ff is forbidden; version 00 has no more parts, later ones may.
        let version_fits = version != "ff" && (version != "00" || parts.next().is_none());
        (shaped && version_fits && !zero(trace_id) && !zero(parent_id)).then_some(Self {
            trace_id,
            parent_id,
            flags,
        })
    }
}

/// The span of a request: always there for who brings a trace, otherwise only where debugging is on, because the
/// issue path cannot afford one for everybody.
pub(crate) fn span(headers: &HeaderMap, request_id: &HeaderValue) -> Option<Span> {
    let request_id = || request_id.to_str().unwrap_or_default();
    let span = match TraceParent::of(headers) {
        Some(parent) => tracing::info_span!(
            "request",
            request_id = request_id(),
            trace_id = parent.trace_id,
            parent_id = parent.parent_id,
            trace_flags = parent.flags
        ),
        None => tracing::debug_span!("request", request_id = request_id()),
    };
    (!span.is_disabled()).then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_traceparent_is_passed_on() {
        let whole = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let parsed = TraceParent::parse(whole).unwrap();
        assert_eq!(parsed.trace_id, "0af7651916cd43dd8448eb211c80319c");
        assert_eq!((parsed.parent_id, parsed.flags), ("b7ad6b7169203331", "01"));
        assert!(TraceParent::parse("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more").is_some());
        for refused in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceParent::parse(refused), None, "{refused:?}");
        }
    }
}
