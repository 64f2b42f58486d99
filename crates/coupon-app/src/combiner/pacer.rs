//! When a short pause before the commit is worth more than one more commit.

use std::time::Duration;

/// How much of a pause each request of the last batch is worth. A crowd of 256 connections makes batches of more than a
/// hundred and gets nearly the longest pause; at half of that load batches are small and answers should be early: with 2
/// us instead of 20 the median there fell from 0.48 ms to 0.27 ms, and what could be issued at most was the same.
const WORTH: Duration = Duration::from_micros(2);
/// Longest pause. docs/PERFORMANCE.md has what it buys and what it costs.
const LONGEST_PAUSE: Duration = Duration::from_micros(300);
/// When so long nobody came, nobody is waited for.
pub(super) const STEP: Duration = Duration::from_micros(100);

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

    /// How long to wait for more. Nothing when the house is quiet.
    pub(super) fn pause(&self) -> Option<Duration> {
        let last = u32::try_from(self.last).unwrap_or(u32::MAX);
        (last >= 2).then(|| LONGEST_PAUSE.min(WORTH.saturating_mul(last)))
    }
}
