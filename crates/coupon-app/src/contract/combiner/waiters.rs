//! Waiters who give up, at every stage: their neighbours are told all the same.

use super::Counter;
use crate::contract::ledger::{LedgerHarness, ask};
use crate::contract::{terms, user};
use crate::{Pending, Reply};
use coupon_core::{CouponId, Outcome};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use tokio::sync::Notify;

/// A waiter whose wake-ups are counted and polled by hand.
struct Waiter {
    pending: Option<Pin<Box<Pending>>>,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken {
    times: AtomicUsize,
    news: Notify,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.times.fetch_add(1, Ordering::SeqCst);
        self.news.notify_one();
    }
}

impl Waiter {
    /// Has asked, and waits.
    fn ask(counter: &Lanes<'_>, coupon: CouponId, n: usize) -> Self {
        let mut waiter = Self {
            pending: Some(Box::pin(counter.lane.ask(ask(coupon, &user(n), None)))),
            woken: Arc::default(),
        };
        assert!(waiter.poll().is_none());
        waiter
    }

    fn poll(&mut self) -> Option<u32> {
        let waker = Waker::from(Arc::clone(&self.woken));
        let pending = self.pending.as_mut().unwrap();
        match pending.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(Ok(Reply::Issue(Outcome::Issued(grant)))) => Some(grant.position.get()),
            Poll::Ready(other) => panic!("{other:?} where a coupon was to be issued"),
            Poll::Pending => None,
        }
    }

    fn is_woken(&self) -> bool {
        self.woken.times.load(Ordering::SeqCst) > 0
    }

    fn give_up(&mut self) {
        self.pending = None;
    }
}

/// The lane that the waiters share.
struct Lanes<'c> {
    counter: &'c Counter,
    lane: crate::Lane,
}

impl Lanes<'_> {
    /// Waits until every request that was ever asked has been committed and answered.
    async fn settled(&self) {
        // Answered on another lane behind everything that waits: by then the batches before it were delivered.
        self.counter.gate.open();
        let last = ask(crate::contract::coupon_id(99), &user(0), None);
        self.counter.lane().ask(last).await.unwrap();
    }
}

/// Five waiters in one batch on one lane, behind a shut gate.
async fn five_wait(lanes: &Lanes<'_>, coupon: CouponId) -> Vec<Waiter> {
    lanes.counter.gate.shut();
    let before = lanes.counter.gate.batches().len();
    let mut first = Box::pin(lanes.counter.lane().ask(ask(coupon, &user(100), None)));
    assert!(futures_util::future::poll_immediate(&mut first).await.is_none());
    lanes.counter.gate.arrived(before + 1).await;
    (0..5).map(|n| Waiter::ask(lanes, coupon, n)).collect()
}

/// Polls whoever was woken until nobody is woken any more, as an event loop would; returns who is still waiting.
fn run_the_woken(waiters: &mut [Waiter]) -> Vec<usize> {
    let mut answered = vec![false; waiters.len()];
    loop {
        let next = (0..waiters.len())
            .find(|n| waiters[*n].pending.is_some() && waiters[*n].is_woken() && !answered[*n]);
        let Some(next) = next else { break };
        waiters[next].woken.times.store(0, Ordering::SeqCst);
        if waiters[next].poll().is_some() {
            answered[next] = true;
        }
    }
    (0..waiters.len())
        .filter(|n| waiters[*n].pending.is_some() && !answered[*n])
        .collect()
}

