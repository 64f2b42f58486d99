//! The readers: a few read-only connections, used off the event loops.

use crate::connection::open_reader;
use crate::error::{Failure, OpenError};
use rusqlite::Connection;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// A bounded pool. Whoever finds none free waits without blocking a thread.
#[derive(Debug)]
pub(crate) struct Readers {
    idle: Mutex<Vec<Connection>>,
    free: Arc<Semaphore>,
}

impl Readers {
    /// Opens `count` readers.
    pub(crate) fn open(path: &Path, count: usize, cache_kib: u32) -> Result<Self, OpenError> {
        let idle = (0..count)
            .map(|_| open_reader(path, cache_kib))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            idle: Mutex::new(idle),
            free: Arc::new(Semaphore::new(count)),
        })
    }

    /// Runs a query on a thread for blocking work. When the caller goes away the query still ends, and only then the
    /// connection is free again: so never more threads work than there are readers.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let permit = Arc::clone(&self.free)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let readers = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let mut lease = Lease {
                connection: readers.take(),
                readers,
            };
            let connection = lease
                .connection
                .as_mut()
                .expect("a permit stands for a connection");
            let answer = query(connection);
            drop(lease);
            drop(permit);
            answer
        })
        .await?
    }

    fn take(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// Gives the connection back, even when the query panics.
struct Lease {
    connection: Option<Connection>,
    readers: Arc<Readers>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut idle = self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.extend(self.connection.take());
    }
}
