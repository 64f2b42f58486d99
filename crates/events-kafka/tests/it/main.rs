//! The topic, its producer and its consumers, on real brokers.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: what fails here fails the test"
)]

mod broker;
mod channel;
mod dead_letters;
mod feed;
mod group;
mod health;
mod rig;
