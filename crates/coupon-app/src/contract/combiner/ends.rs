//! How it ends: closing in order, and a ledger that breaks.

use super::Counter;
use super::gate::Accident;
use crate::contract::ledger::{LedgerHarness, ask};
use crate::contract::{START, coupon_id, run, terms, user};
use crate::memory::ManualClock;
use crate::{Answer, Combiner, LedgerError, Pending, Reason, Reply};
use coupon_core::{CouponId, Outcome};
use futures_util::FutureExt;
use futures_util::future::{join_all, poll_immediate};
use std::sync::Arc;

/// One request being committed behind the shut gate, and `crowd` waiting on two lanes.
async fn crowd_at_the_gate(counter: &Counter, coupon: CouponId, crowd: usize) -> Vec<Pending> {
    counter.gate.shut();
    let before = counter.gate.batches().len();
    let lanes = [counter.lane(), counter.lane()];
    let mut waiting = Vec::new();
    for n in 0..=crowd {
        let mut pending = lanes[n % 2].ask(ask(coupon, &user(n), None));
        assert!(poll_immediate(&mut pending).await.is_none());
        if n == 0 {
            counter.gate.arrived(before + 1).await;
        }
        waiting.push(pending);
    }
    waiting
}

/// What a request comes to that is still waiting.
fn busy() -> LedgerError {
    LedgerError::Indeterminate(Reason::QueueFull)
}

fn was_issued(answer: &Answer) -> bool {
    matches!(answer, Ok(Reply::Issue(Outcome::Issued(_))))
}

pub fn close_answers_what_was_accepted_and_refuses_the_rest(harness: &mut dyn LedgerHarness) {
    Counter::serve(harness, async |counter| {
        let coupon = counter.create(terms(0)).await;
        let waiting = crowd_at_the_gate(counter, coupon, 40).await;
        let late = counter.lane();
        std::thread::scope(|scope| {
            let closing = scope.spawn(|| counter.combiner.close());
            // The gate opens only when the door is known to be shut.
            let mut door = Ok(());
            while !matches!(door, Err(LedgerError::Unavailable(Reason::Closing))) {
                let one_more = late.ask(ask(coupon, &user(900), None));
                door = one_more.now_or_never().unwrap_or(Err(busy())).map(drop);
                std::thread::yield_now();
            }
            counter.gate.open();
            closing.join().unwrap().unwrap();
        });
        let answers = join_all(waiting).await;
        assert!(answers.iter().all(was_issued), "{answers:?}");
        let after = late.ask(ask(coupon, &user(901), None)).await;
        assert!(
            matches!(after, Err(LedgerError::Unavailable(Reason::Closing))),
            "{after:?}"
        );
        counter.combiner.close().unwrap();
        let mut requests = vec![ask(coupon, &user(902), None)];
        let mut answers = Vec::new();
        counter.bench.ledger.commit(&mut requests, &mut answers).await;
        assert!(
            matches!(answers[0], Err(LedgerError::Unavailable(_))),
            "the ledger is closed too: {answers:?}"
        );
    });
}

pub fn a_dropped_combiner_closes_the_ledger(harness: &mut dyn LedgerHarness) {
    run(async {
        let clock = Arc::new(ManualClock::at(START));
        let bench = harness.open(clock).await;
        let combiner = Combiner::start("examined", Arc::clone(&bench.ledger)).unwrap();
        let lane = combiner.lane();
        let mut pending = lane.ask(ask(coupon_id(1), &user(1), None));
        let at_once = poll_immediate(&mut pending).await;
        drop(combiner);
        let answer = match at_once {
            Some(answer) => answer,
            None => pending.await,
        };
        assert!(
            matches!(answer, Ok(Reply::Issue(Outcome::UnknownCoupon))),
            "what was accepted is answered: {answer:?}"
        );
        let (mut requests, mut answers) = (vec![ask(coupon_id(1), &user(2), None)], Vec::new());
        bench.ledger.commit(&mut requests, &mut answers).await;
        assert!(
            matches!(answers[0], Err(LedgerError::Unavailable(_))),
            "the ledger is closed: {answers:?}"
        );
        if harness.hands_on() {
            let left = bench.outbox.next(0, 1).await.unwrap();
            assert_eq!(left, [], "the outbox has come to its end");
        }
    });
}

pub fn a_ledger_that_panics_leaves_nobody_hanging(harness: &mut dyn LedgerHarness) {
    Counter::serve(harness, async |counter| {
        let coupon = counter.create(terms(0)).await;
        let waiting = crowd_at_the_gate(counter, coupon, 20).await;
        counter.gate.will_meet(Accident::Panic);
        counter.gate.open();
        let answers = join_all(waiting).await;
        assert!(
            matches!(answers[0], Err(LedgerError::Indeterminate(_))),
            "it may have happened: {:?}",
            answers[0]
        );
        for answer in &answers[1..] {
            assert!(
                answer.is_err(),
                "nobody is told anything by a broken ledger: {answer:?}"
            );
        }
        let after = counter.lane().ask(ask(coupon, &user(99), None)).await;
        assert!(matches!(after, Err(LedgerError::Unavailable(_))), "{after:?}");
        assert!(counter.combiner.close().is_err(), "it did not close cleanly");
    });
}

pub fn a_ledger_that_answers_too_few_leaves_nobody_hanging(harness: &mut dyn LedgerHarness) {
    Counter::serve(harness, async |counter| {
        let coupon = counter.create(terms(0)).await;
        let waiting = crowd_at_the_gate(counter, coupon, 20).await;
        counter.gate.will_meet(Accident::OneAnswerShort);
        counter.gate.open();
        let answers = join_all(waiting).await;
        assert!(
            matches!(answers[0], Err(LedgerError::Indeterminate(_))),
            "{:?}",
            answers[0]
        );
        assert!(answers[1..].iter().all(was_issued));
        let again = counter.lane().ask(ask(coupon, &user(0), None)).await;
        assert!(
            matches!(again, Ok(Reply::Issue(Outcome::AlreadyIssued { .. }))),
            "asking again gives a definite answer: {again:?}"
        );
    });
}
