//! Whole numbers on the wire.

use serde::{Deserialize, Deserializer, de};
use std::fmt;
use utoipa::ToSchema;

/// A JSON number that should be whole and not negative. Any JSON number is read, because a wrong value (422) is not a
/// wrong type (400); [`Whole::get`] says whether it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = u64)]
pub struct Whole(Option<u64>);

impl Whole {
    /// The number, unless it is negative, has a fraction, or is beyond 2^64-1.
    pub const fn get(self) -> Option<u64> {
        self.0
    }
}

impl From<u64> for Whole {
    fn from(number: u64) -> Self {
        Self(Some(number))
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Whole, E> {
                Ok(Whole(Some(number)))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Whole, E> {
                Ok(Whole(u64::try_from(number).ok()))
            }

            fn visit_f64<E: de::Error>(self, _written_with_a_point_or_too_large: f64) -> Result<Whole, E> {
                Ok(Whole(None))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_that_are_not_negative_have_a_value() {
        let read = |text| serde_json::from_str::<Whole>(text).unwrap().get();
        assert_eq!(
            [read("0"), read("7"), read("18446744073709551615")],
            [Some(0), Some(7), Some(u64::MAX)]
        );
        for without in ["-1", "1.5", "1.0", "1e3", "18446744073709551616", "-0.0"] {
            assert_eq!(read(without), None, "{without}");
        }
        for other in ["\"1\"", "null", "true", "[]", "{}"] {
            assert!(serde_json::from_str::<Whole>(other).is_err(), "{other}");
        }
    }
}
