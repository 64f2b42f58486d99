//! A store at rest: read with nothing changed in it, in whatever format it is.

use crate::apply::applied_seq;
use crate::connection::open_reader;
use crate::error::{Failure, OpenError};
use crate::load;
use crate::row::sum;
use async_trait::async_trait;
use coupon_app::{Applied, Entry, RecordStore, Restore, Seq, StoreError};
use coupon_core::CouponId;
use rusqlite::{Connection, OptionalExtension};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Pages that are kept, in KiB.
const CACHE_KIB: u32 = 2 << 10;

/// A store in which nothing runs, for looking at what it holds without changing it. Where
/// [`SqliteStore`](crate::SqliteStore) would bring an older format to the newest, take the seal off a backup, or carry
/// what a crash has left in the log, this reads what is there. As a [`RecordStore`] it gives everything and takes nothing.
#[derive(Debug)]
pub struct StoreAtRest(Mutex<Connection>);

impl StoreAtRest {
    /// Opens the store in the file at `path`, which must be there, for reading. The caller holds a lock on its directory.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Ok(Self(Mutex::new(open_reader(path, CACHE_KIB)?)))
    }

    /// How many of a coupon are issued, by the sum that is kept of it; 0 of one that is not there.
    pub fn issued(&self, coupon: CouponId) -> Result<u64, StoreError> {
        Ok(issued(&self.reader(), coupon)?)
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        // It only reads: whoever has panicked has left nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn issued(connection: &Connection, coupon: CouponId) -> Result<u64, Failure> {
    let issued = connection
        .prepare_cached("SELECT issued FROM coupons WHERE id = ?1")?
        .query_row([coupon.get()], |row| row.get(0))
        .optional()?;
    sum(issued.unwrap_or(0))
}

fn code_key(connection: &Connection) -> Result<Option<[u8; 16]>, Failure> {
    Ok(connection.query_row("SELECT code_key FROM meta", [], |row| row.get(0))?)
}

#[async_trait]
impl RecordStore for StoreAtRest {
    async fn applied(&self) -> Result<Seq, StoreError> {
        Ok(applied_seq(&self.reader())?)
    }

    async fn apply(&self, _entries: &[Entry]) -> Result<Applied, StoreError> {
        Err(StoreError::lasting(
            "this store is only looked at; nothing was written",
        ))
    }

    async fn load(&self, restore: &mut (dyn Restore + Send)) -> Result<Seq, StoreError> {
        Ok(load::load(&mut self.reader(), restore, &mut None)?)
    }

    /// `fresh` is not kept: a store that has no key yet has told nobody a code.
    async fn code_key(&self, fresh: [u8; 16]) -> Result<[u8; 16], StoreError> {
        Ok(code_key(&self.reader())?.unwrap_or(fresh))
    }
}
