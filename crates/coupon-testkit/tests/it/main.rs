//! The servers start, answer, die and come back as promised, and nothing is left over.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "these are tests, and so are the functions that they share"
)]

mod cluster;
mod kafka;
mod leftovers;
mod proxy;
mod redis;
mod replica;
mod skips;
mod sql;
