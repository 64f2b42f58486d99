//! The Redis ledger, its stream and its lock, on real servers.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "in a test an unexpected value is a failure, and a panic says where"
)]

mod cluster;
mod contract;
mod deliveries;
mod faults;
mod health;
mod lock;
mod loss;
mod outbox;
mod rig;
mod sale;
mod servers;
mod tls;
