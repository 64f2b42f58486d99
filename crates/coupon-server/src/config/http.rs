//! Settings of the HTTP hall.

use super::Findings;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How connections are served.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HttpSettings {
    /// Event loops, each on a thread of its own; 0 means one per core. More than cores only adds switching; fewer
    /// leaves cores to others.
    pub(crate) loops: u64,
    /// Most connections at once. Too high, and a flood takes the memory and file descriptors; too low, and clients
    /// are turned away that could be served.
    pub(crate) max_connections: u64,
    /// How long a client may take to send its request's head, and its body. Too high lets slow clients hold
    /// connections; too low cuts off phones on a bad line.
    pub(crate) read_timeout_ms: u64,
    /// How long a connection may be idle between requests. Too high keeps thousands of idle ones; too low makes
    /// clients connect again for every request.
    pub(crate) idle_timeout_ms: u64,
    /// Addresses or networks of proxies whose `X-Forwarded-For` counts. An entry too many lets clients forge their
    /// address; one too few makes all clients of a proxy look like one.
    pub(crate) trusted_proxies: Vec<String>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            loops: 0,
            max_connections: 20_000,
            read_timeout_ms: 10_000,
            idle_timeout_ms: 75_000,
            trusted_proxies: Vec::new(),
        }
    }
}

impl HttpSettings {
    /// How many event loops.
    pub(crate) fn loops(&self) -> usize {
        match usize::try_from(self.loops) {
            Ok(0) | Err(_) => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            Ok(loops) => loops,
        }
    }

    pub(crate) fn read_timeout(&self) -> Duration {
        Duration::from_millis(self.read_timeout_ms)
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms)
    }

    pub(super) fn check(&self, findings: &mut Findings) {
        findings.expect_range(self.loops, (0, 1_024), "http.loops");
        findings.expect_range(self.max_connections, (1, 10_000_000), "http.max_connections");
        findings.expect_range(self.read_timeout_ms, (1, 3_600_000), "http.read_timeout_ms");
        findings.expect_range(self.idle_timeout_ms, (1, 86_400_000), "http.idle_timeout_ms");
    }
}
