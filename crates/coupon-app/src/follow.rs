//! Carries the ledger's records to the store: in batches, in order, behind the sale, never in its way.

use crate::{Applied, Board, Outbox, Record, RecordStore, StoreError, limits};
use std::time::Duration;

/// How far the follower has come, for metrics.
pub trait Followed: Send + Sync {
    /// Entries were applied.
    fn applied(&self, applied: Applied);

    /// The store failed and will be tried again after `pause`.
    fn failed(&self, error: &StoreError, pause: Duration);
}

/// How long records gather before the next are carried, unless a full load waits. Each transaction of the store costs
/// a sync of its own, and a disk that is given much at once lets the journal's sync wait for all of it: so neither too
/// often nor too much. The desk closes the gap meanwhile. Who wants to redeem what is on its way cannot wait so long
/// and cuts it short.
const GATHER: Duration = Duration::from_millis(15);
const FULL_LOAD: u64 = limits::MAX_APPLY as u64 / 2;
/// When no entry has come for so long, the store may do what it has put off.
const QUIET: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Brings entries from the outbox to the store until the ledger is closed and everything has arrived. A failing store
/// is tried again for ever, with growing pauses: the records are safe in the outbox meanwhile.
pub async fn follow(
    outbox: &dyn Outbox,
    store: &dyn RecordStore,
    board: &Board,
    followed: &dyn Followed,
) -> Result<(), StoreError> {
    let mut pause = FIRST_PAUSE;
    loop {
        match step(outbox, store, board).await {
            Ok(None) => return Ok(()),
            Ok(Some(applied)) => {
                followed.applied(applied);
                pause = FIRST_PAUSE;
                if applied.written < FULL_LOAD {
                    // Either end of the wait is as good.
                    let _elapsed = tokio::time::timeout(GATHER, board.hurried()).await;
                }
            }
            Err(error) => {
                followed.failed(&error, pause);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

async fn step(
    outbox: &dyn Outbox,
    store: &dyn RecordStore,
    board: &Board,
) -> Result<Option<Applied>, StoreError> {
    let after = store.applied().await?;
    let mut next = outbox.next(after, limits::MAX_APPLY);
    let entries = match tokio::time::timeout(QUIET, &mut next).await {
        Ok(entries) => entries?,
        Err(_quiet) => loop {
            let Some(pause) = store.settle().await? else {
                break next.await?;
            };
            if let Ok(entries) = tokio::time::timeout(pause, &mut next).await {
                break entries?;
            }
        },
    };
    if entries.is_empty() {
        return Ok(None);
    }
    let applied = store.apply(&entries).await?;
    for record in entries.iter().flat_map(|entry| &entry.records) {
        if let Record::Issued(issued) = record {
            board.post_stored(issued.coupon, issued.grant.position.get());
        }
    }
    board.announce_arrival();
    outbox.release(applied.seq).await?;
    Ok(Some(applied))
}
