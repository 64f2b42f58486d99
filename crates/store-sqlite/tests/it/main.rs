//! The store, examined from outside.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on is to stop and to show where"
)]

mod apply;
mod backup;
mod carry;
mod contract;
mod crash;
mod fold;
mod full;
mod notices;
mod open;
mod property;
mod quarantine;
mod redeem;
mod scene;
mod tally;
mod upgrade;
mod verify;
