//! What cannot wait for workers is forwarded to the store.

use async_trait::async_trait;
use coupon_app::contract::ledger::{ask, order};
use coupon_app::contract::{OPENING, coupon_id, key, terms, user};
use coupon_app::memory::{ManualClock, Medium, MemoryDeliveries, MemoryLedger, MemoryStore};
use coupon_app::{
    Answer, Board, CouponStore, Delivered, Delivery, DeliveryStore, Epoch, Epochs, Forwarding, IssueLedger,
    LedgerError, LedgerMarks, Quarantined, Reply, Request, StoreError, StoreTally, WalletFilter,
};
use coupon_core::{AckLevel, Command, CouponId, IssuedCoupon, IssuedCouponId, Outcome, Timestamp, UserId};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// The reference store, and whether it can be reached.
#[derive(Default)]
struct Store {
    inner: MemoryDeliveries,
    away: AtomicBool,
    delivered: AtomicU32,
}

impl Store {
    fn reached(&self) -> Result<(), StoreError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(StoreError::passing("the store is away"));
        }
        Ok(())
    }

    async fn issued(&self, coupon: CouponId) -> u32 {
        self.inner
            .mark(coupon)
            .await
            .unwrap()
            .map_or(0, |mark| mark.issued)
    }
}

#[async_trait]
impl DeliveryStore for Store {
    async fn deliver(&self, deliveries: &[Delivery]) -> Result<Delivered, StoreError> {
        self.reached()?;
        self.delivered.fetch_add(1, Ordering::Relaxed);
        self.inner.deliver(deliveries).await
    }

    async fn quarantine(&self, after: u64, limit: usize) -> Result<Vec<Quarantined>, StoreError> {
        self.inner.quarantine(after, limit).await
    }
}

#[async_trait]
impl CouponStore for Store {
    async fn wallet(&self, _: &UserId, _: WalletFilter) -> Result<Vec<IssuedCoupon>, StoreError> {
        Ok(Vec::new())
    }

    async fn issued_coupon(&self, id: IssuedCouponId) -> Result<Option<IssuedCoupon>, StoreError> {
        self.reached()?;
        let found = self.inner.records(id.coupon, id.position.get() - 1, 1).await?;
        let found = found.into_iter().find(|one| one.grant.position == id.position);
        Ok(found.map(|one| IssuedCoupon::new(one.coupon, one.user, one.grant)))
    }

    async fn issued_coupons(&self, _: CouponId, _: u32, _: usize) -> Result<Vec<IssuedCoupon>, StoreError> {
        Ok(Vec::new())
    }

    async fn tally(&self, _: CouponId, _: Timestamp) -> Result<StoreTally, StoreError> {
        Ok(StoreTally::default())
    }

    async fn health(&self) -> Result<(), StoreError> {
        self.reached()
    }
}

/// The epoch that the ledger decides in, and the one that it finds out about while it decides.
struct InEpoch(Mutex<(Epoch, Epoch)>);

impl InEpoch {
    fn is(&self, epoch: Epoch) {
        *self.0.lock().unwrap() = (epoch, epoch);
    }

    fn rises_while_deciding(&self) {
        self.0.lock().unwrap().1 += 1;
    }
}

impl Epochs for InEpoch {
    fn epoch(&self, _: CouponId) -> Option<Epoch> {
        let mut epochs = self.0.lock().unwrap();
        let (before, after) = *epochs;
        *epochs = (after, after);
        Some(before)
    }
}

struct Scene {
    store: Arc<Store>,
    epoch: Arc<InEpoch>,
    ledger: Forwarding,
}

impl Scene {
    async fn open() -> Self {
        let board = Arc::new(Board::new());
        let nothing = MemoryStore::new();
        let opened = MemoryLedger::open(
            Arc::new(Medium::default()),
            &nothing,
            Arc::clone(&board),
            Arc::new(ManualClock::at(OPENING)),
        );
        let store = Arc::new(Store::default());
        let epoch = Arc::new(InEpoch(Mutex::new((1, 1))));
        let ledger = Forwarding::new(
            Arc::new(opened.await.unwrap()),
            Arc::clone(&epoch) as _,
            Arc::clone(&store) as _,
            Arc::clone(&store) as _,
            board,
        );
        Self { store, epoch, ledger }
    }

    async fn commit(&self, mut requests: Vec<Request>) -> Vec<Answer> {
        let mut answers = Vec::new();
        self.ledger.commit(&mut requests, &mut answers).await;
        answers
    }

