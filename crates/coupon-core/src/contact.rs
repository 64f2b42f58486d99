//! How a person is reached: an address for mail, a name, a language. Kept apart from everything that is decided.

use crate::limits::{MAX_EMAIL_BYTES, MAX_PERSON_NAME_BYTES};
use crate::text::check_text;
use std::fmt;

/// An address for mail in its plain form: `local@domain`, ASCII, at most 254 bytes, without quoting or comments, so that
/// nothing in it can be taken for more than an address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(Box<str>);

/// The text is no address for mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address for mail is name@domain in ASCII, at most {MAX_EMAIL_BYTES} bytes")]
pub struct EmailAddressError;

impl EmailAddress {
    /// Checks a text and makes it an address. Whether anybody reads what is sent there, nobody knows.
    pub fn parse(text: impl Into<Box<str>>) -> Result<Self, EmailAddressError> {
        let text = text.into();
        let (local, domain) = text.split_once('@').ok_or(EmailAddressError)?;
        let in_atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
        let atom = |part: &str| !part.is_empty() && part.bytes().all(in_atom);
        let label = |part: &str| {
            (1..=63).contains(&part.len())
                && !part.starts_with('-')
                && !part.ends_with('-')
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let sound = text.len() <= MAX_EMAIL_BYTES
            && local.len() <= 64
            && local.split('.').all(atom)
            && domain.split('.').all(label);
        if sound {
            Ok(Self(text))
        } else {
            Err(EmailAddressError)
        }
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the `@`.
    pub fn domain(&self) -> &str {
        self.0.split_once('@').map_or("", |(_local, domain)| domain)
    }
}

/// Addresses of people stand in no log.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(..)")
    }
}

/// What a person is called in a mail: 1 to 200 bytes of UTF-8 without control or bidirectional-control characters.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(Box<str>);

/// The text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {MAX_PERSON_NAME_BYTES} bytes without control characters")]
pub struct PersonNameError;

impl PersonName {
    /// Checks a text and makes it a name.
    pub fn parse(text: impl Into<Box<str>>) -> Result<Self, PersonNameError> {
        let text = text.into();
        match check_text(&text, MAX_PERSON_NAME_BYTES) {
            Ok(()) => Ok(Self(text)),
            Err(_why) => Err(PersonNameError),
        }
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names of people stand in no log.
impl fmt::Debug for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonName(..)")
    }
}

/// A language that people are written to in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// English.
    English,
    /// Korean.
    Korean,
}

impl Language {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::English, Self::Korean];

    /// Its ISO 639 code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Korean => "ko",
        }
    }

    /// The language of a tag such as `ko` or `ko-KR`; `None` for any other.
    pub fn parse(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        Self::ALL
            .into_iter()
            .find(|language| language.code().eq_ignore_ascii_case(primary))
    }
}

/// How a person is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Where to.
    pub email: EmailAddress,
    /// What the person is called, if known.
    pub name: Option<PersonName>,
    /// The person's language, if known.
    pub language: Option<Language>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_can_carry_nothing_but_an_address() {
        let longest_local = format!("{}@example.com", "a".repeat(64));
        for accepted in [
            "a@b",
            "first.last+tag@mail.example.com",
            "o'brien@example.com",
            "x@xn--9n2bp8q.example",
            longest_local.as_str(),
        ] {
            assert_eq!(EmailAddress::parse(accepted).unwrap().as_str(), accepted);
        }
        let long_local = format!("a{longest_local}");
        let long_domain = format!("a@{}com", "abcdefg.".repeat(32));
        for refused in [
            "",
            "a",
            "@b",
            "a@",
            "a@b@c",
            ".a@b",
            "a.@b",
            "a..b@c",
            "a b@c",
            "a@b c",
            "\"a\"@b",
            "a@[127.0.0.1]",
            "a@-b",
            "a@b-",
            "a@b..c",
            "a@b.",
            "A <a@b>",
            "a@b,c@d",
            "a@b\r\nBcc: c@d",
            "a@b\nBcc: c@d",
            "a\0@b",
            "쿠폰@example.com",
            long_local.as_str(),
            long_domain.as_str(),
        ] {
            assert_eq!(
                EmailAddress::parse(refused),
                Err(EmailAddressError),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn a_name_has_no_line_to_break() {
        assert_eq!(
            PersonName::parse("김쿠폰, \"KC\"").unwrap().as_str(),
            "김쿠폰, \"KC\""
        );
        let too_long = "n".repeat(201);
        for refused in [
            "",
            "a\r\nBcc: b@c",
            "a\nb",
            "a\u{85}b",
            "a\u{202e}b",
            too_long.as_str(),
        ] {
            assert_eq!(PersonName::parse(refused), Err(PersonNameError), "{refused:?}");
        }
    }

    #[test]
    fn a_language_is_known_by_its_tag() {
        for (tag, expected) in [
            ("ko", Some(Language::Korean)),
            ("ko-KR", Some(Language::Korean)),
            ("EN-gb", Some(Language::English)),
            ("fr", None),
            ("", None),
            ("kor", None),
        ] {
            assert_eq!(Language::parse(tag), expected, "{tag:?}");
        }
    }

    #[test]
    fn a_person_shows_in_no_debug_output() {
        let contact = Contact {
            email: EmailAddress::parse("a@example.com").unwrap(),
            name: Some(PersonName::parse("Kim").unwrap()),
            language: None,
        };
        let shown = format!("{contact:?}");
        assert!(!shown.contains("example") && !shown.contains("Kim"), "{shown}");
    }
}
