//! The back yard, over the reference store and a source that does what a test says.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where something is not as it should be"
)]

mod feeding;
mod jobs;
mod persisting;
mod yard;
