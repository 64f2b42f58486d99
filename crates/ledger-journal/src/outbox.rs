//! The outbox port over the journal: durable batches are read back from the segments until the store has them.

use crate::disk::Disk;
use crate::reader::{Cursor, entry};
use crate::segment::{self, Segments};
use async_trait::async_trait;
use coupon_app::{Entry, Outbox, Seq, StoreError};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// How far the journal is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Durable {
    /// The last durable batch.
    pub(crate) seq: Seq,
    /// No more will come.
    pub(crate) ended: bool,
}

/// Hands out the journal's durable batches.
pub struct JournalOutbox {
    disk: Arc<dyn Disk>,
    segments: Arc<Segments>,
    durable: watch::Receiver<Durable>,
    place: Mutex<Option<Place>>,
}

/// Where the last call left off.
struct Place {
    cursor: Cursor,
    next: Seq,
}

impl std::fmt::Debug for JournalOutbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JournalOutbox")
            .field("durable", &*self.durable.borrow())
            .finish_non_exhaustive()
    }
}

impl JournalOutbox {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        segments: Arc<Segments>,
        durable: watch::Receiver<Durable>,
    ) -> Self {
        Self {
            disk,
            segments,
            durable,
            place: Mutex::new(None),
        }
    }

    fn read(&self, after: Seq, durable: Seq, max_records: usize) -> io::Result<Vec<Entry>> {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        let mut at = match place.take() {
            Some(mut at) if at.next == after + 1 => {
                at.cursor.forget_buffer();
                at
            }
            Some(_) | None => self.seek(after + 1)?,
        };
        let mut entries = Vec::new();
        let mut records = 0;
        while at.next <= durable && (entries.is_empty() || records < max_records) {
            match at.cursor.next()? {
                Some((frame, payload)) if frame.seq == at.next => {
                    let entry = entry(&frame, payload).map_err(io::Error::other)?;
                    records += entry.records.len();
                    entries.push(entry);
                    at.next += 1;
                }
                Some((frame, _)) if frame.seq < at.next => {}
                Some(_) => return Err(missing(at.next)),
                None => at.cursor = self.next_segment(at.next)?,
            }
        }
        *place = Some(at);
        Ok(entries)
    }

    fn seek(&self, seq: Seq) -> io::Result<Place> {
        let first_seq = self.segments.holding(seq).ok_or_else(|| missing(seq))?;
        Ok(Place {
            cursor: Cursor::open(self.disk.as_ref(), first_seq)?,
            next: seq,
        })
    }

    /// The segment that begins with `seq`: the one before has ended.
    fn next_segment(&self, seq: Seq) -> io::Result<Cursor> {
        if self.segments.holding(seq) != Some(seq) {
            return Err(missing(seq));
        }
        Cursor::open(self.disk.as_ref(), seq)
    }
}

fn missing(seq: Seq) -> io::Error {
    io::Error::other(format!(
        "batch {seq} was durable and is not in the journal any more"
    ))
}

#[async_trait]
impl Outbox for JournalOutbox {
    async fn next(&self, after: Seq, max_records: usize) -> Result<Vec<Entry>, StoreError> {
        let mut durable = self.durable.clone();
        let more = durable
            .wait_for(|durable| durable.seq > after || durable.ended)
            .await;
        // A ledger that is gone without having been closed will not write either.
        let seq = more
            .map(|durable| durable.seq)
            .unwrap_or_else(|_gone| self.durable.borrow().seq);
        if seq <= after {
            return Ok(Vec::new());
        }
        self.read(after, seq, max_records).map_err(StoreError::lasting)
    }

    async fn release(&self, through: Seq) -> Result<(), StoreError> {
        while let Some(oldest) = self.segments.oldest_done(through) {
            self.disk
                .remove(&segment::name(oldest))
                .map_err(StoreError::passing)?;
            self.segments.pop_oldest();
        }
        Ok(())
    }

    fn durable(&self) -> Seq {
        self.durable.borrow().seq
    }
}
