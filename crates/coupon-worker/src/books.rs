//! What a worker has done and how far it is behind, for metrics and readiness.

use crate::limits::{FAILURES_NOT_READY, TO_STORE_BUCKETS_US};
use coupon_app::{Backlog, Delivered, Delivery, Record, StoreError};
use coupon_core::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The books of one part of a worker's work. Clones of its metrics live in the registry.
pub struct Books {
    part: Part,
    registry: Registry,
    written: Counter,
    redelivered: Counter,
    quarantined: Counter,
    released: Counter,
    set_aside: Counter,
    store_failures: Counter,
    source_failures: Counter,
    to_store: Histogram,
    waiting: Gauge,
    in_hand: Gauge,
    oldest_s: Gauge<f64, AtomicU64>,
    dead: Gauge,
    condition: Mutex<Condition>,
}

/// Which part of the work books are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// What the names of its metrics begin with.
    pub prefix: &'static str,
    /// What readiness calls the place that it takes deliveries from.
    pub source: &'static str,
    /// What readiness calls the place that it brings them to.
    pub target: &'static str,
}

impl Part {
    /// From the stream to the store, with nothing between.
    pub const CARRY: Self = Self {
        prefix: "firstcome_worker",
        source: "stream",
        target: "store",
    };
    /// From the stream onto the feed.
    pub const PUBLISH: Self = Self {
        prefix: "firstcome_worker_publish",
        source: "stream",
        target: "kafka",
    };
    /// From the feed to the store.
    pub const PERSIST: Self = Self {
        prefix: "firstcome_worker",
        source: "kafka",
        target: "store",
    };
    /// Out of the stream, when the store has it.
    pub const CONFIRM: Self = Self {
        prefix: "firstcome_worker_confirm",
        source: "stream",
        target: "store",
    };
}

#[derive(Debug, Default)]
struct Condition {
    store: Trouble,
    source: Trouble,
}

/// Failures in a row, and what the last one said.
#[derive(Debug, Default)]
struct Trouble {
    failures: u64,
    last: String,
}

impl Trouble {
    fn failed(&mut self, error: &StoreError) {
        self.failures += 1;
        self.last = error.to_string();
    }

    fn reason(&self) -> Option<String> {
        (self.failures >= FAILURES_NOT_READY).then(|| self.last.clone())
    }
}

impl fmt::Debug for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Books")
            .field("condition", &self.condition)
            .finish_non_exhaustive()
    }
}

impl Books {
    /// New books of this part.
    pub fn of(part: Part) -> Self {
        let mut registry = Registry::with_prefix(part.prefix);
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let written = counter(
            "written",
            "Issued coupons, or records, that were written to the target",
        );
        let redelivered = counter("redelivered", "Records that the target had already");
        let quarantined = counter("quarantined", "Records that went to quarantine");
        let released = counter("released", "Records that left quarantine for a revision");
        let set_aside = counter("set_aside", "Deliveries that were set aside");
        let store_failures = counter("store_failures", "Failed attempts to write to the target");
        let source_failures = counter("source_failures", "Failed attempts to reach the source");
        let ends = TO_STORE_BUCKETS_US.iter().map(|us| seconds(*us));
        let to_store = Histogram::new(ends);
        registry.register(
            "time_to_store_seconds",
            "From issue to target, by the clocks of ledger and worker",
            to_store.clone(),
        );
        let mut gauge = |name: &str, help: &str| {
            let gauge: Gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let waiting = gauge("lag_entries", "Entries that nobody has been handed yet");
        let in_hand = gauge("in_hand_entries", "Entries that were handed out and are not done");
        let dead = gauge("dead_letters", "Entries set aside that nobody has looked after");
        let oldest_s = Gauge::default();
        registry.register(
            "oldest_pending_seconds",
            "Age of the oldest entry that is not done",
            oldest_s.clone(),
        );
        Self {
            part,
            registry,
            written,
            redelivered,
            quarantined,
            released,
            set_aside,
            store_failures,
            source_failures,
            to_store,
            waiting,
            in_hand,
            oldest_s,
            dead,
            condition: Mutex::default(),
        }
    }

    /// Everything counted, in the OpenMetrics text format.
    pub fn text(&self) -> Result<String, fmt::Error> {
        Self::text_of(&[self])
    }

    /// Everything that several parts have counted, as one text. Their prefixes must differ.
    pub fn text_of(parts: &[&Self]) -> Result<String, fmt::Error> {
        const END: &str = "# EOF\n";
        let mut all = String::new();
        for part in parts {
            let mut text = String::new();
            encode(&mut text, &part.registry)?;
            all.push_str(text.strip_suffix(END).unwrap_or(&text));
        }
        all.push_str(END);
        Ok(all)
    }

    /// What is not as it should be, by part; nothing when the worker is ready.
    pub fn reasons(&self) -> [(&'static str, Option<String>); 2] {
        let condition = self.condition();
        [
            (self.part.target, condition.store.reason()),
            (self.part.source, condition.source.reason()),
        ]
    }

    /// How far behind the workers are.
    pub fn backlog(&self, backlog: Backlog) {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.waiting.set(signed(backlog.waiting));
        self.in_hand.set(signed(backlog.in_hand));
        self.dead.set(signed(backlog.set_aside));
        self.oldest_s.set(seconds(backlog.oldest_us));
    }

    pub(crate) fn delivered(&self, deliveries: &[Delivery], delivered: Delivered, now: Timestamp) {
        self.written.inc_by(delivered.written);
        self.redelivered.inc_by(delivered.redelivered);
        self.quarantined.inc_by(delivered.quarantined);
        self.released.inc_by(delivered.released);
        for record in deliveries.iter().flat_map(|delivery| &delivery.records) {
            if let Record::Issued(issued) = record {
                let age_us = now.as_micros() - issued.grant.issued_at.as_micros();
                self.to_store.observe(seconds(age_us.max(0)));
            }
        }
        self.condition().store = Trouble::default();
    }

    pub(crate) fn store_failed(&self, error: &StoreError) {
        self.store_failures.inc();
        self.condition().store.failed(error);
    }

    pub(crate) fn source_answered(&self) {
        self.condition().source = Trouble::default();
    }

    pub(crate) fn source_failed(&self, error: &StoreError) {
        self.source_failures.inc();
        self.condition().source.failed(error);
    }

    pub(crate) fn set_aside(&self) {
        self.set_aside.inc();
    }

    fn condition(&self) -> MutexGuard<'_, Condition> {
        self.condition.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a metric of seconds needs no more digits than a float has"
)]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
