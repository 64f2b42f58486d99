//! The Redis ledger, its stream and its lock, on real servers.

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
