//! Settings of the end.

use super::Findings;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How the server stops.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ShutdownSettings {
    /// How long requests that were accepted may take to be answered after SIGTERM. Too high, and a slow client delays
    /// the restart; too low, and answers are lost, which their askers must then ask for again.
    pub(crate) drain_deadline_ms: u64,
    /// How long the store may take to catch up with the journal afterwards. Too high delays the restart; too low only
    /// moves the work to the next start: nothing is lost.
    pub(crate) follow_deadline_ms: u64,
}

impl Default for ShutdownSettings {
    fn default() -> Self {
        Self {
            drain_deadline_ms: 10_000,
            follow_deadline_ms: 10_000,
        }
    }
}

impl ShutdownSettings {
    /// For what was accepted.
    pub(crate) fn drain_deadline(&self) -> Duration {
        Duration::from_millis(self.drain_deadline_ms)
    }

    /// For the store.
    pub(crate) fn follow_deadline(&self) -> Duration {
        Duration::from_millis(self.follow_deadline_ms)
    }

    pub(super) fn check(&self, findings: &mut Findings) {
        let range = (0, 3_600_000);
        findings.expect_range(self.drain_deadline_ms, range, "shutdown.drain_deadline_ms");
        findings.expect_range(self.follow_deadline_ms, range, "shutdown.follow_deadline_ms");
    }
}
