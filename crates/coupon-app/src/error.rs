//! What can go wrong at a port. An error is a promise about side effects.

use std::error::Error;
use std::sync::Arc;

/// A ledger, or a store that redeems, could not decide, or could not make its decision durable. There are two, and only
/// two.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerError {
    /// Nothing happened, and nothing will.
    #[error("unavailable, nothing happened: {0}")]
    Unavailable(Reason),
    /// It may have happened. Asking again with the same user gives a definite answer.
    #[error("indeterminate, ask again: {0}")]
    Indeterminate(Reason),
}

/// Why, for operators; clients are told the variant of [`LedgerError`] only.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Reason {
    /// As many requests wait as may.
    #[error("the queue is full")]
    QueueFull,
    /// The server is stopping.
    #[error("the server is stopping")]
    Closing,
    /// An earlier write or sync failed; only a restart with recovery helps.
    #[error("an earlier write failed; restart to recover")]
    Poisoned,
    /// The store has not taken in what the request is about, and took too long to.
    #[error("the store is too far behind the ledger")]
    StoreBehind,
    /// The adapter's own trouble.
    #[error("{0}")]
    Adapter(Arc<dyn Error + Send + Sync>),
}

impl Reason {
    /// The adapter's own error as a reason.
    pub fn adapter(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Adapter(Arc::new(error))
    }
}

/// A store could not answer or could not write.
#[derive(Debug, thiserror::Error)]
#[error("the store failed{}: {cause}", if *.retriable { " (may pass)" } else { "" })]
pub struct StoreError {
    /// The adapter's own error.
    #[source]
    pub cause: Box<dyn Error + Send + Sync>,
    /// Whether trying again may help: busy, a lost connection, a deadlock. A full disk or damage does not pass.
    pub retriable: bool,
}

impl StoreError {
    /// An error that stays.
    pub fn lasting(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: cause.into(),
            retriable: false,
        }
    }

    /// An error that may pass.
    pub fn passing(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: cause.into(),
            retriable: true,
        }
    }
}
