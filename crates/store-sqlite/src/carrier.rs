//! The carrier: brings what is in the log into the file, beside the writer.

use crate::error::{Failure, OpenError};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The carrier rests for so long after each time: pages that change again meanwhile are carried once.
const REST: Duration = Duration::from_millis(100);

/// A thread with a connection of its own. In SQLite's log mode whoever carries (a passive checkpoint) waits for nobody and
/// nobody waits for it, so the thread that decides redemptions need not do it between two batches.
///
/// The log begins anew only when everything in it is carried and the file is synced, which steady writing keeps the carrier
/// from: there is always one more commit. So the writer does that when the log has become long (`Carry::Later`). What is left
/// to write is little then; the sync is of all that was carried since the last one.
#[derive(Debug)]
pub(crate) struct Carrier {
    told: Arc<Told>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Told {
    /// Something was written since the carrier began last.
    rung: AtomicBool,
    ending: AtomicBool,
}

impl Carrier {
    /// Starts one for the file at `path`, which is there and in order.
    pub(crate) fn start(path: &Path) -> Result<Self, OpenError> {
        let sqlite = |cause| OpenError::Sqlite {
            path: path.into(),
            cause,
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
        // Whoever else is carrying does the same.
        connection.busy_timeout(Duration::ZERO).map_err(sqlite)?;
        // The log is on the disk before its pages are in the file, and they are before the log begins anew.
        connection
            .pragma_update(None, "synchronous", "FULL")
            .map_err(sqlite)?;
        let told = Arc::new(Told::default());
        let heard = Arc::clone(&told);
        let thread = std::thread::Builder::new()
            .name("store-carrier".to_owned())
            .spawn(move || keep_carrying(&connection, &heard))
            .map_err(|cause| OpenError::NotWritable {
                path: path.into(),
                cause,
            })?;
        Ok(Self {
            told,
            thread: Some(thread),
        })
    }

    /// Tells it that something was written.
    pub(crate) fn ring(&self) {
        if !self.told.rung.swap(true, Ordering::AcqRel) {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.told.ending.store(true, Ordering::Release);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // If it panicked, the writer has carried in its place.
            let _ended = thread.join();
        }
    }
}

fn keep_carrying(connection: &Connection, told: &Told) {
    while !told.ending.load(Ordering::Acquire) {
        if !told.rung.swap(false, Ordering::AcqRel) {
            std::thread::park();
            continue;
        }
        // What was committed stays in the log and is carried later. A disk that takes nothing any more refuses the log too,
        // and the writer says so.
        let _carried = carry(connection);
        let began = Instant::now();
        while !told.ending.load(Ordering::Acquire)
            && let Some(left) = REST.checked_sub(began.elapsed()).filter(|left| !left.is_zero())
        {
            std::thread::park_timeout(left);
        }
    }
}

fn carry(connection: &Connection) -> Result<(), Failure> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_row| Ok(()))?;
    Ok(())
}
