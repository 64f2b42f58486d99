//! The redeemer before a store that waits, fails or breaks: batches, bounds, ends.

use async_trait::async_trait;
use coupon_app::contract::{START, coupon_id, run};
use coupon_app::limits::{LONGEST_BRINGING, MAX_REDEMPTIONS, MAX_REDEMPTIONS_WAITING};
use coupon_app::memory::ManualClock;
use coupon_app::{
    Board, Health, LedgerError, Reason, Redeemable, Redeemer, RedemptionAction, RedemptionOutcome,
    RedemptionRequest, RedemptionStore, StoreError,
};
use coupon_core::{
    Actor, Coupon, CouponId, HistoryEntry, IssuedCouponId, OrderId, Position, RedemptionRefusal, Timestamp,
};
use futures_util::future::{join_all, poll_immediate};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, Semaphore};

/// A store that decides a batch when it is let to, and then refuses, fails or panics.
struct Gated {
    permits: Semaphore,
    came: Notify,
    batches: Mutex<Vec<usize>>,
    then: Then,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Refuse,
    MayHaveHappened,
    Panic,
}

impl Gated {
    fn new(then: Then) -> Arc<Self> {
        Arc::new(Self {
            permits: Semaphore::new(0),
            came: Notify::new(),
            batches: Mutex::default(),
            then,
        })
    }

    fn batches(&self) -> Vec<usize> {
        self.batches.lock().unwrap().clone()
    }
}

#[async_trait]
impl RedemptionStore for Gated {
    async fn decide(
        &self,
        requests: &[RedemptionRequest],
        _: Timestamp,
    ) -> Result<Vec<RedemptionOutcome>, LedgerError> {
        self.batches.lock().unwrap().push(requests.len());
        self.came.notify_one();
        self.permits.acquire().await.unwrap().forget();
        assert!(
            self.then != Then::Panic,
            "the store breaks, as this test wants it"
        );
        match self.then {
            Then::MayHaveHappened => Err(LedgerError::Indeterminate(Reason::Poisoned)),
            Then::Refuse | Then::Panic => {
                let refused = RedemptionOutcome::Refused(RedemptionRefusal::NotRedeemed);
                Ok(vec![refused; requests.len()])
            }
        }
    }

    async fn redeemable(&self, _: IssuedCouponId) -> Result<Option<Redeemable>, StoreError> {
        Ok(None)
    }

    async fn history(&self, _: IssuedCouponId, _: u32, _: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        Err(StoreError::lasting("nobody should ask"))
    }

    async fn with_history(&self, _: &mut (dyn FnMut(IssuedCouponId) + Send)) -> Result<(), StoreError> {
        Ok(())
    }

    async fn used_coupons(&self) -> Result<Vec<CouponId>, StoreError> {
        Err(StoreError::lasting("nobody should ask"))
    }
}

fn id(position: u32) -> IssuedCouponId {
    IssuedCouponId {
        coupon: coupon_id(1),
        position: Position::new(position).unwrap(),
    }
}

fn request(position: u32) -> RedemptionRequest {
    RedemptionRequest {
        id: id(position),
        user: None,
        action: RedemptionAction::Cancel(OrderId::parse("a").unwrap()),
        actor: Actor::Holder,
        audit: None,
        token: None,
    }
}

async fn before(store: &Arc<Gated>) -> Redeemer {
    let clock = Arc::new(ManualClock::at(START));
    let board = Arc::new(Board::new());
    Redeemer::start("examined", Arc::clone(store) as _, board, clock)
        .await
        .unwrap()
}

fn is_refusal(answer: &Result<RedemptionOutcome, LedgerError>) -> bool {
    matches!(answer, Ok(RedemptionOutcome::Refused(_)))
}

#[test]
fn what_gathers_while_one_batch_is_decided_is_the_next() {
    run(async {
        let store = Gated::new(Then::Refuse);
        let redeemer = before(&store).await;
        let mut first = Box::pin(redeemer.ask(request(1)));
        assert!(poll_immediate(&mut first).await.is_none());
        store.came.notified().await;
        let many = MAX_REDEMPTIONS + 5;
        let mut rest = Box::pin(join_all((0..many).map(|_| redeemer.ask(request(1)))));
        assert!(poll_immediate(&mut rest).await.is_none());
        assert_eq!(redeemer.waiting(), many + 1);
        store.permits.add_permits(3);
        assert!(is_refusal(&first.await));
        assert!(rest.await.iter().all(is_refusal));
        assert_eq!(store.batches(), [1, MAX_REDEMPTIONS, 5]);
    });
}

