//! The queue: bounded, in order of arrival, gathered while a batch is being committed.

use super::Counter;
use crate::contract::ledger::{LedgerHarness, ask};
use crate::contract::{terms, user};
use crate::{Answer, LedgerError, Pending, Reason, Reply, limits};
use coupon_core::{CouponId, Outcome};
use futures_util::future::{join_all, poll_immediate};
use std::time::{Duration, Instant};

fn position(answer: Answer) -> u32 {
    let Ok(Reply::Issue(Outcome::Issued(grant))) = answer else {
        panic!("{answer:?} where a coupon was to be issued")
    };
    grant.position.get()
}

/// Puts so many requests into the queue and leaves their answers to be awaited.
async fn enqueue(counter: &Counter, coupon: CouponId, users: std::ops::Range<usize>) -> Vec<Pending> {
    let lane = counter.lane();
    let mut waiting = Vec::with_capacity(users.len());
    for n in users {
        let mut pending = lane.ask(ask(coupon, &user(n), None));
        assert!(poll_immediate(&mut pending).await.is_none(), "request {n} waits");
        waiting.push(pending);
    }
    waiting
}

pub fn a_full_queue_refuses_at_once_and_those_who_wait_are_answered(harness: &mut dyn LedgerHarness) {
    Counter::serve(harness, async |counter| {
        let coupon = counter.create(terms(0)).await;
        counter.gate.shut();
        let mut waiting = enqueue(counter, coupon, 0..1).await;
        counter.gate.arrived(2).await;
        waiting.extend(enqueue(counter, coupon, 1..limits::MAX_WAITING).await);
        assert_eq!(counter.combiner.stats().waiting, limits::MAX_WAITING);
        for lane in [counter.lane(), counter.lane()] {
            let mut one_more = lane.ask(ask(coupon, &user(limits::MAX_WAITING), None));
            let refused = poll_immediate(&mut one_more).await;
            assert!(
                matches!(refused, Some(Err(LedgerError::Unavailable(Reason::QueueFull)))),
                "{refused:?}"
            );
            assert_eq!(lane.taken(), 0, "who was refused leaves no place behind");
        }
        counter.gate.open();
        let answers = join_all(waiting).await;
        for (answer, due) in answers.into_iter().zip(1..) {
            assert_eq!(position(answer), due, "in order of arrival");
        }
        let again = counter
            .lane()
            .ask(ask(coupon, &user(limits::MAX_WAITING), None))
            .await;
        assert_eq!(
            position(again),
            u32::try_from(limits::MAX_WAITING).unwrap() + 1,
            "there is room again, and the refused request had changed nothing"
        );
    });
}

pub fn a_batch_holds_no_more_than_the_ledger_wants_and_than_a_batch_may(harness: &mut dyn LedgerHarness) {
    for (wanted, most) in [
        (100, 100),
        (1, 1),
        (0, 1),
        (limits::MAX_BATCH, limits::MAX_BATCH),
        (usize::MAX, limits::MAX_BATCH),
    ] {
        Counter::serve_batches(harness, wanted, async |counter| {
            let coupon = counter.create(terms(0)).await;
            counter.gate.shut();
            let mut waiting = enqueue(counter, coupon, 0..1).await;
            counter.gate.arrived(2).await;
            let rest = most.min(9);
            waiting.extend(enqueue(counter, coupon, 1..2 * most + rest + 1).await);
            counter.gate.open();
            let answers = join_all(waiting).await;
            for (answer, due) in answers.into_iter().zip(1..) {
                assert_eq!(position(answer), due, "in order of arrival");
            }
            let sizes = counter.gate.batches();
            assert_eq!(sizes, [1, 1, most, most, rest], "{wanted} wanted");
        });
    }
}

pub fn a_lone_request_commits_alone(harness: &mut dyn LedgerHarness) {
    Counter::serve(harness, async |counter| {
        let coupon = counter.create(terms(0)).await;
        let lane = counter.lane();
        for n in 0..20 {
            lane.ask(ask(coupon, &user(n), None)).await.unwrap();
        }
        assert_eq!(counter.gate.batches(), [1; 21]);
        let stats = counter.combiner.stats();
        assert_eq!((stats.batches, stats.requests), (21, 21));
    });
}

pub fn who_waits_together_is_committed_together(harness: &mut dyn LedgerHarness) {
    Counter::serve(harness, async |counter| {
        let coupon = counter.create(terms(0)).await;
        counter.gate.shut();
        let mut waiting = enqueue(counter, coupon, 0..1).await;
        counter.gate.arrived(2).await;
        // From three lanes, in turns: the queue is one.
        for n in 1..31 {
            waiting.extend(enqueue(counter, coupon, n..n + 1).await);
        }
        counter.gate.open();
        let answers = join_all(waiting).await;
        for (answer, due) in answers.into_iter().zip(1..) {
            assert_eq!(position(answer), due, "in order of arrival, whatever the lane");
        }
        assert_eq!(counter.gate.batches(), [1, 1, 30]);
    });
}

pub fn nothing_is_asked_before_the_future_is_polled(harness: &mut dyn LedgerHarness) {
    Counter::serve(harness, async |counter| {
        let coupon = counter.create(terms(0)).await;
        let lane = counter.lane();
        drop(lane.ask(ask(coupon, &user(1), None)));
        let unsent = lane.ask(ask(coupon, &user(2), None));
        assert_eq!(position(lane.ask(ask(coupon, &user(3), None)).await), 1);
        assert_eq!(position(unsent.await), 2);
        assert_eq!(counter.combiner.stats().requests, 3);
    });
}

pub fn nobody_waits_once_everyone_is_answered(harness: &mut dyn LedgerHarness) {
    Counter::serve(harness, async |counter| {
        let coupon = counter.create(terms(0)).await;
        counter.gate.shut();
        let waiting = enqueue(counter, coupon, 0..40).await;
        assert!(counter.combiner.stats().waiting >= 40);
        counter.gate.open();
        join_all(waiting).await;
        // The owner counts itself idle a moment after the answers have left.
        while counter.combiner.stats().waiting > 0 {
            tokio::task::yield_now().await;
        }
    });
}

pub fn a_lone_request_waits_for_nobody(harness: &mut dyn LedgerHarness) {
    Counter::serve(harness, async |counter| {
        let coupon = counter.create(terms(0)).await;
        let lane = counter.lane();
        // However busy the machine is, one of many comes through at once, unless the combiner itself holds it back.
        let mut quickest = Duration::MAX;
        for n in 0..20_000 {
            let asked = Instant::now();
            lane.ask(ask(coupon, &user(n % 50), None)).await.unwrap();
            quickest = quickest.min(counter.gate.last_arrival().saturating_duration_since(asked));
            if quickest < Duration::from_micros(200) {
                return;
            }
        }
        panic!("the quickest of 20,000 lone requests came to the ledger after {quickest:?}");
    });
}
