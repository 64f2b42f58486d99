//! When: the half-open issue window.

use crate::Timestamp;
use serde::{Deserialize, Serialize};

/// The issue window, half-open: `opens_at <= now < closes_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Instants")]
pub struct Window {
    opens_at: Timestamp,
    closes_at: Timestamp,
}

/// A window as it is written, which may not be one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Instants {
    opens_at: Timestamp,
    closes_at: Timestamp,
}

impl TryFrom<Instants> for Window {
    type Error = &'static str;

    fn try_from(instants: Instants) -> Result<Self, Self::Error> {
        Self::new(instants.opens_at, instants.closes_at).ok_or("a window must close after it opens")
    }
}

impl Window {
    /// A window; `None` when it does not close after it opens.
    pub fn new(opens_at: Timestamp, closes_at: Timestamp) -> Option<Self> {
        (opens_at < closes_at).then_some(Self { opens_at, closes_at })
    }

    /// The first instant in the window.
    pub const fn opens_at(self) -> Timestamp {
        self.opens_at
    }

    /// The first instant after the window.
    pub const fn closes_at(self) -> Timestamp {
        self.closes_at
    }

    /// Whether the window has opened.
    pub fn has_opened(self, now: Timestamp) -> bool {
        now >= self.opens_at
    }

    /// Whether the window has closed.
    pub fn has_closed(self, now: Timestamp) -> bool {
        now >= self.closes_at
    }
}
