//! A shared ledger as the examination wants it: with one outbox of numbered entries, one for each batch.
//!
//! The ledger has a stream for each coupon instead. After each batch the entries that are new in any stream are put
//! in the order of the answers that they explain. What no answer explains, and an answer that nothing explains, fails
//! the test: so the examination also holds the streams against the answers.

use super::rig::Ids;
use async_trait::async_trait;
use coupon_app::{
    Answer, CommandOutcome, Entry, Health, IssueLedger, LedgerError, Outbox, Record, Reply, Request, Seq,
    StoreError,
};
use coupon_core::{CouponId, Outcome};
use ledger_redis::RedisLedger;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// What the examination's outbox keeps over a crash of the server.
#[derive(Default)]
pub(crate) struct Log(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    last: Seq,
    entries: BTreeMap<Seq, Entry>,
    /// The last entry read of each stream.
    read: HashMap<CouponId, Box<str>>,
}

impl Log {
    pub(crate) fn last(&self) -> Seq {
        self.0.lock().unwrap().last
    }
}

/// The ledger under examination and its outbox.
pub(crate) struct Examined {
    ledger: RedisLedger,
    ids: Arc<Ids>,
    log: Arc<Log>,
    /// The last entry, and whether there will be no more.
    progress: watch::Sender<(Seq, bool)>,
}

impl Examined {
    pub(crate) fn new(ledger: RedisLedger, ids: Arc<Ids>, log: Arc<Log>) -> Self {
        let (progress, _) = watch::channel((log.last(), false));
        Self {
            ledger,
            ids,
            log,
            progress,
        }
    }

    /// The records that are new in any stream, by coupon and position or revision.
    async fn news(&self) -> HashMap<(CouponId, bool, u32), Record> {
        let mut news = HashMap::new();
        for number in 1..=self.ids.last() {
            let coupon = CouponId::new(number).unwrap();
            let after = self.log.0.lock().unwrap().read.get(&coupon).cloned();
            let after = after.unwrap_or_else(|| "0-0".into());
            for (id, delivery) in self.ledger.entries_after(coupon, &after).await.unwrap() {
                assert_eq!((delivery.coupon, delivery.epoch), (coupon, 1));
                for record in delivery.records {
                    let name = match &record {
                        Record::Issued(issued) => (coupon, true, issued.grant.position.get()),
                        Record::Revised(revised) => (coupon, false, revised.coupon.revision),
                    };
                    assert!(news.insert(name, record).is_none(), "{name:?} is there twice");
                }
                self.log.0.lock().unwrap().read.insert(coupon, id);
            }
        }
        news
    }

    async fn write(&self, asked: &[Request], told: &[Answer]) {
        let mut news = self.news().await;
        let mut records = Vec::new();
        for (request, answer) in asked.iter().zip(told) {
            let found = match (request, answer) {
                (Request::Issue(issue), Ok(Reply::Issue(Outcome::Issued(grant)))) => {
                    let record = news.remove(&(issue.coupon, true, grant.position.get()));
                    Some(record.expect("an issue is in the stream before it is answered"))
                }
                (Request::Command(_), Ok(Reply::Command(outcome))) => match outcome.as_ref() {
                    CommandOutcome::Done {
                        coupon,
                        replayed: false,
                        ..
                    } => news.remove(&(coupon.id, false, coupon.revision)),
                    _ => None,
                },
                _ => None,
            };
            records.extend(found);
        }
        assert!(news.is_empty(), "no answer explains {news:?}");
        if !records.is_empty() {
            let mut log = self.log.0.lock().unwrap();
            log.last += 1;
            let seq = log.last;
            log.entries.insert(seq, Entry { seq, records });
            self.progress.send_modify(|progress| progress.0 = seq);
        }
    }
}

#[async_trait]
impl IssueLedger for Examined {
    async fn commit(&self, requests: &mut Vec<Request>, answers: &mut Vec<Answer>) {
        let asked = requests.clone();
        let before = answers.len();
        self.ledger.commit(requests, answers).await;
        if !self.progress.borrow().1 {
            self.write(&asked, &answers[before..]).await;
        }
    }

    fn health(&self) -> Health {
        self.ledger.health()
    }

    async fn close(&self) -> Result<(), LedgerError> {
        self.ledger.close().await?;
        self.progress.send_modify(|progress| progress.1 = true);
        Ok(())
    }
}

#[async_trait]
impl Outbox for Examined {
    async fn next(&self, after: Seq, max_records: usize) -> Result<Vec<Entry>, StoreError> {
        let mut progress = self.progress.subscribe();
        let news = |(last, closed): &(Seq, bool)| *last > after || *closed;
        progress.wait_for(news).await.map_err(StoreError::lasting)?;
        let log = self.log.0.lock().unwrap();
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
        self.log.0.lock().unwrap().entries.retain(|seq, _| *seq > through);
        Ok(())
    }

    fn durable(&self) -> Seq {
        self.progress.borrow().0
    }
}
