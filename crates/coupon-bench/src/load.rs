//! The load: many keep-alive connections on a few threads, as cheap as it can be made, because it shares the cores
//! with the server that it measures. The same generator drives the product and the baseline.

mod closed;
mod connection;
mod open;
mod reply;
mod request;

pub(crate) use closed::closed;
pub(crate) use open::open;
pub(crate) use reply::parse;
pub(crate) use request::{RequestForm, Salvo, Users};

use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest latency that is told apart, in nanoseconds.
const LONGEST_NS: u64 = 60_000_000_000;
/// A server that says nothing for so long has failed.
const SILENCE: Duration = Duration::from_secs(60);

/// What a load did.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// From the first request to the last answer.
    pub(crate) took: Duration,
    /// Answers by status.
    pub(crate) answers: BTreeMap<u16, u64>,
    /// Latencies in nanoseconds; in an open load from the intended time of sending.
    pub(crate) latency: Histogram<u64>,
}

impl Outcome {
    /// What loads that ran beside each other did together.
    pub(crate) fn together(parts: Vec<Self>) -> anyhow::Result<Self> {
        let mut all = Tally::new()?;
        let mut took = Duration::ZERO;
        for part in parts {
            took = took.max(part.took);
            all.add(&Tally {
                answers: part.answers,
                latency: part.latency,
            })?;
        }
        Ok(all.outcome(took))
    }

    /// Answers.
    pub(crate) fn count(&self) -> u64 {
        self.answers.values().sum()
    }

    /// Answers with this status.
    pub(crate) fn with_status(&self, status: u16) -> u64 {
        self.answers.get(&status).copied().unwrap_or(0)
    }

    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.count() as f64 / self.took.as_secs_f64()
    }

    /// A quantile of the latency, in microseconds.
    pub(crate) fn latency_us(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1_000.0
    }

    /// That every answer has this status.
    pub(crate) fn must_all_be(&self, status: u16) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.with_status(status) == self.count(),
            "every answer should have been {status}, and they were {:?}",
            self.answers
        );
        Ok(())
    }
}

/// What one thread of a load saw.
#[derive(Debug)]
struct Tally {
    answers: BTreeMap<u16, u64>,
    latency: Histogram<u64>,
}

impl Tally {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            answers: BTreeMap::new(),
            latency: Histogram::new_with_bounds(1_000, LONGEST_NS, 3)?,
        })
    }

    fn count(&mut self, status: u16, latency: Duration) {
        *self.answers.entry(status).or_default() += 1;
        self.latency
            .saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        for (status, count) in &other.answers {
            *self.answers.entry(*status).or_default() += count;
        }
        self.latency.add(&other.latency)?;
        Ok(())
    }

    fn outcome(self, took: Duration) -> Outcome {
        Outcome {
            took,
            answers: self.answers,
            latency: self.latency,
        }
    }
}
