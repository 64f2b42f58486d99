//! The rehearsal's own clock: monotonic nanoseconds since the load began. Every time in a history is one of its.

use std::time::{Duration, Instant};

/// Counts nanoseconds from the moment it was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch {
    started: Instant,
}

impl Stopwatch {
    /// Starts counting now.
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// Nanoseconds since the start.
    pub(crate) fn ns(&self) -> u64 {
        whole_ns(self.started.elapsed())
    }
}

/// A duration in nanoseconds; anything beyond 584 years is the end of time.
pub(crate) fn whole_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
