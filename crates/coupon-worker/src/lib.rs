//! The back yard: what is done behind the sale, by any number of processes.
//!
//! * [`persist`] brings the deliveries of a shared ledger to the store.
//! * [`Reopener`] takes the state of a shared ledger anew from the store when it cannot be trusted.
//! * [`SharedReconciliation`] compares such a state with the store.
//! * [`Books`] count what it does, for metrics and readiness.

mod books;
mod limits;
mod persist;
mod reconcile;
mod reopen;

pub use books::Books;
pub use limits::BACKLOG_EVERY;
pub use persist::{Stop, persist, stop};
pub use reconcile::SharedReconciliation;
pub use reopen::{Reopener, ReopenerBooks, ReopenerParts, lost_positions};
