//! Who asks: a user id as the shop gave it, byte for byte.

use crate::limits::MAX_USER_ID_BYTES;
use crate::text::{TextError, check_text};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A user id: 1 to 128 bytes of UTF-8 without control or bidirectional-control characters.
///
/// Two ids are the same user exactly when their bytes are equal: no case folding, no Unicode normalisation.
/// `Debug` hides the text, because a user id is personal data and must not reach a log by accident.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(Text);

/// Most ids are short: those keep their bytes in place, because at a million issues a second one allocation each, freed
/// on another thread, is a tenth of the work.
#[derive(Clone)]
enum Text {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Box<str>),
}

/// As many bytes as fit where a long id's pointer and length would stand.
const SHORT: usize = 22;

/// Why a text is not a user id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserIdError {
    /// Nothing in it.
    #[error("a user id must not be empty")]
    Empty,
    /// More than 128 bytes.
    #[error("a user id must not be longer than {MAX_USER_ID_BYTES} bytes of UTF-8")]
    TooLong,
    /// A control character (including NUL) or a bidirectional control, which would let one id pass for another.
    #[error("a user id must not contain control or bidirectional-control characters")]
    ForbiddenCharacter,
}

impl UserId {
    /// Checks a text and makes it a user id.
    pub fn parse(text: impl AsRef<str>) -> Result<Self, UserIdError> {
        let text = text.as_ref();
        Self::check(text)?;
        let mut bytes = [0; SHORT];
        let (Some(place), Ok(length)) = (bytes.get_mut(..text.len()), u8::try_from(text.len())) else {
            return Ok(Self(Text::Long(text.into())));
        };
        place.copy_from_slice(text.as_bytes());
        Ok(Self(Text::Short { length, bytes }))
    }

    fn check(text: &str) -> Result<(), UserIdError> {
        check_text(text, MAX_USER_ID_BYTES).map_err(|error| match error {
            TextError::Empty => UserIdError::Empty,
            TextError::TooLong => UserIdError::TooLong,
            TextError::ForbiddenCharacter => UserIdError::ForbiddenCharacter,
        })
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Short { .. } => {
                std::str::from_utf8(self.as_bytes()).expect("it was a text when it came in")
            }
            Text::Long(text) => text,
        }
    }

    /// The bytes that identify the user.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Short { length, bytes } => &bytes[..usize::from(*length)],
            Text::Long(text) => text.as_bytes(),
        }
    }
}

impl PartialEq for UserId {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for UserId {}

impl PartialOrd for UserId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for UserId {
    /// By bytes, as the stores order them.
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for UserId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserId({} bytes)", self.as_bytes().len())
    }
}

impl TryFrom<String> for UserId {
    type Error = UserIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

impl From<UserId> for String {
    fn from(user: UserId) -> Self {
        match user.0 {
            Text::Short { .. } => user.as_str().to_owned(),
            Text::Long(text) => text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_is_kept_byte_for_byte_or_refused_with_the_reason() {
        let longest = "x".repeat(128);
        for accepted in [
            "a",
            "A",
            "user-1",
            " ",
            "홍길동",
            "é",
            "e\u{301}",
            "🙂",
            longest.as_str(),
        ] {
            assert_eq!(UserId::parse(accepted).unwrap().as_str(), accepted);
        }
        let too_long = "x".repeat(129);
        let too_many_bytes = "한".repeat(43);
        for (refused, reason) in [
            ("", UserIdError::Empty),
            (too_long.as_str(), UserIdError::TooLong),
            (too_many_bytes.as_str(), UserIdError::TooLong),
            ("a\0b", UserIdError::ForbiddenCharacter),
            ("a\n", UserIdError::ForbiddenCharacter),
            ("\u{7f}", UserIdError::ForbiddenCharacter),
            ("a\u{85}b", UserIdError::ForbiddenCharacter),
            ("a\u{202e}b", UserIdError::ForbiddenCharacter),
            ("\u{2066}a", UserIdError::ForbiddenCharacter),
            ("\u{200f}a", UserIdError::ForbiddenCharacter),
        ] {
            assert_eq!(UserId::parse(refused), Err(reason), "{refused:?}");
        }
    }

    #[test]
    fn ids_that_differ_in_case_or_unicode_form_are_different_users() {
        let parse = |text: &str| UserId::parse(text).unwrap();
        assert_ne!(parse("kim"), parse("Kim"));
        assert_ne!(parse("é"), parse("e\u{301}"));
    }
}
