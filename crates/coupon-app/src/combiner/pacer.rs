//! When a short pause before the commit is worth more than one more commit.

use std::time::Duration;

/// A batch at least this large means that many wait at once: one more request in the next batch then saves more work
/// than the pause costs. Below it nobody waits for anybody.
const PAUSE_FROM: usize = 32;
/// Longest pause. docs/PERFORMANCE.md has what it buys and what it costs.
const LONGEST_PAUSE: Duration = Duration::from_micros(300);

/// Watches the sizes of batches and proposes pauses.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    last: usize,
}

impl Pacer {
    /// A batch of so many requests was committed.
    pub(super) fn committed(&mut self, requests: usize) {
        self.last = requests;
    }

    /// How long to wait for more, with `waiting` requests here. Nothing when the house is quiet, or when as many
    /// wait already as the last batch held.
    pub(super) fn pause(&self, waiting: usize) -> Option<Duration> {
        (self.last >= PAUSE_FROM && waiting < 4 * self.last).then_some(LONGEST_PAUSE)
    }
}
