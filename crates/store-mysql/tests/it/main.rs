//! The store and the ledger on real MySQL and MariaDB servers.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: what fails here fails the test"
)]

mod contract;
mod dead_letters;
mod faults;
mod fences;
mod newcomers;
mod notices;
mod outside;
mod redeem;
mod rig;
mod roll_call;
mod servers;
mod settings;
mod tables;
mod upgrade;
