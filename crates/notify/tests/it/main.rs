//! The channels, examined from outside: real receivers on the loopback that fail, stall, refuse and lie.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on is to stop and to show where; any other outcome fails it"
)]

mod contacts;
mod mail;
mod scene;
mod templates;
mod tls;
mod webhooks;
