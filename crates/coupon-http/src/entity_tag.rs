//! `ETag` and `If-Match` (RFC 9110, 13.1.1): a coupon's revision is its tag.

use crate::error::Problem;
use coupon_core::Revision;
use http::header::IF_MATCH;
use http::{HeaderMap, HeaderValue};

/// The tag of a revision.
pub(crate) fn tag(revision: Revision) -> HeaderValue {
    HeaderValue::try_from(format!("\"{revision}\"")).expect("digits in quotes may stand in a header")
}

/// The revision that the caller takes for the present one; `None` when any will do. `present` chooses among several.
/// A tag that no revision has, a weak one among them, is the revision 0, which is never present.
pub(crate) fn if_match(headers: &HeaderMap, present: Option<Revision>) -> Result<Option<Revision>, Problem> {
    let malformed = || Problem::InvalidHeader { header: "If-Match" };
    let mut named: Option<Revision> = None;
    for value in headers.get_all(IF_MATCH) {
        for tag in value
            .to_str()
            .map_err(|_not_ascii| malformed())?
            .split(',')
            .map(str::trim)
        {
            if tag == "*" {
                return Ok(None);
            }
            let revision = revision_of(tag).ok_or_else(malformed)?;
            if named.is_none() || Some(revision) == present {
                named = Some(revision);
            }
        }
    }
    Ok(named)
}

fn revision_of(tag: &str) -> Option<Revision> {
    let (weak, opaque) = match tag.strip_prefix("W/") {
        Some(rest) => (true, rest),
        None => (false, tag),
    };
    let inner = opaque.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('"') {
        return None;
    }
    Some(match inner.parse() {
        Ok(revision) if !weak && !inner.starts_with(['+', '0']) => revision,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_a_revision_or_one_that_never_is() {
        for (text, expected) in [
            ("\"3\"", Some(Some(3))),
            ("*", Some(None)),
            ("W/\"3\"", Some(Some(0))),
            ("\"abc\"", Some(Some(0))),
            ("\"03\"", Some(Some(0))),
            ("\"1\", \"7\"", Some(Some(7))),
            ("\"1\", \"2\"", Some(Some(1))),
            ("3", None),
            ("\"3", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(IF_MATCH, HeaderValue::from_static(text));
            assert_eq!(if_match(&headers, Some(7)).ok(), expected, "{text}");
        }
        assert!(matches!(if_match(&HeaderMap::new(), None), Ok(None)));
        assert_eq!(tag(12), "\"12\"");
    }
}