#[test]
fn a_full_queue_says_so_at_once_and_a_closed_one_too() {
    run(async {
        let store = Gated::new(Then::Refuse);
        let redeemer = before(&store).await;
        let mut waiting = Box::pin(join_all(
            (0..MAX_REDEMPTIONS_WAITING).map(|_| redeemer.ask(request(1))),
        ));
        assert!(poll_immediate(&mut waiting).await.is_none());
        let refused = redeemer.ask(request(1)).await;
        assert!(
            matches!(refused, Err(LedgerError::Unavailable(Reason::QueueFull))),
            "{refused:?}"
        );
        store.permits.add_permits(MAX_REDEMPTIONS_WAITING);
        assert!(waiting.await.iter().all(is_refusal));
        redeemer.close();
        let refused = redeemer.ask(request(1)).await;
        assert!(
            matches!(refused, Err(LedgerError::Unavailable(Reason::Closing))),
            "{refused:?}"
        );
        redeemer.close();
    });
}

#[test]
fn closing_answers_those_that_wait_first() {
    run(async {
        let store = Gated::new(Then::Refuse);
        let redeemer = before(&store).await;
        let mut waiting = Box::pin(join_all((0..9).map(|_| redeemer.ask(request(1)))));
        assert!(poll_immediate(&mut waiting).await.is_none());
        store.permits.add_permits(9);
        redeemer.close();
        assert!(waiting.await.iter().all(is_refusal));
    });
}

#[test]
fn whoever_was_with_a_store_that_broke_is_told_that_it_may_have_happened_and_nobody_waits_for_ever() {
    run(async {
        let store = Gated::new(Then::Panic);
        let redeemer = before(&store).await;
        assert_eq!(redeemer.health(), Health::Ready);
        let mut first = Box::pin(redeemer.ask(request(1)));
        assert!(poll_immediate(&mut first).await.is_none());
        store.came.notified().await;
        let mut second = Box::pin(redeemer.ask(request(2)));
        assert!(poll_immediate(&mut second).await.is_none());
        store.permits.add_permits(1);
        let (first, second) = (first.await, second.await);
        assert!(matches!(first, Err(LedgerError::Indeterminate(_))), "{first:?}");
        assert!(matches!(second, Err(LedgerError::Unavailable(_))), "{second:?}");
        assert!(matches!(redeemer.health(), Health::NotReady(_)));
        let third = redeemer.ask(request(3)).await;
        assert!(
            matches!(third, Err(LedgerError::Unavailable(Reason::Closing))),
            "{third:?}"
        );
    });
}

#[test]
fn what_may_have_happened_may_have_a_history() {
    run(async {
        let store = Gated::new(Then::MayHaveHappened);
        store.permits.add_permits(9);
        let redeemer = before(&store).await;
        let answer = redeemer.ask(request(7)).await;
        assert!(matches!(answer, Err(LedgerError::Indeterminate(_))), "{answer:?}");
        assert!(redeemer.has_history(id(7)) && !redeemer.has_history(id(8)));
        assert_eq!(
            redeemer.history(id(8), 0, 9).await.unwrap(),
            [],
            "the store is not asked for the others"
        );
    });
}

#[test]
fn a_store_that_stays_behind_is_waited_for_no_longer_than_the_limit() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Gated::new(Then::Refuse);
        let board = Arc::new(Board::new());
        let coupon = Coupon::create(coupon_id(1), coupon_app::contract::terms(9), START).unwrap();
        board.post_coupon(&Arc::new(coupon));
        board.post_issued(coupon_id(1), 3, START, START);
        board.post_stored(coupon_id(1), 2);
        let clock = Arc::new(ManualClock::at(START));
        let redeemer = Redeemer::start("examined", Arc::clone(&store) as _, Arc::clone(&board), clock);
        let redeemer = redeemer.await.unwrap();
        store.permits.add_permits(9);
        assert!(is_refusal(&redeemer.ask(request(2)).await), "it has arrived");
        let began = tokio::time::Instant::now();
        let late = redeemer.ask(request(3)).await;
        assert!(
            matches!(late, Err(LedgerError::Unavailable(Reason::StoreBehind))),
            "{late:?}"
        );
        assert_eq!(began.elapsed(), LONGEST_BRINGING);
        assert_eq!(store.batches(), [1], "nothing was asked of the store");

        let arriving = async {
            board.hurried().await;
            board.post_stored(coupon_id(1), 3);
            board.announce_arrival();
        };
        let (answer, ()) = tokio::join!(redeemer.ask(request(3)), arriving);
        assert!(is_refusal(&answer));
    });
}
