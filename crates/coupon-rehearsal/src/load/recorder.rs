//! Writes down every attempt and keeps the few numbers that the progress line shows.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use super::queue::Queue;
use crate::history::{Attempt, End, FaultMark, HistoryError, HistoryWriter};
use crate::outcome::Outcome;
use crate::progress::Progress;

/// Latencies beyond an hour count as an hour.
const LONGEST_US: u64 = 3_600_000_000;

/// Shared by all connections.
#[derive(Debug)]
pub(crate) struct Recorder {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// None once the history is closed.
    writer: Option<HistoryWriter>,
    sent: u64,
    answers: [u64; Outcome::ALL.len()],
    latency: Histogram<u64>,
    last_answer_ns: u64,
}

impl Recorder {
    pub(crate) fn new(writer: HistoryWriter) -> Self {
        let latency = Histogram::new_with_bounds(1, LONGEST_US, 2).expect("these bounds are valid");
        let answers = [0; Outcome::ALL.len()];
        Self {
            state: Mutex::new(State {
                writer: Some(writer),
                sent: 0,
                answers,
                latency,
                last_answer_ns: 0,
            }),
        }
    }

    /// A request is about to be sent.
    pub(crate) fn sending(&self) {
        self.state().sent += 1;
    }

    /// An attempt ended.
    pub(crate) fn attempt(&self, attempt: &Attempt) {
        let mut state = self.state();
        if let Some(writer) = &mut state.writer {
            writer.attempt(attempt);
        }
        state.answers[attempt.outcome.index()] += 1;
        state.latency.saturating_record(attempt.latency_us().max(1));
        if attempt.status != 0 {
            state.last_answer_ns = attempt.answered_ns;
        }
    }

    /// A fault is over.
    pub(crate) fn fault(&self, mark: &FaultMark) {
        let mut state = self.state();
        if let Some(writer) = &mut state.writer {
            writer.fault(mark);
        }
        state.last_answer_ns = state.last_answer_ns.max(mark.over_ns);
    }

    /// When the server last answered anything, in nanoseconds since the start.
    pub(crate) fn last_answer_ns(&self) -> u64 {
        self.state().last_answer_ns
    }

    /// Requests sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.state().sent
    }

    /// How it goes.
    pub(crate) fn progress(&self, queue: &Queue, now_ns: u64) -> Progress {
        let (in_flight, waiting, to_come) = queue.counts();
        let state = self.state();
        Progress {
            elapsed: Duration::from_nanos(now_ns),
            sent: state.sent,
            in_flight,
            waiting,
            to_come,
            answers: state.answers,
            p99_us: state.latency.value_at_quantile(0.99),
        }
    }

    /// Closes the history.
    pub(crate) fn finish(&self, end: &End) -> Result<(), HistoryError> {
        let writer = self.state().writer.take();
        writer.map_or(Ok(()), |writer| writer.finish(end))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
