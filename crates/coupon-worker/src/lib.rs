//! The back yard: what is done behind the sale, by any number of processes.
//!
//! * [`persist`] brings the deliveries of a shared ledger to the store.
//! * [`Books`] count what it does, for metrics and readiness.

mod books;
mod limits;
mod persist;

pub use books::Books;
pub use limits::BACKLOG_EVERY;
pub use persist::{Stop, persist, stop};
