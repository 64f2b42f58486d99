//! Lengths of time on the wire: ISO 8601, in units that always last the same.

use coupon_core::Span;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;
use utoipa::ToSchema;

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

/// An ISO 8601 duration in weeks, days (of 24 hours), hours, minutes and seconds. Years and months are refused,
/// because they do not always last the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = "duration", examples("P30D"))]
pub struct Duration(pub Span);

/// A duration that a request names, of any length, because a wrong value (422) is not a wrong type (400).
/// [`AnyDuration::get`] says whether it is one that can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnyDuration(Option<Span>);

impl AnyDuration {
    /// The duration, unless it is too long to be counted.
    pub const fn get(self) -> Option<Span> {
        self.0
    }
}

/// The text is not a duration in weeks, days, hours, minutes and seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationError;

impl Duration {
    /// What a reader expects.
    pub const EXPECTED: &str =
        "an ISO 8601 duration of weeks, days, hours, minutes and seconds, such as P30D";
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Duration::EXPECTED)
    }
}

impl std::error::Error for DurationError {}

impl FromStr for AnyDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<Duration>() {
            Ok(duration) => Ok(Self(Some(duration.0))),
            // What is written as one should be and still is none is too long.
            Err(DurationError) if is_well_formed(text) => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }
}

/// Whether a text is written as a duration is, whatever its numbers come to.
fn is_well_formed(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('P') else {
        return false;
    };
    let (days, time) = match rest.split_once('T') {
        Some((days, time)) => (days, Some(time)),
        None => (rest, None),
    };
    let amounts = |text: &str, units: &str| {
        let mut units = units.chars();
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let unit = rest[digits..].chars().next();
            // Each unit once, the larger first.
            if digits == 0 || unit.is_none_or(|unit| !units.any(|known| known == unit)) {
                return false;
            }
            rest = &rest[digits + 1..];
        }
        true
    };
    !rest.is_empty()
        && amounts(days, "WD")
        && time.is_none_or(|time| !time.is_empty() && amounts(time, "HMS"))
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let span = jiff::fmt::temporal::SpanParser::new()
            .parse_span(text)
            .map_err(|_not_iso_8601| DurationError)?;
        if span.get_years() != 0 || span.get_months() != 0 {
            return Err(DurationError);
        }
        let days = i64::from(span.get_weeks()) * 7 + i64::from(span.get_days());
        let seconds = i64::from(span.get_hours()) * 3_600 + span.get_minutes() * 60 + span.get_seconds();
        let micros = span.get_milliseconds() * 1_000 + span.get_microseconds();
        let total = days
            .checked_mul(DAY_US)
            .and_then(|sum| sum.checked_add(seconds.checked_mul(SECOND_US)?))
            .and_then(|sum| sum.checked_add(micros))
            .ok_or(DurationError)?;
        Span::from_micros(total).map(Self).ok_or(DurationError)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        let (days, within) = (micros / DAY_US, micros % DAY_US);
        let (seconds, fraction) = (within / SECOND_US, within % SECOND_US);
        f.write_char('P')?;
        if days > 0 {
            write!(f, "{days}D")?;
        }
        if within == 0 && days > 0 {
            return Ok(());
        }
        f.write_char('T')?;
        for (amount, unit) in [(seconds / 3_600, 'H'), (seconds / 60 % 60, 'M')] {
            if amount > 0 {
                write!(f, "{amount}{unit}")?;
            }
        }
        if fraction > 0 {
            write!(f, "{}.{fraction:06}S", seconds % 60)
        } else if seconds % 60 > 0 || within == 0 {
            write!(f, "{}S", seconds % 60)
        } else {
            Ok(())
        }
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let any = AnyDuration::deserialize(deserializer)?;
        any.get()
            .map(Self)
            .ok_or_else(|| de::Error::custom(DurationError))
    }
}

impl<'de> Deserialize<'de> for AnyDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = AnyDuration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Duration::EXPECTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<AnyDuration, E> {
                text.parse()
                    .map_err(|DurationError| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, seconds, written) in [
            ("P30D", 30 * 86_400, "P30D"),
            ("P2W", 14 * 86_400, "P14D"),
            ("PT36H", 129_600, "P1DT12H"),
            ("PT90M", 5_400, "PT1H30M"),
            ("PT1S", 1, "PT1S"),
            ("PT0S", 0, "PT0S"),
            ("P1DT1S", 86_401, "P1DT1S"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.0, Span::from_secs(seconds), "{text}");
            assert_eq!(duration.to_string(), written);
            assert_eq!(written.parse(), Ok(duration));
        }
        assert_eq!("PT0.25S".parse::<Duration>().unwrap().to_string(), "PT0.250000S");
    }

    #[test]
    fn durations_of_uncertain_length_and_other_texts_are_refused() {
        for refused in [
            "",
            "P",
            "P1M",
            "P1Y",
            "-P1D",
            "30 days",
            "30d",
            "P1D ",
            "PT",
            "30",
            "P1DT",
            "P1D1W",
            "P1D1D",
            "PT1D",
            "P1H",
            "PD",
            "P99999999999",
            "P99999999999M",
        ] {
            assert_eq!(refused.parse::<Duration>(), Err(DurationError), "{refused:?}");
            assert_eq!(refused.parse::<AnyDuration>(), Err(DurationError), "{refused:?}");
        }
    }

    #[test]
    fn durations_that_cannot_be_counted_are_durations_all_the_same() {
        for text in [
            "P9999999D",
            "P99999999999D",
            "P9999999W",
            "P99999999W1DT1H1M1S",
            "PT99999999999999999999999H",
        ] {
            let any: AnyDuration = text.parse().unwrap();
            assert_eq!(
                (any.get(), text.parse::<Duration>()),
                (None, Err(DurationError)),
                "{text}"
            );
        }
        let day: AnyDuration = "P1D".parse().unwrap();
        assert_eq!(day.get(), Some(Span::from_secs(86_400)));
    }
}
