//! How far a rehearsal is, for whoever watches.

use std::fmt;
use std::time::Duration;

use crate::outcome::Outcome;

/// The state of a running load.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Time since the first intended send.
    pub elapsed: Duration,
    /// Requests sent, repeats included.
    pub sent: u64,
    /// Requests without an answer yet.
    pub in_flight: u64,
    /// Asks that are due or will be asked again, and have no connection.
    pub waiting: u64,
    /// Users and their duplicates that have not arrived yet.
    pub to_come: u64,
    /// Answers by outcome, in the order of [`Outcome::ALL`].
    pub answers: [u64; Outcome::ALL.len()],
    /// The 99th percentile of all answers so far, from the intended send time, in microseconds.
    pub p99_us: u64,
}

impl Progress {
    /// Answers of one kind.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.answers[outcome.index()]
    }

    /// Refusals of every kind together.
    pub fn refused(&self) -> u64 {
        self.sum(Outcome::is_refusal)
    }

    /// Failures of every kind together: 429, 503, unknown and unexpected.
    pub fn failed(&self) -> u64 {
        self.sum(Outcome::is_failure)
    }

    fn sum(&self, which: impl Fn(Outcome) -> bool) -> u64 {
        Outcome::ALL
            .into_iter()
            .filter(|outcome| which(*outcome))
            .map(|outcome| self.count(outcome))
            .sum()
    }
}

impl fmt::Display for Progress {
    /// One line: elapsed, sent, in flight, issued, refused by reason, failed, p99.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:6.1} s  sent {}  in flight {}  waiting {}  issued {}",
            self.elapsed.as_secs_f64(),
            self.sent,
            self.in_flight,
            self.waiting,
            self.count(Outcome::Issued)
        )?;
        for outcome in Outcome::ALL.into_iter().filter(|outcome| outcome.is_refusal()) {
            if self.count(outcome) > 0 {
                write!(f, "  {} {}", outcome.name(), self.count(outcome))?;
            }
        }
        write!(
            f,
            "  failed {}  p99 {:.1} ms",
            self.failed(),
            Duration::from_micros(self.p99_us).as_secs_f64() * 1e3
        )
    }
}

/// Is told how far the load is. Called on the load's own thread: be brief.
pub trait ProgressSink: Send {
    /// Called every `progress_every` and once at the end.
    fn progress(&mut self, progress: &Progress);
}

impl<F: FnMut(&Progress) + Send> ProgressSink for F {
    fn progress(&mut self, progress: &Progress) {
        self(progress);
    }
}