    /// Creates coupon 1.
    async fn create(&self, ack: AckLevel) -> CouponId {
        let mut terms = terms(9);
        terms.ack = ack;
        let create = order(None, Command::Create(Box::new(terms)));
        let answers = self.commit(vec![Request::Command(Box::new(create))]).await;
        assert!(matches!(answers[0], Ok(Reply::Command(_))), "{answers:?}");
        coupon_id(1)
    }

    async fn issue(&self, number: usize) -> Answer {
        let asked = ask(coupon_id(1), &user(number), key(7));
        self.commit(vec![asked]).await.pop().unwrap()
    }
}

fn outcome(answer: &Answer) -> Outcome {
    match answer {
        Ok(Reply::Issue(outcome)) => *outcome,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_command_is_in_the_store_when_it_is_answered_if_the_store_is_there() {
    let scene = Scene::open().await;
    let coupon = scene.create(AckLevel::Ledger).await;
    assert!(scene.store.inner.mark(coupon).await.unwrap().is_some());
    scene.store.away.store(true, Ordering::Relaxed);
    let pause = order(Some(coupon), Command::Pause);
    let answers = scene.commit(vec![Request::Command(Box::new(pause))]).await;
    assert!(answers[0].is_ok(), "what the ledger has said stays: {answers:?}");
    let mark = scene.store.inner.mark(coupon).await.unwrap().unwrap();
    assert!(!mark.coupon.paused, "the stream brings it");
}

#[tokio::test]
async fn with_ack_store_nobody_is_told_issued_before_the_store_has_it() {
    let scene = Scene::open().await;
    let coupon = scene.create(AckLevel::Store).await;
    assert!(matches!(outcome(&scene.issue(1).await), Outcome::Issued(_)));
    assert_eq!(scene.store.issued(coupon).await, 1);
    scene.store.away.store(true, Ordering::Relaxed);
    for _ in 0..2 {
        assert!(matches!(scene.issue(2).await, Err(LedgerError::Indeterminate(_))));
    }
    scene.store.away.store(false, Ordering::Relaxed);
    assert!(matches!(
        outcome(&scene.issue(2).await),
        Outcome::AlreadyIssued { same_key: true, .. }
    ));
    assert_eq!(scene.store.issued(coupon).await, 2);
    assert!(
        matches!(outcome(&scene.issue(1).await), Outcome::AlreadyIssued { .. }),
        "what the store has already is confirmed"
    );
    let kept = scene.store.inner.records(coupon, 1, 9).await.unwrap();
    assert_eq!((kept.len(), kept[0].key), (1, key(7)));
}

#[tokio::test]
async fn with_ack_ledger_issues_are_left_to_the_workers() {
    let scene = Scene::open().await;
    let coupon = scene.create(AckLevel::Ledger).await;
    let before = scene.store.delivered.load(Ordering::Relaxed);
    assert!(matches!(outcome(&scene.issue(1).await), Outcome::Issued(_)));
    assert_eq!(scene.store.issued(coupon).await, 0);
    assert_eq!(scene.store.delivered.load(Ordering::Relaxed), before);
}

#[tokio::test]
async fn an_issue_of_another_epoch_than_the_stores_is_not_acknowledged() {
    let scene = Scene::open().await;
    let coupon = scene.create(AckLevel::Store).await;
    let raised = scene.store.inner.raise_epoch(coupon, 1, 0).await.unwrap();
    assert!(raised.is_some());
    for _ in 0..2 {
        assert!(
            matches!(scene.issue(1).await, Err(LedgerError::Indeterminate(_))),
            "quarantine is not the record"
        );
    }
    scene.epoch.is(2);
    assert!(matches!(outcome(&scene.issue(2).await), Outcome::Issued(_)));
}

#[tokio::test]
async fn an_issue_around_which_the_epoch_was_raised_is_indeterminate_and_no_alarm() {
    let scene = Scene::open().await;
    let coupon = scene.create(AckLevel::Store).await;
    scene.epoch.rises_while_deciding();
    let answer = scene.issue(1).await;
    assert!(matches!(answer, Err(LedgerError::Indeterminate(_))), "{answer:?}");
    assert_eq!(scene.store.issued(coupon).await, 0, "nobody knows its epoch");
    assert_eq!(scene.store.quarantine(0, 9).await.unwrap(), []);
    // Whoever asks again is told what stands, and by then it is in the store.
    scene.store.inner.raise_epoch(coupon, 1, 0).await.unwrap();
    let again = outcome(&scene.issue(1).await);
    assert!(matches!(again, Outcome::AlreadyIssued { .. }), "{again:?}");
    assert_eq!(scene.store.issued(coupon).await, 1);
}
