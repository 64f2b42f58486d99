//! Watches how the store follows the ledger: for metrics and for the log.

use coupon_app::{Applied, Followed, Outbox, StoreError};
use coupon_http::StoreLag;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Sets the gauges, and says what operators must know.
pub(crate) struct StoreWatch {
    lag: StoreLag,
    outbox: Arc<dyn Outbox>,
    applied: AtomicU64,
}

impl StoreWatch {
    pub(crate) fn new(lag: StoreLag, outbox: Arc<dyn Outbox>, applied: u64) -> Self {
        let watch = Self {
            lag,
            outbox,
            applied: AtomicU64::new(applied),
        };
        watch.measure();
        watch
    }

    fn measure(&self) {
        let applied = self.applied.load(Ordering::Relaxed);
        self.lag
            .set_entries(self.outbox.durable().saturating_sub(applied));
    }
}

impl Followed for StoreWatch {
    fn applied(&self, applied: Applied) {
        self.applied.store(applied.seq, Ordering::Relaxed);
        self.lag
            .applied(applied.written, applied.redelivered, applied.quarantined);
        self.measure();
        if applied.quarantined > 0 {
            tracing::error!(
                records = applied.quarantined,
                through = applied.seq,
                "records contradict the store and were put into quarantine; stop the server and run \
                 `firstcome verify --data-dir`"
            );
        }
    }

    fn failed(&self, error: &StoreError, pause: Duration) {
        self.lag.failed();
        self.measure();
        tracing::warn!(%error, pause_ms = pause.as_millis(), "the store does not take records; it will be tried again");
    }
}