fn with_five(harness: &mut dyn LedgerHarness, case: impl AsyncFnOnce(&Lanes<'_>, &mut Vec<Waiter>)) {
    Counter::serve(harness, async |counter| {
        let coupon = counter.create(terms(0)).await;
        let lanes = Lanes {
            counter,
            lane: counter.lane(),
        };
        let mut waiters = five_wait(&lanes, coupon).await;
        case(&lanes, &mut waiters).await;
        drop(waiters);
        assert_eq!(lanes.lane.taken(), 0, "no place is left over");
        let answer = lanes.lane.ask(ask(coupon, &user(200), None)).await;
        assert!(
            matches!(answer, Ok(Reply::Issue(Outcome::Issued(_)))),
            "the lane works on: {answer:?}"
        );
    });
}

pub fn one_wake_up_tells_a_whole_lane(harness: &mut dyn LedgerHarness) {
    with_five(harness, async |lanes, waiters| {
        lanes.settled().await;
        let woken = waiters.iter().filter(|one| one.is_woken()).count();
        assert_eq!(woken, 1, "the owner wakes one; that one wakes the others");
        assert_eq!(run_the_woken(waiters), [0; 0]);
    });
}

pub fn whoever_gives_up_while_waiting_leaves_the_others_their_answers(harness: &mut dyn LedgerHarness) {
    for gone in 0..5 {
        with_five(harness, async |lanes, waiters| {
            waiters[gone].give_up();
            lanes.settled().await;
            assert_eq!(run_the_woken(waiters), [0; 0]);
        });
    }
}

pub fn whoever_gives_up_after_being_woken_wakes_the_others(harness: &mut dyn LedgerHarness) {
    with_five(harness, async |lanes, waiters| {
        lanes.settled().await;
        let woken = waiters.iter().position(Waiter::is_woken).unwrap();
        waiters[woken].give_up();
        assert_eq!(run_the_woken(waiters), [0; 0]);
    });
}

pub fn whoever_gives_up_after_the_answer_but_before_being_told_harms_nobody(harness: &mut dyn LedgerHarness) {
    for gone in 0..5 {
        with_five(harness, async |lanes, waiters| {
            lanes.settled().await;
            waiters[gone].give_up();
            assert_eq!(run_the_woken(waiters), [0; 0]);
        });
    }
}

pub fn all_may_give_up_but_one(harness: &mut dyn LedgerHarness) {
    for left in 0..5 {
        for before in [true, false] {
            with_five(harness, async |lanes, waiters| {
                if !before {
                    lanes.settled().await;
                }
                for n in (0..5).filter(|n| *n != left) {
                    waiters[n].give_up();
                }
                lanes.settled().await;
                assert_eq!(run_the_woken(waiters), [0; 0]);
            });
        }
    }
}

pub fn what_was_asked_happens_even_if_everyone_gives_up(harness: &mut dyn LedgerHarness) {
    with_five(harness, async |lanes, waiters| {
        for waiter in waiters.iter_mut() {
            waiter.give_up();
        }
        lanes.settled().await;
        let coupon = crate::contract::coupon_id(1);
        assert_eq!(lanes.counter.bench.board.get(coupon).unwrap().issued, 6);
        let answer = lanes.lane.ask(ask(coupon, &user(0), None)).await;
        assert!(
            matches!(answer, Ok(Reply::Issue(Outcome::AlreadyIssued { .. }))),
            "{answer:?}"
        );
    });
}

pub fn a_waiter_that_moved_to_another_task_is_woken_there(harness: &mut dyn LedgerHarness) {
    with_five(harness, async |lanes, waiters| {
        let mut moved = Vec::new();
        for waiter in waiters.iter_mut() {
            moved.push(std::mem::take(&mut waiter.woken));
            assert!(
                waiter.poll().is_none(),
                "polled again before the answer, by another task"
            );
        }
        lanes.settled().await;
        assert_eq!(run_the_woken(waiters), [0; 0]);
        let old = moved
            .iter()
            .filter(|woken| woken.times.load(Ordering::SeqCst) > 0);
        assert_eq!(old.count(), 0, "the task that gave the waiter away is left alone");
    });
}

pub fn a_waiter_that_is_polled_without_having_been_woken_tells_its_neighbours(
    harness: &mut dyn LedgerHarness,
) {
    with_five(harness, async |lanes, waiters| {
        lanes.settled().await;
        let idle = waiters.iter().position(|one| !one.is_woken()).unwrap();
        assert!(waiters[idle].poll().is_some());
        waiters[idle].give_up();
        assert_eq!(run_the_woken(waiters), [0; 0]);
    });
}
