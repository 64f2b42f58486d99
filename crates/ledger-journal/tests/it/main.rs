//! The journal under examination: the contract, crashes at every step, failing disks, damaged files, real files.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "tests, and the rig around them"
)]

mod contract;
mod crash;
mod damage;
mod faults;
mod files;
mod keep;
mod rig;
