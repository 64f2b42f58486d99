//! The back yard: what is done behind the sale, by any number of processes.
//!
//! * [`persist`] brings the deliveries of a shared ledger to the store.
//! * [`Reopener`] takes the state of a shared ledger anew from the store when it cannot be trusted.
//! * [`SharedReconciliation`] compares such a state with the store.
//! * [`Jobs`] expire, remind and deliver; [`run_jobs`] has each run in its time.
//! * [`Books`] and [`JobBooks`] count what is done, for metrics and readiness.

mod books;
mod job;
mod job_books;
mod limits;
mod persist;
mod reconcile;
mod reopen;
mod rota;

pub use books::Books;
pub use job::{Job, JobParts, JobSettings, Jobs};
pub use job_books::JobBooks;
pub use limits::BACKLOG_EVERY;
pub use persist::{Stop, persist, stop};
pub use reconcile::SharedReconciliation;
pub use reopen::{Reopener, ReopenerBooks, ReopenerParts, lost_positions};
pub use rota::run_jobs;
