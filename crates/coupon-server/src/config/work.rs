//! Settings of workers.

use super::Findings;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// How `firstcome work` brings issues to the store.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WorkSettings {
    /// Where a worker answers /livez, /readyz and /metrics. Port 0 takes any free one.
    pub(crate) listen: SocketAddr,
    /// Records that are brought in one go. Too high makes transactions that others wait for; too low, more of them.
    pub(crate) batch_records: u64,
    /// After how long in a worker's hands an entry is taken to be forgotten. Too low hands entries out twice while
    /// their worker is merely slow; too high makes those of a dead worker wait.
    pub(crate) claim_after_ms: u64,
}

impl Default for WorkSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
            batch_records: 4_096,
            claim_after_ms: 5_000,
        }
    }
}

impl WorkSettings {
    /// After how long an entry is taken to be forgotten.
    pub(crate) fn claim_after(&self) -> Duration {
        Duration::from_millis(self.claim_after_ms)
    }

    pub(super) fn check(&self, findings: &mut Findings) {
        findings.expect_range(self.batch_records, (1, 65_536), "work.batch_records");
        findings.expect_range(self.claim_after_ms, (100, 3_600_000), "work.claim_after_ms");
    }
}
