//! The front hall through real sockets: the real router, the real loops, and the reference ledger and store behind.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on should stop"
)]

mod admin;
mod audit_log;
mod bad_input;
mod client;
mod contacts;
mod dead_letters;
mod document;
mod gate;
mod house;
mod idempotency;
mod issuing;
mod keys;
mod languages;
mod lists;
mod live;
mod messages;
mod operations;
mod rates;
mod redeeming;
mod redemption_input;
mod redemption_record;
mod search;
mod shutdown;
mod slow_clients;
mod tokens;
mod wallet;
mod webhooks;
