//! The back yard: what is done behind the sale, by any number of processes.
//!
//! * [`persist`] brings the deliveries of a shared ledger to the store. Where a feed lies between, it does so three
//!   times: from the stream to [`Publishing`], from the feed to the store, and from the stream to [`Confirming`].
//! * [`Books`] count what it does, for metrics and readiness.

mod books;
mod confirm;
mod limits;
mod persist;
mod publish;

pub use books::{Books, Part};
pub use confirm::Confirming;
pub use limits::BACKLOG_EVERY;
pub use persist::{Stop, persist, stop};
pub use publish::Publishing;
