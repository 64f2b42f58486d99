//! Query strings of lists: `limit`, `cursor`, and what a list adds.

use crate::auth::{from_hex, hex};
use crate::error::Problem;
use crate::limits::{DEFAULT_PAGE, QUERY_BYTES};
use coupon_app::limits::MAX_PAGE;
use coupon_core::Timestamp;

/// A checked query string.
#[derive(Debug)]
pub(crate) struct Page<'q> {
    pub(crate) limit: usize,
    pub(crate) cursor: Option<Cursor>,
    /// The value of the list's own parameter.
    pub(crate) own: Option<std::borrow::Cow<'q, str>>,
}

/// Where a page begins: up to three numbers that mean something to their list alone. Clients see hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Which kind of list made it.
    pub(crate) list: u8,
    pub(crate) first: u64,
    pub(crate) second: u32,
}

const CURSOR_BYTES: usize = 14;

impl Cursor {
    pub(crate) fn text(self) -> String {
        let mut bytes = [0; CURSOR_BYTES];
        bytes[0] = self.list;
        bytes[1..9].copy_from_slice(&self.first.to_be_bytes());
        bytes[9..13].copy_from_slice(&self.second.to_be_bytes());
        bytes[13] = check(&bytes[..13]);
        hex(&bytes)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; CURSOR_BYTES];
        from_hex(text, &mut bytes)?;
        if check(&bytes[..13]) != bytes[13] {
            return None;
        }
        let (first, second) = (bytes[1..9].try_into().ok()?, bytes[9..13].try_into().ok()?);
        Some(Self {
            list: bytes[0],
            first: u64::from_be_bytes(first),
            second: u32::from_be_bytes(second),
        })
    }
}

/// Tells a mistyped cursor from a whole one. A cursor holds no secret and grants nothing, so it need not be signed.
fn check(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0xa5, |sum: u8, byte| sum.rotate_left(3) ^ byte)
}

impl<'q> Page<'q> {
    /// Reads a query string. `list` is the kind of list whose cursors are accepted; `own` is the name of the one
    /// parameter that it adds.
    pub(crate) fn read(query: Option<&'q str>, list: u8, own: Option<&str>) -> Result<Self, Problem> {
        let mut found = None;
        let mut page = Self::parse(query, list, false, &mut |name, value| {
            if Some(name) == own && found.is_none() {
                found = Some(value);
                return Some(());
            }
            None
        })?;
        page.own = found;
        Ok(page)
    }

    /// The same for a list that adds several parameters: `take` is given each, and says whether it is one of them and
    /// may have this value.
    pub(crate) fn read_with(
        query: Option<&'q str>,
        list: u8,
        take: &mut dyn FnMut(&str, &str) -> Option<()>,
    ) -> Result<Self, Problem> {
        Self::parse(query, list, false, &mut |name, value| take(name, &value))
    }

    /// The same for a list whose cursors are texts: `take` is given them too.
    pub(crate) fn read_own_cursor(
        query: Option<&'q str>,
        take: &mut dyn FnMut(&str, &str) -> Option<()>,
    ) -> Result<Self, Problem> {
        Self::parse(query, 0, true, &mut |name, value| take(name, &value))
    }

    fn parse(
        query: Option<&'q str>,
        list: u8,
        own_cursor: bool,
        take: &mut dyn FnMut(&str, std::borrow::Cow<'q, str>) -> Option<()>,
    ) -> Result<Self, Problem> {
        let mut page = Self {
            limit: DEFAULT_PAGE,
            cursor: None,
            own: None,
        };
        let query = query.unwrap_or_default();
        let invalid = |parameter: &str| Problem::InvalidParameter {
            parameter: parameter.to_owned(),
        };
        if query.len() > QUERY_BYTES {
            return Err(invalid(""));
        }
        let mut limit_seen = false;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            // This mark, which nobody means, stands where there was no UTF-8.
            if value.contains(char::REPLACEMENT_CHARACTER) {
                return Err(invalid(&name));
            }
            match &*name {
                "limit" if !limit_seen => {
                    limit_seen = true;
                    let plain = value.bytes().all(|byte| byte.is_ascii_digit());
                    let limit = value
                        .parse()
                        .ok()
                        .filter(|limit| plain && (1..=MAX_PAGE).contains(limit));
                    page.limit = limit.ok_or_else(|| invalid("limit"))?;
                }
                "cursor" if page.cursor.is_none() && !own_cursor => {
                    let cursor = Cursor::parse(&value).filter(|cursor| cursor.list == list);
                    page.cursor = Some(cursor.ok_or(Problem::InvalidCursor)?);
                }
                other => take(other, value).ok_or_else(|| invalid(other))?,
            }
        }
        Ok(page)
    }
}

/// An instant in a query string, RFC 3339.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    text.parse::<coupon_api::Time>().ok().map(|time| time.0)
}

/// Refuses any query: most paths take none, and a parameter that is ignored would mislead.
pub(crate) fn no_query(query: Option<&str>) -> Result<(), Problem> {
    match form_urlencoded::parse(query.unwrap_or_default().as_bytes()).next() {
        None => Ok(()),
        Some((name, _)) => Err(Problem::InvalidParameter {
            parameter: name.into_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_by_its_own_list_only() {
        let cursor = Cursor {
            list: 2,
            first: u64::MAX - 5,
            second: 77,
        };
        let text = cursor.text();
        assert_eq!(Cursor::parse(&text), Some(cursor));
        let query = format!("cursor={text}");
        assert_eq!(Page::read(Some(&query), 2, None).unwrap().cursor, Some(cursor));
        assert!(matches!(
            Page::read(Some(&query), 3, None),
            Err(Problem::InvalidCursor)
        ));
        let altered = text.replacen(&text[5..6], if &text[5..6] == "0" { "1" } else { "0" }, 1);
        for forged in [
            "",
            "00",
            "xyz",
            &text[1..],
            &altered,
            &text.to_uppercase().replace(char::is_numeric, "A"),
        ] {
            assert_eq!(Cursor::parse(forged), None, "{forged}");
        }
    }

    #[test]
    fn a_query_is_taken_whole_or_not_at_all() {
        let read = |query| Page::read(Some(query), 1, Some("state"));
        assert_eq!(read("").unwrap().limit, 100);
        assert_eq!(
            read("limit=1000&state=issued").unwrap().own.as_deref(),
            Some("issued")
        );
        for (query, parameter) in [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=-1", "limit"),
            ("limit=+1", "limit"),
            ("limit=1.0", "limit"),
            ("limit=", "limit"),
            ("limit=1&limit=1", "limit"),
            ("state=a&state=a", "state"),
            ("offset=1", "offset"),
            ("state=%ff", "state"),
            ("state=%ed%a0%80", "state"),
            ("Limit=1", "Limit"),
        ] {
            let Err(Problem::InvalidParameter { parameter: named }) = read(query) else {
                panic!("{query} was taken");
            };
            assert_eq!(named, parameter, "{query}");
        }
        assert!(no_query(None).is_ok() && no_query(Some("")).is_ok() && no_query(Some("a=1")).is_err());
    }
}
