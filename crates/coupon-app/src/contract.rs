//! The examination: suites that any adapter sits, in memory or on disk, here or in a crate to come.
//!
//! An adapter brings a harness and one line, and its test binary gets one test for each case:
//!
//! ```ignore
//! coupon_app::ledger_contract!(JournalHarness::new());
//! coupon_app::combiner_contract!(JournalHarness::new());
//! coupon_app::store_contract!(SqliteHarness::new());
//! coupon_app::redemption_contract!(SqliteHarness::new());
//! coupon_app::notice_contract!(SqliteHarness::new());
//! coupon_app::delivery_contract!(MysqlHarness::new());
//! coupon_app::address_contract!(SqliteHarness::new());
//! coupon_app::desk_contract!(SqliteHarness::new());
//! ```
//!
//! The cases are sentences; what a failing one says has been promised is in the port's documentation.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "test code, compiled as a library so that adapters in other crates can sit it; a case is described by its name"
)]

pub mod addresses;
pub mod combiner;
pub mod dead_letter;
pub mod delivery;
pub mod desk;
pub mod ledger;
pub mod notices;
pub mod redemption;
mod reference;
mod scene;
pub mod store;

pub use reference::{
    ReferenceAddressHarness, ReferenceDeliveryHarness, ReferenceHarness, ReferenceStoreHarness,
};
pub use scene::{OPENING, START, at, coupon_id, key, quantity, terms, token, user};

use std::time::Duration;

/// Longest that one case may take. Whoever waits longer waits for something that will not come.
const LONGEST_CASE: Duration = Duration::from_secs(60);

/// Runs one case on an event loop of its own, and fails when it hangs.
pub fn run(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(LONGEST_CASE, case)
            .await
            .expect("a case that does not end waits for something that will not come");
    });
}
