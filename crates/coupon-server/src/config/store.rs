//! Settings of the store.

use super::Findings;
use serde::{Deserialize, Serialize};

/// How much the embedded store may take.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StoreSettings {
    /// Connections that read, and so queries at the same time. More than there are cores gains nothing and takes a
    /// cache each; too few lets wallets wait for a list that is being exported.
    pub(crate) readers: u64,
    /// Pages that the writing connection keeps, in KiB. Too high takes memory; too low reads pages of the index again
    /// and again while a sale is written.
    pub(crate) writer_cache_kib: u32,
    /// Pages that each reading connection keeps, in KiB. Too high takes memory; too low reads the same pages again.
    pub(crate) reader_cache_kib: u32,
    /// Newest issued coupons that are kept by user in memory, at 20 to 40 bytes each, until a quiet moment comes to fold
    /// them into the index. Too high makes starts and folds longer; too low makes folds fall into sales.
    pub(crate) fold_rows: u64,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            readers: 3,
            writer_cache_kib: 16 << 10,
            reader_cache_kib: 2 << 10,
            fold_rows: 1_000_000,
        }
    }
}

impl StoreSettings {
    pub(super) fn check(&self, findings: &mut Findings) {
        findings.expect_range(self.readers, (1, 256), "store.readers");
        let cache = (64, 16 << 20);
        findings.expect_range(u64::from(self.writer_cache_kib), cache, "store.writer_cache_kib");
        findings.expect_range(u64::from(self.reader_cache_kib), cache, "store.reader_cache_kib");
        findings.expect_range(self.fold_rows, (1, 100_000_000), "store.fold_rows");
    }
}
