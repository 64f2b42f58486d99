//! Instants on the wire: RFC 3339 with zone and microseconds.

use crate::digits::fill;
use coupon_core::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// The instant from which microseconds are counted.
const EPOCH: DateTime = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);

/// An instant, RFC 3339 with zone. Answers are in UTC with microseconds; requests may be in any zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime, examples("2026-11-20T09:00:00.000000Z"))]
pub struct Time(pub Timestamp);

/// An instant that a request names: of any year that RFC 3339 can write, because a wrong value (422) is not a wrong type
/// (400). [`AnyTime::get`] says whether it is one that can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnyTime(Option<Timestamp>);

impl AnyTime {
    /// The instant, unless it is before 1970 or, by its zone, after 9999.
    pub const fn get(self) -> Option<Timestamp> {
        self.0
    }
}

/// The text is not an RFC 3339 time with zone, or of an instant that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeError;

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Time::EXPECTED)
    }
}

impl std::error::Error for TimeError {}

impl Time {
    /// Length of the written form.
    pub const LENGTH: usize = 27;

    /// What a reader expects.
    pub const EXPECTED: &str = "an RFC 3339 time with zone, such as 2026-11-20T09:00:00+09:00";

    /// The written form, `2026-11-20T00:00:00.000000Z`, as ASCII.
    pub fn to_ascii(self) -> [u8; Self::LENGTH] {
        let micros = u64::try_from(self.0.as_micros()).unwrap_or(0); // a timestamp is never before 1970
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil_from_days(days);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        fill(&mut text[0..4], year);
        fill(&mut text[5..7], month);
        fill(&mut text[8..10], day);
        fill(&mut text[11..13], second / 3_600);
        fill(&mut text[14..16], second / 60 % 60);
        fill(&mut text[17..19], second % 60);
        fill(&mut text[20..26], micros);
        text
    }
}

/// Year, month and day of the Gregorian calendar so many days after 1970-01-01 (Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms", for dates not before 1970).
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.to_ascii()).expect("digits and punctuation are ASCII"))
    }
}

impl FromStr for AnyTime {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // jiff reads more than RFC 3339 writes: a space for the T, hours alone, names of zones in brackets.
        let bytes = text.as_bytes();
        let shaped = (20..=40).contains(&bytes.len())
            && matches!(bytes[10], b'T' | b't')
            && bytes[13] == b':'
            && bytes[16] == b':'
            && !bytes.contains(&b'[');
        if !shaped {
            return Err(TimeError);
        }
        // In pieces, because jiff's own instants end a day before the year 9999 does, so that any zone can show them.
        let pieces = Pieces::parse(text).map_err(|_not_rfc_3339| TimeError)?;
        let time = pieces.time().ok_or(TimeError)?;
        let offset = pieces.to_numeric_offset().ok_or(TimeError)?;
        let since_1970 = pieces.date().to_datetime(time).duration_since(EPOCH).as_micros();
        let micros = since_1970 - i128::from(offset.seconds()) * 1_000_000;
        Ok(Self(i64::try_from(micros).ok().and_then(Timestamp::from_micros)))
    }
}

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let any: AnyTime = text.parse()?;
        any.get().map(Self).ok_or(TimeError)
    }
}

impl From<Timestamp> for AnyTime {
    fn from(instant: Timestamp) -> Self {
        Self(Some(instant))
    }
}

impl From<Timestamp> for Time {
    fn from(instant: Timestamp) -> Self {
        Self(instant)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.to_ascii();
        serializer.serialize_str(std::str::from_utf8(&text).expect("digits and punctuation are ASCII"))
    }
}

impl<'de> Deserialize<'de> for AnyTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = AnyTime;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Time::EXPECTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<AnyTime, E> {
                text.parse()
                    .map_err(|TimeError| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let any = AnyTime::deserialize(deserializer)?;
        any.get().map(Self).ok_or_else(|| de::Error::custom(TimeError))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_jiff_writes_them() {
        let printer = jiff::fmt::temporal::DateTimePrinter::new().precision(Some(6));
        let mut micros = 0i64;
        // Every 13 days and a bit until the year 9999 meets every month's end and many leap days.
        while let Some(instant) = Timestamp::from_micros(micros) {
            let expected = printer.timestamp_to_string(&jiff::Timestamp::from_microsecond(micros).unwrap());
            assert_eq!(Time(instant).to_string(), expected);
            assert_eq!(expected.parse(), Ok(Time(instant)));
            micros += 13 * 86_400_000_000 + 3_723_000_001;
        }
        assert_eq!(Time(Timestamp::MAX).to_string(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Time(Timestamp::MIN).to_string(), "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn times_are_read_in_any_zone_and_never_without_one() {
        let nine_in_seoul: Time = "2026-11-20T09:00:00+09:00".parse().unwrap();
        for same in [
            "2026-11-20T00:00:00Z",
            "2026-11-20t00:00:00z",
            "2026-11-19T19:00:00.000-05:00",
        ] {
            assert_eq!(same.parse(), Ok(nine_in_seoul), "{same}");
        }
        for refused in [
            "",
            "now",
            "2026-11-20",
            "2026-11-20T09:00:00",
            "2026-11-20 09:00:00Z",
            "2026-11-20T09Z",
            "2026-11-20T09:00Z",
            "2026-02-30T09:00:00Z",
            "2026-11-20T24:00:01Z",
            "+10000-01-01T00:00:00Z",
            "2026-11-20T09:00:00+09:00[Asia/Seoul]",
            "2026-11-20T09:00:00[Asia/Seoul]",
            "1763596800",
        ] {
            assert_eq!(refused.parse::<AnyTime>(), Err(TimeError), "{refused:?}");
            assert_eq!(refused.parse::<Time>(), Err(TimeError), "{refused:?}");
        }
    }

    #[test]
    fn times_of_every_year_are_read_and_those_that_can_be_have_a_value() {
        for (text, value) in [
            ("1970-01-01T00:00:00Z", Some(Timestamp::MIN)),
            ("1970-01-01T09:00:00+09:00", Some(Timestamp::MIN)),
            ("9999-12-31T23:59:59.999999Z", Some(Timestamp::MAX)),
            ("9999-12-31T23:59:59.999999999Z", Some(Timestamp::MAX)),
            ("9999-12-31T23:59:59.999999+00:00", Some(Timestamp::MAX)),
            ("1969-12-31T23:59:59Z", None),
            ("1970-01-01T08:59:59+09:00", None),
            ("0001-01-01T00:00:00Z", None),
            ("0000-01-01T00:00:00Z", None),
            ("9999-12-31T23:59:59-01:00", None),
        ] {
            let any: AnyTime = text.parse().unwrap();
            assert_eq!(any.get(), value, "{text}");
            assert_eq!(text.parse::<Time>().ok().map(|time| time.0), value, "{text}");
        }
    }
}
