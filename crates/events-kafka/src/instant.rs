//! Instants in events: RFC 3339 in UTC with microseconds, in one written form only.

use coupon_core::Timestamp;
use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;

/// An instant. Written through the calendar, because a timestamp of jiff ends hours before ours does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instant(pub(crate) Timestamp);

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = SignedDuration::from_micros(self.0.as_micros());
        let civil = EPOCH
            .checked_add(since)
            .expect("a timestamp lies before the end of the year 9999");
        write!(f, "{civil:.6}Z")
    }
}

impl Instant {
    fn read(text: &str) -> Option<Self> {
        let civil: DateTime = text.strip_suffix('Z')?.parse().ok()?;
        let micros = i64::try_from(civil.duration_since(EPOCH).as_micros()).ok()?;
        let read = Self(Timestamp::from_micros(micros)?);
        (read.to_string() == text).then_some(read)
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        Self::read(&text)
            .ok_or_else(|| de::Error::custom("a time such as 2026-11-20T00:00:00.000000Z expected"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_has_one_written_form_from_the_first_to_the_last() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_800_000_000_000_001, "2027-01-15T08:00:00.000001Z"),
            (Timestamp::MAX.as_micros(), "9999-12-31T23:59:59.999999Z"),
        ] {
            let instant = Instant(Timestamp::from_micros(micros).unwrap());
            assert_eq!(instant.to_string(), text);
            assert_eq!(Instant::read(text), Some(instant));
        }
        for wrong in [
            "",
            "Z",
            "2027-01-15T08:00:00Z",
            "2027-01-15T08:00:00.000001",
            "2027-01-15T08:00:00.000001+00:00",
            "2027-01-15 08:00:00.000001Z",
            "2027-01-15T08:00:00.0000011Z",
            "1969-12-31T23:59:59.999999Z",
            "2027-02-30T08:00:00.000001Z",
        ] {
            assert_eq!(Instant::read(wrong), None, "{wrong:?}");
        }
    }
}
