//! Times and lengths of time as people type them.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use std::str::FromStr;

/// An instant, fixed or counted from now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Moment {
    /// `now`.
    Now,
    /// `2026-12-24T18:00:00+09:00`.
    At(Timestamp),
    /// `+10m` or `in 2h`.
    In(Length),
}

/// A length of time: `90s`, `1h30m`, `30d` or ISO 8601 (`P30D`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Length(Span);

impl PartialEq for Length {
    /// Two are the same when they are written the same.
    fn eq(&self, other: &Self) -> bool {
        self.0.fieldwise() == other.0.fieldwise()
    }
}

impl Moment {
    /// The instant, counted from `now` where it is counted.
    pub(crate) fn from(&self, now: Timestamp) -> Result<Timestamp, jiff::Error> {
        match self {
            Self::Now => Ok(now),
            Self::At(instant) => Ok(*instant),
            // In UTC every day has 24 hours, as in the contract.
            Self::In(Length(span)) => Ok(now.to_zoned(TimeZone::UTC).checked_add(*span)?.timestamp()),
        }
    }
}

impl Length {
    /// As ISO 8601, which is how it travels.
    pub(crate) fn iso(self) -> String {
        self.0.to_string()
    }

    /// In seconds, for lengths without months or years.
    pub(crate) fn seconds(self) -> Result<i64, jiff::Error> {
        let total = self
            .0
            .total(jiff::SpanTotal::from(jiff::Unit::Second).days_are_24_hours())?;
        #[expect(clippy::cast_possible_truncation, reason = "as many seconds as jiff has fit")]
        Ok(total as i64)
    }

    /// As a duration of the standard library, for lengths without months or years.
    pub(crate) fn duration(self) -> Result<std::time::Duration, jiff::Error> {
        let millis = self
            .0
            .total(jiff::SpanTotal::from(jiff::Unit::Millisecond).days_are_24_hours())?;
        Ok(std::time::Duration::try_from_secs_f64(millis / 1_000.0).unwrap_or_default())
    }
}

impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let span: Span = text.parse().map_err(|_not_a_span: jiff::Error| {
            format!("{text:?} is not a length of time; write 90s, 10m, 1h30m, 30d or P30D")
        })?;
        if span.is_negative() {
            return Err("a length of time cannot be negative".to_owned());
        }
        Ok(Self(span))
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let counted = text.strip_prefix('+').or_else(|| text.strip_prefix("in "));
        if text == "now" {
            Ok(Self::Now)
        } else if let Some(length) = counted {
            length.trim().parse().map(Self::In)
        } else {
            text.parse().map(Self::At).map_err(|_not_an_instant: jiff::Error| {
                format!("{text:?} is not a time; write now, +10m, 'in 2h' or 2026-12-24T18:00:00+09:00 (with its zone)")
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Length, Moment};
    use jiff::Timestamp;

    #[test]
    fn moments_are_read_as_people_write_them() {
        let now: Timestamp = "2026-02-28T12:00:00Z".parse().unwrap();
        for (text, instant) in [
            ("now", "2026-02-28T12:00:00Z"),
            ("+10m", "2026-02-28T12:10:00Z"),
            ("in 2h", "2026-02-28T14:00:00Z"),
            ("+1h30m", "2026-02-28T13:30:00Z"),
            ("+1d", "2026-03-01T12:00:00Z"),
            ("+PT90S", "2026-02-28T12:01:30Z"),
            ("in 1 hour 5 minutes", "2026-02-28T13:05:00Z"),
            ("2026-12-24T18:00:00+09:00", "2026-12-24T09:00:00Z"),
            ("2026-12-24T09:00:00.000001Z", "2026-12-24T09:00:00.000001Z"),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.from(now).unwrap(), instant.parse().unwrap(), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused_with_what_to_write() {
        for text in [
            "",
            "soon",
            "+",
            "+-1h",
            "in",
            "10m",
            "2026-12-24T18:00:00",
            "2026-12-24",
        ] {
            let refused = text.parse::<Moment>().unwrap_err();
            assert!(!refused.is_empty(), "{text:?}");
        }
    }

    #[test]
    fn a_length_travels_as_iso_8601() {
        for (text, iso) in [
            ("30d", "P30D"),
            ("P30D", "P30D"),
            ("1h30m", "PT1H30M"),
            ("90s", "PT90S"),
        ] {
            assert_eq!(text.parse::<Length>().unwrap().iso(), iso);
        }
        assert_eq!("1d1h".parse::<Length>().unwrap().seconds().unwrap(), 90_000);
    }
}
