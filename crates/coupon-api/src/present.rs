//! Optional fields that may be left out but not be null, and fields where null means something.

use serde::{Deserialize, Deserializer};

/// Reads a field that may be absent (with `#[serde(default)]`) but, if there, must have its type: null is a wrong type.
pub(crate) fn not_null<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Reads a field in which absence and null mean different things: `None` and `Some(None)`.
pub(crate) fn nullable<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}
