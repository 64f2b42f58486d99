//! The process: start, configuration, signals, kill and recovery, examined on the real binary.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails where something is not as it should be"
)]

mod audits;
mod backups;
mod commands;
mod compose;
mod configuration;
mod crash;
mod data_dir;
mod faults;
mod fleet;
mod harness;
mod jobs;
mod kafka;
mod log;
mod many_listeners;
mod many_notifications;
mod many_redemptions;
mod many_rehearsals;
mod many_servers;
mod notifications;
mod reconciliation;
mod redemptions;
mod shutdown;
mod sign_in;
mod start;
mod undelivered;
mod whole_life;
