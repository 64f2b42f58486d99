//! What jobs have done, for metrics.

use crate::job::Job;
use coupon_app::{JobRun, OutboxTally, Settled, Verdict};
use coupon_core::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfJob {
    job: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfChannel {
    channel: String,
    result: &'static str,
}

/// One worker's books of its jobs. Clones of its metrics live in the registry.
pub struct JobBooks {
    registry: Registry,
    runs: Family<OfJob, Counter>,
    failures: Family<OfJob, Counter>,
    done: Family<OfJob, Counter>,
    ended: Family<OfJob, Gauge>,
    attempts: Family<OfChannel, Counter>,
    pub(crate) unplanned: Counter,
    new: Gauge,
    waiting: Gauge,
    oldest_s: Gauge,
    dead: Gauge,
    undeliverable: Gauge,
}

impl fmt::Debug for JobBooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobBooks").finish_non_exhaustive()
    }
}

impl Default for JobBooks {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("firstcome");
        let mut of_job = |name: &str, help: &str| {
            let family = Family::<OfJob, Counter>::default();
            registry.register(name, help, family.clone());
            family
        };
        let runs = of_job("job_runs", "Runs of a job that ended");
        let failures = of_job("job_failures", "Runs of a job that failed");
        let done = of_job("job_done", "What a job did: expiries, reminders or deliveries");
        let ended = Family::<OfJob, Gauge>::default();
        registry.register(
            "job_last_ended_seconds",
            "When the last run ended, in seconds since 1970",
            ended.clone(),
        );
        let attempts = Family::<OfChannel, Counter>::default();
        registry.register(
            "notification_attempts",
            "Attempts to bring a notification, by what became of them",
            attempts.clone(),
        );
        let unplanned = Counter::default();
        registry.register(
            "notification_plan_failures",
            "Notifications of which a channel could not say who is to be told",
            unplanned.clone(),
        );
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        Self {
            new: gauge("notifications_new", "Notifications that nobody has planned"),
            waiting: gauge("notifications_waiting", "Deliveries that wait"),
            oldest_s: gauge(
                "notifications_oldest_seconds",
                "Age of the oldest event that is not told of",
            ),
            dead: gauge("notifications_dead", "Deliveries that were given up"),
            undeliverable: gauge("notifications_undeliverable", "Deliveries without an address"),
            registry,
            runs,
            failures,
            done,
            ended,
            attempts,
            unplanned,
        }
    }
}

impl JobBooks {
    /// New books.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything counted, in the OpenMetrics text format.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    pub(crate) fn ran(&self, job: Job, run: &JobRun) {
        let of = OfJob { job: job.name() };
        self.runs.get_or_create(&of).inc();
        self.done.get_or_create(&of).inc_by(run.done);
        if run.error.is_some() {
            self.failures.get_or_create(&of).inc();
        }
        self.ended
            .get_or_create(&of)
            .set(run.ended_at.as_micros() / 1_000_000);
    }

    pub(crate) fn settled(&self, settled: &[Settled]) {
        for one in settled {
            let of = OfChannel {
                channel: one.delivery.channel.as_ref().to_owned(),
                result: match one.verdict {
                    Verdict::Delivered => "delivered",
                    Verdict::Again(_) => "retried",
                    Verdict::Dead => "dead",
                    Verdict::Undeliverable => "undeliverable",
                },
            };
            self.attempts.get_or_create(&of).inc();
        }
    }

    pub(crate) fn tell(&self, tally: OutboxTally, now: Timestamp) {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.new.set(signed(tally.new));
        self.waiting.set(signed(tally.waiting));
        self.dead.set(signed(tally.dead));
        self.undeliverable.set(signed(tally.undeliverable));
        let age_us = tally
            .oldest
            .map_or(0, |oldest| now.as_micros() - oldest.as_micros());
        self.oldest_s.set(age_us.max(0) / 1_000_000);
    }
}
