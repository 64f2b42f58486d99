//! The text of one round trip: statements in which every value is a number or hexadecimal digits.
//!
//! Values never appear as text, so nothing in them can end a literal. The text protocol lets one round trip carry
//! several statements, which prepared statements cannot.

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};
use std::fmt::Write;

/// Statements under construction.
#[derive(Debug, Default)]
pub(crate) struct Script {
    text: String,
    statements: usize,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Begins a statement with this text.
    pub(crate) fn statement(&mut self, text: &'static str) -> &mut Self {
        if self.statements > 0 {
            self.text.push(';');
        }
        self.statements += 1;
        self.sql(text)
    }

    /// Goes on with this text.
    pub(crate) fn sql(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// A whole number.
    pub(crate) fn number(&mut self, number: impl Into<i128>) -> &mut Self {
        write!(self.text, "{}", number.into()).expect("writing to a string cannot fail");
        self
    }

    /// A whole number, or NULL.
    pub(crate) fn optional(&mut self, number: Option<impl Into<i128>>) -> &mut Self {
        match number {
            Some(number) => self.number(number),
            None => self.sql("NULL"),
        }
    }

    /// Bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.text.reserve(bytes.len() * 2 + 3);
        self.text.push_str("x'");
        for byte in bytes {
            self.text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            self.text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        self.text.push('\'');
        self
    }

    /// Text, as UTF-8.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.sql("_utf8mb4 ").bytes(text.as_bytes())
    }

    /// Text, or NULL.
    pub(crate) fn optional_text(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.sql("NULL"),
        }
    }

    /// How long it is, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// How many statements it has.
    pub(crate) fn statements(&self) -> usize {
        self.statements
    }

    /// The text, to be sent.
    pub(crate) fn into_sql(self) -> SqlStr {
        AssertSqlSafe(self.text).into_sql_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_number_or_hexadecimal_digits() {
        let mut script = Script::new();
        script
            .statement("SELECT ")
            .number(u64::MAX)
            .sql(", ")
            .number(-1_i64)
            .sql(", ")
            .optional(None::<i64>)
            .statement("SELECT ")
            .bytes(b"'\\;\0\xff")
            .sql(", ")
            .text("';한");
        assert_eq!(script.statements(), 2);
        assert_eq!(
            script.into_sql().as_str(),
            "SELECT 18446744073709551615, -1, NULL;SELECT x'275c3b00ff', _utf8mb4 x'273bed959c'"
        );
    }
}
