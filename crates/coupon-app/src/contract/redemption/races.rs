//! Many at once: at the port from many threads, and at the redeemer from many tasks.

use super::exam::{Told, after_start, cancel, id, redeem, told};
use super::{RedemptionExam, RedemptionHarness};
use crate::contract::coupon_id;
use crate::memory::ManualClock;
use crate::{Board, Redeemer, RedemptionRequest, RedemptionStore};
use coupon_core::Step;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};

const THREADS: usize = 8;

/// Asks one by one from several threads, and counts what they were told.
fn race(store: &Arc<dyn RedemptionStore>, requests: &[RedemptionRequest]) -> BTreeMap<Told, usize> {
    let start = Barrier::new(THREADS);
    let share = requests.len().div_ceil(THREADS);
    let mut counts = BTreeMap::new();
    std::thread::scope(|scope| {
        let runners: Vec<_> = requests
            .chunks(share)
            .map(|mine| {
                let start = &start;
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .unwrap();
                    start.wait();
                    let ask = |request: &RedemptionRequest| {
                        let decided = store.decide(std::slice::from_ref(request), after_start(1));
                        told(&runtime.block_on(decided).unwrap()[0])
                    };
                    mine.iter().map(ask).collect::<Vec<Told>>()
                })
            })
            .collect();
        for runner in runners {
            for told in runner.join().unwrap() {
                *counts.entry(told).or_default() += 1;
            }
        }
    });
    counts
}

pub fn of_a_thousand_racing_redeems_of_one_coupon_exactly_one_succeeds(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 1, async |exam| {
        let requests: Vec<_> = (0..1_000)
            .map(|n| redeem(1, &format!("order-{n}"), 20_000))
            .collect();
        let counts = race(&exam.till().redemptions, &requests);
        assert_eq!(
            counts,
            BTreeMap::from([(Told::New, 1), (Told::AlreadyRedeemed, 999)])
        );
        assert_eq!(exam.history(1).await.len(), 1);
        assert_eq!(exam.tally(2).await.redeemed, 1);
    });
}

pub fn of_a_thousand_racing_redeems_on_one_order_one_is_new_and_the_rest_are_replays(
    harness: &mut dyn RedemptionHarness,
) {
    RedemptionExam::sit(harness, 1, async |exam| {
        let requests = vec![redeem(1, "order", 20_000); 1_000];
        let counts = race(&exam.till().redemptions, &requests);
        assert_eq!(counts, BTreeMap::from([(Told::New, 1), (Told::Replay, 999)]));
        assert_eq!(exam.history(1).await.len(), 1);
    });
}

pub fn a_thousand_waiters_at_the_redeemer_are_told_one_truth(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 1, async |exam| {
        let store = Arc::clone(&exam.till().redemptions);
        let clock = Arc::new(ManualClock::at(after_start(1)));
        let redeemer = Redeemer::start("examined", store, Arc::new(Board::new()), clock)
            .await
            .unwrap();
        let names: Vec<String> = (0..1_000).map(|n| format!("order-{n}")).collect();
        let asked = names.iter().map(|name| redeemer.ask(redeem(1, name, 20_000)));
        let outcomes = join_all(asked).await;
        let new: Vec<usize> = (0..1_000)
            .filter(|n| told(outcomes[*n].as_ref().unwrap()) == Told::New)
            .collect();
        assert_eq!(new, [0], "the first who came");
        let refused = outcomes
            .iter()
            .filter(|one| told(one.as_ref().unwrap()) == Told::AlreadyRedeemed);
        assert_eq!(refused.count(), 999);
        assert!(redeemer.has_history(id(1)) && !redeemer.has_history(id(2)));
        redeemer.close();
        assert_eq!(redeemer.waiting(), 0);
    });
}

pub fn redeems_and_cancellations_that_race_take_and_give_back_one_use_at_a_time(
    harness: &mut dyn RedemptionHarness,
) {
    RedemptionExam::sit(harness, 3, async |exam| {
        let requests: Vec<_> = (0..1_200)
            .map(|n: u32| {
                let (position, name) = (n % 3 + 1, format!("order-{}", n / 3 % 5));
                if (n / 15).is_multiple_of(2) {
                    redeem(position, &name, 20_000)
                } else {
                    cancel(position, &name)
                }
            })
            .collect();
        let counts = race(&exam.till().redemptions, &requests);
        let mut steps = 0;
        let (mut redeemed, mut cancelled) = (0, 0);
        for position in 1..=3 {
            let history = exam.history(position).await;
            steps += history.len();
            let uses = history
                .iter()
                .filter(|entry| matches!(entry.step, Step::Redeemed { .. }))
                .count();
            redeemed += u64::try_from(2 * uses - history.len()).unwrap();
            cancelled += u64::try_from(history.len() - uses).unwrap();
        }
        assert_eq!(
            counts[&Told::New],
            steps,
            "whoever was told that it happened is in a history, nobody else"
        );
        let tally = exam
            .till()
            .books
            .coupons
            .tally(coupon_id(1), after_start(1))
            .await
            .unwrap();
        assert_eq!((tally.redeemed, tally.cancelled), (redeemed, cancelled));
    });
}

pub fn a_history_that_is_read_while_steps_are_taken_has_no_gap(harness: &mut dyn RedemptionHarness) {
    const ISSUED: u32 = 300;
    RedemptionExam::sit(harness, ISSUED, async |exam| {
        let store = Arc::clone(&exam.till().redemptions);
        let at = Arc::new(AtomicU32::new(1));
        let read_at = Arc::clone(&at);
        let steps = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            for position in 1..=ISSUED {
                at.store(position, Ordering::Relaxed);
                let both = [redeem(position, "a", 20_000), cancel(position, "a")];
                for outcome in runtime.block_on(store.decide(&both, after_start(1))).unwrap() {
                    assert_eq!(told(&outcome), Told::New);
                }
            }
        });
        while !steps.is_finished() {
            let position = read_at.load(Ordering::Relaxed);
            let history = exam.history(position).await;
            let numbers: Vec<u32> = history.iter().map(|entry| entry.number).collect();
            assert!(
                [vec![], vec![1, 2]].contains(&numbers),
                "of 1-{position}: {numbers:?}"
            );
        }
        steps.join().unwrap();
    });
}
