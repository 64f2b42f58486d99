//! Instants and spans in whole microseconds, the unit of every clock, record and answer.

use serde::{Deserialize, Serialize};

/// An instant: microseconds since 1970-01-01T00:00:00Z, from then until the end of the year 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const MIN: Self = Self(0);
    /// 9999-12-31T23:59:59.999999Z, the last instant that RFC 3339 can write.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// The instant `micros` after the epoch, if it lies within [`Timestamp::MIN`] and [`Timestamp::MAX`].
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros >= Self::MIN.0 && micros <= Self::MAX.0 {
            Some(Self(micros))
        } else {
            None
        }
    }

    /// Like [`Timestamp::from_micros`], pulled to the nearer end when outside. For clocks, which cannot refuse.
    pub const fn saturating_from_micros(micros: i64) -> Self {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This instant and a span later, at most [`Timestamp::MAX`].
    pub const fn saturating_add(self, span: Span) -> Self {
        Self::saturating_from_micros(self.0.saturating_add(span.0))
    }
}

impl TryFrom<i64> for Timestamp {
    type Error = &'static str;

    fn try_from(micros: i64) -> Result<Self, Self::Error> {
        Self::from_micros(micros).ok_or("an instant must lie between the years 1970 and 9999")
    }
}

impl From<Timestamp> for i64 {
    fn from(instant: Timestamp) -> Self {
        instant.0
    }
}

/// A length of time in microseconds, not negative. A day is 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Span(i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// One microsecond, the shortest there is.
    pub const TICK: Self = Self(1);

    /// The span of so many microseconds; `None` when negative.
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros >= 0 { Some(Self(micros)) } else { None }
    }

    /// The span of so many whole seconds.
    pub const fn from_secs(secs: u32) -> Self {
        Self(secs as i64 * 1_000_000)
    }

    /// Microseconds.
    pub const fn as_micros(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Span {
    type Error = &'static str;

    fn try_from(micros: i64) -> Result<Self, Self::Error> {
        Self::from_micros(micros).ok_or("a span must not be negative")
    }
}

impl From<Span> for i64 {
    fn from(span: Span) -> Self {
        span.0
    }
}
