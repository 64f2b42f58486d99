//! The follower and a store that fails for a while.

use async_trait::async_trait;
use coupon_app::contract::ledger::{ask, order};
use coupon_app::contract::{START, coupon_id, run, terms, user};
use coupon_app::memory::{ManualClock, Medium, MemoryLedger, MemoryStore};
use coupon_app::{
    Applied, Board, Entry, Followed, IssueLedger, Outbox, RecordStore, Request, Restore, Seq, StoreError,
    follow,
};
use coupon_core::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// A store that fails at each step a few times before it does it.
struct Moody {
    store: MemoryStore,
    moods: AtomicU32,
}

impl Moody {
    fn mood(&self) -> Result<(), StoreError> {
        match self.moods.fetch_add(1, Ordering::SeqCst) % 3 {
            0 => Err(StoreError::passing("busy")),
            1 => Err(StoreError::lasting("the disk is full")),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl RecordStore for Moody {
    async fn applied(&self) -> Result<Seq, StoreError> {
        self.store.applied().await
    }

    async fn apply(&self, entries: &[Entry]) -> Result<Applied, StoreError> {
        self.mood()?;
        self.store.apply(entries).await
    }

    async fn load(&self, restore: &mut (dyn Restore + Send)) -> Result<Seq, StoreError> {
        self.store.load(restore).await
    }

    async fn code_key(&self, fresh: [u8; 16]) -> Result<[u8; 16], StoreError> {
        self.store.code_key(fresh).await
    }
}

#[derive(Default)]
struct Notes {
    failures: Mutex<Vec<Duration>>,
    applied: Mutex<Vec<Applied>>,
}

impl Followed for Notes {
    fn applied(&self, applied: Applied) {
        self.applied.lock().unwrap().push(applied);
    }

    fn failed(&self, _error: &StoreError, pause: Duration) {
        self.failures.lock().unwrap().push(pause);
    }
}

#[test]
fn a_store_that_fails_is_tried_again_and_nothing_is_released_before_it_has_it() {
    run(async {
        let moody = Moody {
            store: MemoryStore::new(),
            moods: AtomicU32::new(0),
        };
        let (medium, board) = (Arc::new(Medium::default()), Arc::new(Board::new()));
        let clock = Arc::new(ManualClock::at(START));
        let opened = MemoryLedger::open(Arc::clone(&medium), &moody, Arc::clone(&board), clock).await;
        let ledger = opened.unwrap();
        let create = order(None, Command::Create(Box::new(terms(0))));
        let mut requests = vec![
            Request::Command(Box::new(create)),
            ask(coupon_id(1), &user(1), None),
        ];
        ledger.commit(&mut requests, &mut Vec::new()).await;
        ledger.close().await.unwrap();
        let notes = Notes::default();
        follow(&ledger, &moody, &board, &notes).await.unwrap();
        let pauses = notes.failures.into_inner().unwrap();
        assert_eq!(pauses.len(), 2);
        assert!(pauses[0] < pauses[1], "the pauses grow: {pauses:?}");
        let applied = notes.applied.into_inner().unwrap();
        assert_eq!((applied.len(), applied[0].written), (1, 1));
        assert_eq!(moody.store.applied().await.unwrap(), ledger.durable());
        assert_eq!((medium.kept(), board.pending()), (0, vec![]));
    });
}

/// A store that tells when it was asked to settle, is never done with it, and wants to be asked again after `pause`.
struct Settling {
    store: MemoryStore,
    asked: Notify,
    pause: Duration,
}

#[async_trait]
impl RecordStore for Settling {
    async fn applied(&self) -> Result<Seq, StoreError> {
        self.store.applied().await
    }

    async fn apply(&self, entries: &[Entry]) -> Result<Applied, StoreError> {
        self.store.apply(entries).await
    }

    async fn settle(&self) -> Result<Option<Duration>, StoreError> {
        self.asked.notify_one();
        Ok(Some(self.pause))
    }

    async fn load(&self, restore: &mut (dyn Restore + Send)) -> Result<Seq, StoreError> {
        self.store.load(restore).await
    }

    async fn code_key(&self, fresh: [u8; 16]) -> Result<[u8; 16], StoreError> {
        self.store.code_key(fresh).await
    }
}

#[test]
fn a_quiet_moment_is_the_stores_and_what_comes_afterwards_still_arrives() {
    a_sale_after_a_quiet_moment(Duration::ZERO);
}

#[test]
fn a_store_that_is_to_be_asked_much_later_is_given_what_comes_at_once() {
    a_sale_after_a_quiet_moment(Duration::from_secs(3_600));
}

fn a_sale_after_a_quiet_moment(pause: Duration) {
    run(async {
        let settling = Settling {
            store: MemoryStore::new(),
            asked: Notify::new(),
            pause,
        };
        let (medium, board) = (Arc::new(Medium::default()), Arc::new(Board::new()));
        let clock = Arc::new(ManualClock::at(START));
        let opened = MemoryLedger::open(Arc::clone(&medium), &settling, Arc::clone(&board), clock).await;
        let ledger = opened.unwrap();
        let notes = Notes::default();
        let selling = async {
            settling.asked.notified().await;
            let create = order(None, Command::Create(Box::new(terms(0))));
            let mut requests = vec![
                Request::Command(Box::new(create)),
                ask(coupon_id(1), &user(1), None),
            ];
            ledger.commit(&mut requests, &mut Vec::new()).await;
            ledger.close().await.unwrap();
        };
        let (followed, ()) = tokio::join!(follow(&ledger, &settling, &board, &notes), selling);
        followed.unwrap();
        assert_eq!(settling.store.applied().await.unwrap(), ledger.durable());
        assert_eq!((medium.kept(), board.pending()), (0, vec![]));
    });
}
