//! Content types of requests.

use crate::error::Problem;
use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// A body must be JSON.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    require(headers, &["application/json"])
}

/// A change may also call itself what it is (RFC 7396).
pub(crate) fn require_json_or_merge_patch(headers: &HeaderMap) -> Result<(), Problem> {
    require(headers, &["application/json", "application/merge-patch+json"])
}

fn require(headers: &HeaderMap, accepted: &[&str]) -> Result<(), Problem> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Problem::UnsupportedMediaType);
    };
    // Almost everybody writes it so.
    if value == "application/json" {
        return Ok(());
    }
    let text = value
        .to_str()
        .map_err(|_not_ascii| Problem::UnsupportedMediaType)?;
    let mut parts = text.split(';');
    let essence = parts.next().unwrap_or_default().trim();
    let known = accepted
        .iter()
        .any(|accepted| essence.eq_ignore_ascii_case(accepted));
    // JSON is UTF-8 (RFC 8259, 8.1); a client that says otherwise means another text than we would read.
    let utf_8 = parts
        .filter_map(|part| part.trim().split_once('='))
        .all(|(name, value)| {
            !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        });
    if known && utf_8 {
        Ok(())
    } else {
        Err(Problem::UnsupportedMediaType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn json_is_accepted_under_its_own_name_only() {
        for (text, accepted) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/json;charset=\"UTF-8\"", true),
            ("application/json; charset=latin1", false),
            ("application/jsonp", false),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(text));
            assert_eq!(require_json(&headers).is_ok(), accepted, "{text}");
            headers.append(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            assert!(require_json(&headers).is_err());
        }
        assert!(require_json(&HeaderMap::new()).is_err());
    }
}
