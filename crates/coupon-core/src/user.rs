//! Who asks: a user id as the shop gave it, byte for byte.

use crate::limits::MAX_USER_ID_BYTES;
use crate::text::{TextError, check_text};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A user id: 1 to 128 bytes of UTF-8 without control or bidirectional-control characters.
///
/// Two ids are the same user exactly when their bytes are equal: no case folding, no Unicode normalisation.
/// `Debug` hides the text, because a user id is personal data and must not reach a log by accident.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(Box<str>);

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
    pub fn parse(text: impl Into<Box<str>>) -> Result<Self, UserIdError> {
        let text = text.into();
        Self::check(&text)?;
        Ok(Self(text))
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
        &self.0
    }

    /// The bytes that identify the user.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserId({} bytes)", self.0.len())
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
        user.0.into()
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
