//! Crowds: many tasks on several lanes, each lane on an event loop and a thread of its own.

use super::Counter;
use crate::contract::ledger::{LedgerHarness, ask};
use crate::contract::{run, terms, user};
use crate::{Lane, Look, Reply, Request, Seen};
use coupon_core::{CouponId, Grant, Outcome, Position, UserId, Witnessed, check_order};
use futures_util::future::join_all;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

const LANES: usize = 4;

/// Runs `task` so many times on each of several event loops, and returns what all returned.
fn on_every_loop<T: Send>(
    counter: &Counter,
    tasks: usize,
    task: impl AsyncFn(&Lane, usize) -> T + Sync,
) -> Vec<T> {
    let task = &task;
    std::thread::scope(|scope| {
        let loops: Vec<_> = (0..LANES)
            .map(|index| {
                let lane = counter.lane();
                scope.spawn(move || {
                    let mut returned = Vec::new();
                    run(async {
                        let all = (0..tasks).map(|n| task(&lane, index * tasks + n));
                        returned = join_all(all).await;
                    });
                    returned
                })
            })
            .collect();
        loops.into_iter().flat_map(|one| one.join().unwrap()).collect()
    })
}

async fn issue(lane: &Lane, coupon: CouponId, who: &UserId) -> Outcome {
    let answer = lane.ask(ask(coupon, who, None)).await;
    let Ok(Reply::Issue(outcome)) = answer else {
        panic!("{answer:?} where an issue was to be answered")
    };
    outcome
}

async fn holders(counter: &Counter, coupon: CouponId) -> Vec<(UserId, Grant)> {
    let look = Look::Positions {
        coupon,
        after: 0,
        limit: usize::MAX,
    };
    let seen = counter.lane().look(look).await.unwrap();
    let Seen::Positions(holders) = seen else {
        panic!("{seen:?}")
    };
    holders
}

pub fn a_crowd_on_every_loop_gets_exactly_what_there_is(harness: &mut dyn LedgerHarness) {
    Counter::serve(harness, async |counter| {
        let coupon = counter.create(terms(500)).await;
        // Every user asks from two lanes.
        let told = on_every_loop(counter, 400, async |lane, n| {
            let who = user(n % 800);
            (who.clone(), issue(lane, coupon, &who).await)
        });
        let mut winners: HashMap<Position, UserId> = HashMap::new();
        for (who, outcome) in &told {
            if let Outcome::Issued(grant) = outcome {
                assert_eq!(
                    winners.insert(grant.position, who.clone()),
                    None,
                    "one position, one user"
                );
            }
        }
        assert_eq!(winners.len(), 500);
        for (who, outcome) in &told {
            match outcome {
                Outcome::Issued(_) | Outcome::SoldOut => {}
                Outcome::AlreadyIssued { grant, .. } => assert_eq!(&winners[&grant.position], who),
                other @ (Outcome::NotYetOpen { .. }
                | Outcome::Closed { .. }
                | Outcome::Paused
                | Outcome::UnknownCoupon) => panic!("{other:?}"),
            }
        }
        let holders = holders(counter, coupon).await;
        let witnessed: Vec<Witnessed<'_>> = holders
            .iter()
            .map(|(user, grant)| Witnessed {
                position: grant.position,
                user: user.as_str(),
                issued_at: grant.issued_at,
            })
            .collect();
        check_order(terms(500).quantity, &witnessed).unwrap();
        for (who, grant) in holders {
            assert_eq!(winners[&grant.position], who, "the answer was the truth");
        }
        assert_eq!(
            counter.combiner.stats().requests,
            1_602,
            "each was committed once"
        );
    });
}

pub fn who_asks_after_an_answer_stands_behind_it_on_every_lane(harness: &mut dyn LedgerHarness) {
    Counter::serve(harness, async |counter| {
        let coupon = counter.create(terms(0)).await;
        let answered = AtomicU32::new(0);
        let inversions = on_every_loop(counter, 16, async |lane, n| {
            let mut inversions = 0;
            for round in 0..25 {
                let behind = answered.load(Ordering::SeqCst);
                let Outcome::Issued(grant) = issue(lane, coupon, &user(n * 25 + round)).await else {
                    panic!("an unlimited coupon is issued")
                };
                let position = grant.position.get();
                inversions += u32::from(position <= behind);
                answered.fetch_max(position, Ordering::SeqCst);
            }
            inversions
        });
        assert_eq!(inversions.into_iter().sum::<u32>(), 0);
        assert_eq!(answered.into_inner(), u32::try_from(LANES * 16 * 25).unwrap());
    });
}

pub fn everyone_gets_the_answer_to_his_own_question(harness: &mut dyn LedgerHarness) {
    Counter::serve(harness, async |counter| {
        let coupon = counter.create(terms(0)).await;
        let confused = on_every_loop(counter, 64, async |lane, n| {
            let mut confused = 0;
            for round in 0..5 {
                let who = user(n * 5 + round);
                let outcome = issue(lane, coupon, &who).await;
                let look = Look::Holder {
                    user: who,
                    coupons: vec![coupon],
                };
                let seen = lane.ask(Request::Look(Box::new(look))).await;
                let own = match (outcome, seen) {
                    (Outcome::Issued(grant), Ok(Reply::Look(seen))) => {
                        *seen == Seen::Holder(vec![(coupon, grant)])
                    }
                    (_, _) => false,
                };
                confused += usize::from(!own);
            }
            confused
        });
        assert_eq!(confused.into_iter().sum::<usize>(), 0);
    });
}
