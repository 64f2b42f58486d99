//! The redeemer of one of many servers: what the store does not know is brought from the ledger that runs ahead of it.

use async_trait::async_trait;
use coupon_app::contract::{START, coupon_id, run, terms, user};
use coupon_app::limits::LONGEST_BRINGING;
use coupon_app::memory::{ManualClock, MemoryStore};
use coupon_app::{
    Board, Bringing, Delivered, Delivery, DeliveryStore, Entry, Epoch, IssuedRecord, LedgerError,
    LedgerIdentity, LedgerMark, LedgerMarks, PendingIssue, PendingIssues, Quarantined, Reason, Record,
    RecordStore, Redeemer, RedemptionAction, RedemptionOutcome, RedemptionRequest, RevisedRecord, StoreError,
};
use coupon_core::{
    Actor, Amount, Coupon, CouponId, Grant, IssuedCouponId, Order, OrderId, Position, RedemptionRefusal,
    Span, Strategy, UserId,
};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// The store of many servers, and what its workers and servers did to it.
struct Shared {
    store: MemoryStore,
    coupon: Coupon,
    delivered: AtomicU32,
    /// It takes in nothing: everything goes to quarantine.
    refuses: AtomicBool,
}

#[async_trait]
impl DeliveryStore for Shared {
    async fn deliver(&self, deliveries: &[Delivery]) -> Result<Delivered, StoreError> {
        self.delivered.fetch_add(1, Ordering::Relaxed);
        if self.refuses.load(Ordering::Relaxed) {
            return Ok(Delivered::default());
        }
        for delivery in deliveries {
            let (seq, records) = (self.store.applied().await? + 1, delivery.records.clone());
            self.store.apply(&[Entry { seq, records }]).await?;
        }
        Ok(Delivered::default())
    }

    async fn quarantine(&self, _: u64, _: usize) -> Result<Vec<Quarantined>, StoreError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl LedgerMarks for Shared {
    async fn mark(&self, coupon: CouponId) -> Result<Option<LedgerMark>, StoreError> {
        Ok((coupon == self.coupon.id).then(|| LedgerMark {
            coupon: self.coupon.clone(),
            epoch: 1,
            identity: None,
            highest: 0,
            issued: 0,
            lost: 0,
        }))
    }

    async fn marks(&self, _: Option<CouponId>, _: usize) -> Result<Vec<LedgerMark>, StoreError> {
        Ok(Vec::new())
    }

    async fn commands(&self, _: CouponId) -> Result<Vec<RevisedRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn note_identity(&self, _: CouponId, _: Epoch, _: &LedgerIdentity) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn raise_epoch(&self, _: CouponId, _: Epoch, _: u32) -> Result<Option<LedgerMark>, StoreError> {
        Ok(None)
    }

    async fn records(&self, _: CouponId, _: u32, _: usize) -> Result<Vec<IssuedRecord>, StoreError> {
        Ok(Vec::new())
    }
}

/// A ledger that answers what it is told to.
struct Ahead {
    answer: Mutex<PendingIssue>,
    asked: AtomicU32,
}

#[async_trait]
impl PendingIssues for Ahead {
    async fn pending(&self, _: IssuedCouponId) -> Result<PendingIssue, LedgerError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(self.answer.lock().unwrap().clone())
    }
}

struct Scene {
    shared: Arc<Shared>,
    ahead: Arc<Ahead>,
    redeemer: Redeemer,
}

impl Scene {
    /// Coupon 1 at its second revision, three of it pending in one entry of a ledger that is at this revision.
    async fn at_revision(revision: u32) -> Self {
        let mut wanted = terms(0);
        wanted.strategy = Strategy::RedisScript;
        let coupon = Coupon {
            revision: 2,
            ..Coupon::create(coupon_id(1), wanted, START).unwrap()
        };
        let shared = Arc::new(Shared {
            store: MemoryStore::new(),
            coupon: coupon.clone(),
            delivered: AtomicU32::new(0),
            refuses: AtomicBool::new(false),
        });
        let revised = RevisedRecord {
            coupon,
            issued: 0,
            lost: 0,
            actor: "key-1".into(),
            token: None,
        };
        let records = vec![Record::Revised(Box::new(revised))];
        shared.store.apply(&[Entry { seq: 1, records }]).await.unwrap();
        let delivery = Delivery {
            coupon: coupon_id(1),
            epoch: 1,
            records: (1..=3).map(issue).collect(),
        };
        let ahead = Arc::new(Ahead {
            answer: Mutex::new(PendingIssue::Here { delivery, revision }),
            asked: AtomicU32::new(0),
        });
        let redeemer = redeemer(&shared, &ahead).await;
        Self {
            shared,
            ahead,
            redeemer,
        }
    }

    async fn open() -> Self {
        Self::at_revision(2).await
    }

    fn answers(&self, answer: PendingIssue) {
        *self.ahead.answer.lock().unwrap() = answer;
    }

    /// How often the ledger was asked, and how often something was delivered.
    fn counts(&self) -> (u32, u32) {
        let read = |count: &AtomicU32| count.load(Ordering::Relaxed);
        (read(&self.ahead.asked), read(&self.shared.delivered))
    }

    /// A worker brings the entry.
    async fn arrives(&self) {
        let records = (1..=3).map(issue).collect();
        let seq = self.shared.store.applied().await.unwrap() + 1;
        self.shared.store.apply(&[Entry { seq, records }]).await.unwrap();
    }
}

