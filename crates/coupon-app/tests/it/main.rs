//! The references sit the examination that they are held up for.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: what fails here fails the test"
)]

mod addresses;
mod board;
mod bringing;
mod combiner;
mod dead_letter;
mod delivery;
mod desk;
mod follow;
mod forwarding;
mod ledger;
mod ledgers;
mod notices;
mod reconciliation;
mod redeemer;
mod redemption;
mod refusals;
mod reopening;
mod store;
mod suites;
