//! Settings of the HTTP hall.

use super::Findings;
use serde::{Deserialize, Serialize};
use std::num::NonZero;

/// How connections are served.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HttpSettings {
    /// Event loops, each on a thread of its own; 0 means one per core. More than cores only adds switching; fewer
    /// leaves cores to others.
    pub(crate) loops: u64,
    /// Most connections at once. Too high, and a flood takes the memory (about 12 KiB each when busy) and the file
    /// descriptors; too low, and clients are turned away that could be served.
    pub(crate) max_connections: u64,
    /// Of these, live views at once, but never more than five eighths of all, so that whoever watches keeps nobody from
    /// being issued. Too low turns watchers away, who ask again and again.
    pub(crate) max_listeners: u64,
    /// From the first byte of a request to the end of its head. Too high lets slow clients hold connections; too low
    /// cuts off phones on a bad line.
    pub(crate) head_timeout_ms: u64,
    /// From the end of the head to the end of the body. As above.
    pub(crate) body_timeout_ms: u64,
    /// From the end of the body to the answer. Too high keeps clients waiting that have given up; too low tells
    /// "indeterminate" to requests that would have been answered, who then ask again.
    pub(crate) request_timeout_ms: u64,
    /// How long a connection may be idle between requests. Too high keeps thousands of idle ones; too low makes
    /// clients connect again for every request.
    pub(crate) idle_timeout_ms: u64,
    /// Addresses or networks of proxies whose `X-Forwarded-For` counts. One too many lets clients forge their
    /// address; one too few makes all clients of a proxy look like one.
    pub(crate) trusted_proxies: Vec<String>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            loops: 0,
            max_connections: 16_384,
            max_listeners: 10_000,
            head_timeout_ms: 10_000,
            body_timeout_ms: 10_000,
            request_timeout_ms: 30_000,
            idle_timeout_ms: 75_000,
            trusted_proxies: Vec::new(),
        }
    }
}

impl HttpSettings {
    /// How many event loops.
    pub(crate) fn loops(&self) -> NonZero<usize> {
        let wanted = usize::try_from(self.loops).ok().and_then(NonZero::new);
        wanted.unwrap_or_else(|| std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN))
    }

    pub(super) fn check(&self, findings: &mut Findings) {
        findings.expect_range(self.loops, (0, 1_024), "http.loops");
        findings.expect_range(self.max_connections, (1, 10_000_000), "http.max_connections");
        findings.expect_range(self.max_listeners, (0, 10_000_000), "http.max_listeners");
        let an_hour = (1, 3_600_000);
        findings.expect_range(self.head_timeout_ms, an_hour, "http.head_timeout_ms");
        findings.expect_range(self.body_timeout_ms, an_hour, "http.body_timeout_ms");
        findings.expect_range(self.request_timeout_ms, an_hour, "http.request_timeout_ms");
        findings.expect_range(self.idle_timeout_ms, an_hour, "http.idle_timeout_ms");
    }
}