/// Another server's, if one is there already.
async fn redeemer(shared: &Arc<Shared>, ahead: &Arc<Ahead>) -> Redeemer {
    let bringing = Bringing::new(
        Arc::new(Board::new()),
        Arc::clone(shared) as _,
        Arc::clone(shared) as _,
        vec![(Strategy::RedisScript, Arc::clone(ahead) as _)],
    );
    let (store, clock) = (Arc::new(shared.store.clone()), Arc::new(ManualClock::at(START)));
    Redeemer::start_shared("examined", store, bringing, clock)
        .await
        .unwrap()
}

fn issue(position: u32) -> Record {
    Record::Issued(IssuedRecord {
        coupon: coupon_id(1),
        user: user(usize::try_from(position).unwrap()),
        grant: Grant {
            position: Position::new(position).unwrap(),
            issued_at: START,
            expires_at: START.saturating_add(Span::from_micros(1_000_000).unwrap()),
        },
        key: None,
    })
}

fn id(position: u32) -> IssuedCouponId {
    IssuedCouponId {
        coupon: coupon_id(1),
        position: Position::new(position).unwrap(),
    }
}

fn redeem(position: u32, user: Option<UserId>) -> RedemptionRequest {
    let order = Order {
        id: OrderId::parse("a").unwrap(),
        amount: amount(),
    };
    RedemptionRequest {
        id: id(position),
        user,
        action: RedemptionAction::Redeem(order),
        actor: Actor::Holder,
        token: None,
        audit: None,
    }
}

fn amount() -> Amount {
    Amount::new(50_000).unwrap()
}

fn is_new(outcome: &Result<RedemptionOutcome, LedgerError>) -> bool {
    matches!(outcome, Ok(RedemptionOutcome::Done { replayed: false, .. }))
}

fn is_unknown(outcome: &Result<RedemptionOutcome, LedgerError>) -> bool {
    matches!(
        outcome,
        Ok(RedemptionOutcome::Refused(RedemptionRefusal::UnknownIssuedCoupon))
    )
}

fn is_behind(outcome: &Result<RedemptionOutcome, LedgerError>) -> bool {
    matches!(outcome, Err(LedgerError::Unavailable(Reason::StoreBehind)))
}

#[test]
fn what_no_worker_has_stored_is_brought_with_its_whole_entry() {
    run(async {
        let scene = Scene::open().await;
        assert!(is_new(&scene.redeemer.ask(redeem(2, Some(user(2)))).await));
        assert_eq!(scene.counts(), (1, 1));
        assert!(is_new(&scene.redeemer.ask(redeem(1, None)).await));
        let quote = scene.redeemer.quote(id(3), Some(&user(3)), amount()).await;
        assert!(quote.unwrap().is_ok());
        assert_eq!(scene.counts(), (1, 1), "its neighbours came with it");
    });
}

#[test]
fn a_quote_brings_too() {
    run(async {
        let scene = Scene::open().await;
        let quote = scene.redeemer.quote(id(3), None, amount()).await.unwrap();
        assert!(quote.is_ok(), "{quote:?}");
        assert_eq!(scene.counts(), (1, 1));
    });
}

#[test]
fn what_there_is_not_stays_unknown() {
    run(async {
        let scene = Scene::open().await;
        assert!(is_unknown(&scene.redeemer.ask(redeem(2, Some(user(1)))).await));
        assert_eq!(
            scene.counts(),
            (1, 0),
            "another's is not theirs to hurry, and not there for them"
        );
        scene.answers(PendingIssue::Nothing);
        assert!(is_unknown(&scene.redeemer.ask(redeem(4, None)).await));
        assert_eq!(scene.counts(), (2, 0));
        let mut of_another = redeem(1, None);
        of_another.id.coupon = coupon_id(2);
        assert!(is_unknown(&scene.redeemer.ask(of_another).await));
        assert_eq!(scene.counts(), (2, 0), "nobody knows the coupon");
    });
}

#[test]
fn what_the_store_will_not_have_is_unavailable_and_not_unknown() {
    run(async {
        let scene = Scene::open().await;
        scene.shared.refuses.store(true, Ordering::Relaxed);
        assert!(is_behind(&scene.redeemer.ask(redeem(2, None)).await));
        assert_eq!(scene.counts(), (1, 1));
    });
}

#[test]
fn nothing_is_brought_before_the_revision_that_it_was_issued_under() {
    run(async {
        let scene = Scene::at_revision(3).await;
        assert!(is_behind(&scene.redeemer.ask(redeem(2, None)).await));
        assert_eq!(scene.counts(), (1, 0));
    });
}

#[test]
fn what_was_handed_over_is_waited_for_within_the_limit() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let scene = Scene::open().await;
        scene.answers(PendingIssue::HandedOver);
        let began = tokio::time::Instant::now();
        assert!(is_behind(&scene.redeemer.ask(redeem(2, None)).await));
        assert!(began.elapsed() <= LONGEST_BRINGING);
        assert_eq!(scene.counts(), (1, 0));
        let arriving = async {
            tokio::time::sleep(LONGEST_BRINGING / 2).await;
            scene.arrives().await;
        };
        let (answer, ()) = tokio::join!(scene.redeemer.ask(redeem(2, None)), arriving);
        assert!(is_new(&answer), "{answer:?}");
    });
}

#[test]
fn what_another_server_has_used_is_learned_and_never_hidden() {
    run(async {
        let scene = Scene::open().await;
        let there = redeemer(&scene.shared, &scene.ahead).await;
        assert!(is_new(&there.ask(redeem(2, None)).await));
        assert!(there.has_history(id(2)), "its own are known at once");
        assert!(!scene.redeemer.has_history(id(2)));
        let history = scene.redeemer.history(id(2), 0, 9).await.unwrap();
        assert_eq!(history.len(), 1, "a history is read and not remembered");
        scene.redeemer.learn().await.unwrap();
        assert!(scene.redeemer.has_history(id(2)));
    });
}
