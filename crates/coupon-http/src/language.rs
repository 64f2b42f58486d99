//! Which language a client wants to read: English unless it prefers Korean.

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

/// The languages that titles and details are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Korean,
}

impl Language {
    /// The one that `Accept-Language` (RFC 9110, 12.5.4) ranks highest, the earlier of equals; English when it names
    /// neither or is no such list.
    pub(crate) fn preferred(headers: &HeaderMap) -> Self {
        let mut best = (Self::English, 0);
        let texts = headers
            .get_all(ACCEPT_LANGUAGE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        for range in texts.flat_map(|text| text.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default();
            let primary = tag.split('-').next().unwrap_or_default();
            let language = if primary.eq_ignore_ascii_case("ko") {
                Self::Korean
            } else if primary.eq_ignore_ascii_case("en") {
                Self::English
            } else {
                continue;
            };
            let weight = parts
                .find_map(|part| part.strip_prefix("q="))
                .map_or(1_000, thousandths);
            if weight > best.1 {
                best = (language, weight);
            }
        }
        best.0
    }

    /// Its tag for `Content-Language`.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Korean => "ko",
        }
    }
}

/// A weight from 0 to 1 in thousandths; what is none counts as 0.
fn thousandths(text: &str) -> u32 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "1" => 1_000,
        "0" if digits => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_highest_ranked_language_wins_and_english_when_there_is_none() {
        for (text, language) in [
            ("", Language::English),
            ("ko", Language::Korean),
            ("ko-KR", Language::Korean),
            ("KO-kr,ko;q=0.9,en-US;q=0.8,en;q=0.7", Language::Korean),
            ("en-US,en;q=0.9,ko;q=0.8", Language::English),
            ("en;q=0.5, ko;q=0.75", Language::Korean),
            ("ko;q=0", Language::English),
            ("ko;q=0, en", Language::English),
            ("fr, ko;q=0.1", Language::Korean),
            ("*", Language::English),
            ("kok", Language::English),
            ("ko;q=high", Language::English),
            (",,;;q=,=", Language::English),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_str(text).unwrap());
            assert_eq!(Language::preferred(&headers), language, "{text:?}");
        }
    }
}
