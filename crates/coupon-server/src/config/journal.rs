//! Settings of the journal.

use super::Findings;
use serde::{Deserialize, Serialize};

/// How the journal is kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct JournalSettings {
    /// Size of one segment file, which is written in advance. Too high delays the start and holds disk space until
    /// the store has caught up with a whole one; too low makes the sale wait for new segments.
    pub(crate) segment_mib: u64,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self { segment_mib: 64 }
    }
}

impl JournalSettings {
    pub(super) fn check(&self, findings: &mut Findings) {
        findings.expect_range(self.segment_mib, (1, 256), "journal.segment_mib");
    }
}
