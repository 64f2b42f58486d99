//! The reference ledger and its outbox.

use super::facts::Facts;
use crate::{
    Answer, Board, Clock, Entry, Health, IssueLedger, LedgerError, Outbox, Reason, Record, RecordStore,
    Reply, Request, Seq, StoreError,
};
use async_trait::async_trait;
use coupon_core::CouponId;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// What survives the reference ledger: its disk, so to speak.
#[derive(Debug, Default)]
pub struct Medium(Mutex<Log>);

#[derive(Debug, Default)]
struct Log {
    /// The number of the last entry ever written.
    last: Seq,
    /// Those that were not released.
    entries: BTreeMap<Seq, Entry>,
}

impl Medium {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many entries it keeps.
    pub fn kept(&self) -> usize {
        self.log().entries.len()
    }
}

/// The reference: decides one request after the other by `coupon_core`, and writes one entry for each batch.
pub struct MemoryLedger {
    medium: Arc<Medium>,
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
    facts: Mutex<Facts>,
    progress: watch::Sender<Progress>,
}

#[derive(Clone, Copy, Debug)]
struct Progress {
    durable: Seq,
    closed: bool,
}

impl fmt::Debug for MemoryLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLedger")
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

impl MemoryLedger {
    /// Opens the ledger on `medium`: facts come from the store, and from the entries that it has not applied.
    pub async fn open(
        medium: Arc<Medium>,
        store: &dyn RecordStore,
        board: Arc<Board>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let mut facts = Facts::default();
        let applied = store.load(&mut facts).await?;
        facts.post(&board, true);
        let durable = {
            let mut log = medium.log();
            for (_, entry) in log.entries.range(applied + 1..) {
                for record in &entry.records {
                    facts.apply(record.clone());
                }
            }
            // A store that knows more than its ledger has been restored beside an empty medium.
            log.last = log.last.max(applied);
            log.last
        };
        facts.post(&board, false);
        let (progress, _) = watch::channel(Progress {
            durable,
            closed: false,
        });
        Ok(Self {
            medium,
            board,
            clock,
            facts: Mutex::new(facts),
            progress,
        })
    }

    /// Decides one request. What it changes is in `records` and is a fact already when the next one is decided.
    fn decide(&self, facts: &mut Facts, request: Request, records: &mut Vec<Record>) -> Reply {
        let now = self.clock.now();
        let (reply, record) = match request {
            Request::Issue(request) => {
                let (outcome, record) = facts.issue(request, now);
                (Reply::Issue(outcome), record)
            }
            Request::Command(request) => {
                let (outcome, record) = facts.command(*request, now);
                (Reply::Command(Box::new(outcome)), record)
            }
            Request::Look(look) => (Reply::Look(Box::new(facts.look(*look))), None),
        };
        if let Some(record) = record {
            facts.apply(record.clone());
            records.push(record);
        }
        reply
    }

    fn write(&self, records: Vec<Record>) -> Seq {
        let mut log = self.medium.log();
        log.last += 1;
        let seq = log.last;
        log.entries.insert(seq, Entry { seq, records });
        seq
    }
}

fn coupon_of(record: &Record) -> CouponId {
    match record {
        Record::Issued(issued) => issued.coupon,
        Record::Revised(revised) => revised.coupon.id,
    }
}

#[async_trait]
impl IssueLedger for MemoryLedger {
    async fn commit(&self, requests: &mut Vec<Request>, answers: &mut Vec<Answer>) {
        if self.progress.borrow().closed {
            let refused = |_request| Err(LedgerError::Unavailable(Reason::Closing));
            answers.extend(requests.drain(..).map(refused));
            return;
        }
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut records = Vec::new();
        for request in requests.drain(..) {
            answers.push(Ok(self.decide(&mut facts, request, &mut records)));
        }
        if records.is_empty() {
            return;
        }
        let changed: BTreeSet<CouponId> = records.iter().map(coupon_of).collect();
        let durable = self.write(records);
        for id in changed {
            facts.post_coupon(&self.board, id);
        }
        self.progress.send_modify(|progress| progress.durable = durable);
    }

    fn health(&self) -> Health {
        if self.progress.borrow().closed {
            Health::NotReady("closed".to_owned())
        } else {
            Health::Ready
        }
    }

    async fn close(&self) -> Result<(), LedgerError> {
        self.progress.send_modify(|progress| progress.closed = true);
        Ok(())
    }
}

#[async_trait]
impl Outbox for MemoryLedger {
    async fn next(&self, after: Seq, max_records: usize) -> Result<Vec<Entry>, StoreError> {
        let mut progress = self.progress.subscribe();
        let news = |progress: &Progress| progress.durable > after || progress.closed;
        progress.wait_for(news).await.map_err(StoreError::lasting)?;
        let log = self.medium.log();
        let mut entries: Vec<Entry> = Vec::new();
        let mut records = 0;
        for (_, entry) in log.entries.range(after + 1..) {
            if !entries.is_empty() && records + entry.records.len() > max_records {
                break;
            }
            records += entry.records.len();
            entries.push(entry.clone());
        }
        Ok(entries)
    }

    async fn release(&self, through: Seq) -> Result<(), StoreError> {
        self.medium.log().entries.retain(|seq, _| *seq > through);
        Ok(())
    }

    fn durable(&self) -> Seq {
        self.progress.borrow().durable
    }
}
