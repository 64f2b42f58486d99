//! What is known of the server's strength.

use crate::error::Failure;
use crate::settings::{Declared, Settings, weaknesses};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whether the server is configured strongly enough, as last seen.
#[derive(Debug, Default)]
pub(crate) struct Condition(Mutex<Seen>);

#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Too weak: nothing is decided.
    pub(crate) weak: Option<String>,
    /// Could not be asked: readiness says so, and whoever tries may be luckier.
    pub(crate) unreachable: Option<String>,
}

impl Condition {
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a server says of itself, and refuses one that is too weak.
    pub(crate) fn judge(&self, settings: &Settings, declared: &Declared) -> Result<(), Failure> {
        let weak = weaknesses(settings, declared);
        *self.seen() = Seen {
            weak: weak.clone(),
            unreachable: None,
        };
        weak.map_or(Ok(()), |weak| Err(Failure::Weak(weak)))
    }

    pub(crate) fn weak(&self) -> Option<String> {
        self.seen().weak.clone()
    }
}
