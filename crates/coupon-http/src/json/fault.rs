//! What is wrong with a document, and where.

use serde::de;
use std::fmt;

/// The first mistake that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(super) kind: Kind,
    /// From the innermost field outwards.
    path: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Unknown,
    Repeated,
    Missing,
    /// Not what was expected.
    Type(String),
}

impl Fault {
    fn at(kind: Kind, field: &str) -> Self {
        Self {
            kind,
            path: vec![field.to_owned()],
        }
    }

    pub(super) fn repeated(field: &str) -> Self {
        Self::at(Kind::Repeated, field)
    }

    pub(super) fn wrong_type(expected: impl fmt::Display) -> Self {
        Self {
            kind: Kind::Type(expected.to_string()),
            path: Vec::new(),
        }
    }

    /// The same mistake, seen from one level further out.
    pub(super) fn inside(mut self, field: &str) -> Self {
        self.path.push(field.to_owned());
        self
    }

    /// The field as a dotted path.
    pub(crate) fn path(&self) -> String {
        let outside_in: Vec<&str> = self.path.iter().rev().map(String::as_str).collect();
        outside_in.join(".")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}", self.kind, self.path())
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::wrong_type(message)
    }

    fn invalid_type(_found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::wrong_type(expected)
    }

    fn invalid_value(_found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::wrong_type(expected)
    }

    fn unknown_variant(_found: &str, expected: &'static [&'static str]) -> Self {
        Self::wrong_type(format_args!("one of {}", expected.join(", ")))
    }

    fn unknown_field(field: &str, _expected: &'static [&'static str]) -> Self {
        Self::at(Kind::Unknown, field)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::at(Kind::Missing, field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::at(Kind::Repeated, field)
    }
}
