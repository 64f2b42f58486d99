//! The Redis ledger, its stream and its lock, on real servers.

mod contract;
mod outbox;
mod rig;
