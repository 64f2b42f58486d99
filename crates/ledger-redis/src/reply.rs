//! Taking replies apart.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the kinds of values are another crate's, and whatever is not expected is nonsense"
)]

use crate::error::RedisTrouble;
use redis::Value;

/// The elements of an array.
pub(crate) fn array(value: Value) -> Result<Vec<Value>, RedisTrouble> {
    match value {
        Value::Array(items) | Value::Set(items) => Ok(items),
        Value::Nil => Ok(Vec::new()),
        _ => Err(RedisTrouble::Nonsense("an array was expected")),
    }
}

/// A value, or nothing.
pub(crate) fn optional(value: Value) -> Option<Value> {
    match value {
        Value::Nil => None,
        value => Some(value),
    }
}

/// The entries of the one stream that was read: a map of streams, or an array of pairs, or nothing.
pub(crate) fn entries_of_one(value: Value) -> Result<Value, RedisTrouble> {
    match value {
        Value::Array(streams) => match streams.into_iter().next() {
            Some(stream) => Ok(array(stream)?.into_iter().nth(1).unwrap_or_default()),
            None => Ok(Value::Nil),
        },
        other => Ok(pairs(other)?
            .into_iter()
            .next()
            .map(|(_, entries)| entries)
            .unwrap_or_default()),
    }
}

/// Names and values, or nothing where an empty text stands for it.
pub(crate) fn pairs_if_any(value: Value) -> Result<Vec<(Value, Value)>, RedisTrouble> {
    match value {
        Value::BulkString(empty) if empty.is_empty() => Ok(Vec::new()),
        value => pairs(value),
    }
}

/// Names and values, whether the server sends them as a map or as a flat array.
pub(crate) fn pairs(value: Value) -> Result<Vec<(Value, Value)>, RedisTrouble> {
    match value {
        Value::Map(pairs) => Ok(pairs),
        Value::Array(flat) => {
            let mut pairs = Vec::with_capacity(flat.len() / 2);
            let mut flat = flat.into_iter();
            while let (Some(name), Some(value)) = (flat.next(), flat.next()) {
                pairs.push((name, value));
            }
            Ok(pairs)
        }
        Value::Nil => Ok(Vec::new()),
        _ => Err(RedisTrouble::Nonsense("names and values were expected")),
    }
}

/// Bytes.
pub(crate) fn bytes(value: Value) -> Result<Vec<u8>, RedisTrouble> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Ok(text.into_bytes()),
        Value::Int(number) => Ok(number.to_string().into_bytes()),
        Value::Okay => Ok(b"OK".to_vec()),
        _ => Err(RedisTrouble::Nonsense("bytes were expected")),
    }
}

/// Text.
pub(crate) fn text(value: Value) -> Result<String, RedisTrouble> {
    String::from_utf8(bytes(value)?).map_err(|_not_utf8| RedisTrouble::Nonsense("text was expected"))
}

/// A number, sent as one or as text.
pub(crate) fn number(value: Value) -> Result<i64, RedisTrouble> {
    match value {
        Value::Int(number) => Ok(number),
        other => text(other)?
            .parse()
            .map_err(|_no_number| RedisTrouble::Nonsense("a number was expected")),
    }
}

/// A position, count, epoch or revision.
pub(crate) fn small(value: Value) -> Result<u32, RedisTrouble> {
    u32::try_from(number(value)?)
        .map_err(|_too_large| RedisTrouble::Nonsense("a number between 0 and 2^32-1 was expected"))
}

/// A reply of a script: fields one after the other.
#[derive(Debug)]
pub(crate) struct Fields(std::vec::IntoIter<Value>);

impl Fields {
    pub(crate) fn of(value: Value) -> Result<Self, RedisTrouble> {
        Ok(Self(array(value)?.into_iter()))
    }

    pub(crate) fn value(&mut self) -> Result<Value, RedisTrouble> {
        self.0
            .next()
            .ok_or(RedisTrouble::Nonsense("the reply is too short"))
    }

    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, RedisTrouble> {
        bytes(self.value()?)
    }

    pub(crate) fn text(&mut self) -> Result<String, RedisTrouble> {
        text(self.value()?)
    }

    pub(crate) fn small(&mut self) -> Result<u32, RedisTrouble> {
        small(self.value()?)
    }
}
