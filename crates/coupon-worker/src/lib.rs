//! The back yard: what is done behind the sale, by any number of processes.
//!
//! * [`persist`] brings the deliveries of a shared ledger to the store. Where a feed lies between, it does so three
//!   times: from the stream to [`Publishing`], from the feed to the store, and from the stream to [`Confirming`].
//! * [`Reopener`] takes the state of a shared ledger anew from the store when it cannot be trusted.
//! * [`SharedReconciliation`] compares such a state with the store.
//! * [`Jobs`] expire, remind and deliver; [`run_jobs`] has each run in its time.
//! * [`Books`] and [`JobBooks`] count what is done, for metrics and readiness.

mod books;
mod confirm;
mod job;
mod job_books;
mod limits;
mod persist;
mod publish;
mod reconcile;
mod reopen;
mod rota;

pub use books::{Books, Part};
pub use confirm::Confirming;
pub use job::{Job, JobParts, JobSettings, Jobs};
pub use job_books::JobBooks;
pub use limits::BACKLOG_EVERY;
pub use persist::{Stop, persist, stop};
pub use publish::Publishing;
pub use reconcile::SharedReconciliation;
pub use reopen::{Reopener, ReopenerBooks, ReopenerParts, lost_positions};
pub use rota::run_jobs;
