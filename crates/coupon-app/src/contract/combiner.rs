//! What the combiner is asked, in front of any ledger.

pub mod crowd;
pub mod ends;
mod gate;
pub mod queue;
pub mod waiters;

use super::ledger::{Bench, LedgerHarness, order};
use super::{START, run};
use crate::memory::ManualClock;
use crate::{Combiner, CommandOutcome, IssueLedger, Lane, Reply, Request, limits};
use coupon_core::{Command, CouponId, Terms};
use gate::GatedLedger;
use std::sync::Arc;

/// One test for each case of the combiner's contract. Takes an expression that makes a
/// [`LedgerHarness`](crate::contract::ledger::LedgerHarness).
#[macro_export]
macro_rules! combiner_contract {
    ($harness:expr) => {
        $crate::contract_cases! { combiner, $harness;
            crowd {
                a_crowd_on_every_loop_gets_exactly_what_there_is
                who_asks_after_an_answer_stands_behind_it_on_every_lane
                everyone_gets_the_answer_to_his_own_question
            }
            ends {
                close_answers_what_was_accepted_and_refuses_the_rest
                a_dropped_combiner_closes_the_ledger
                a_ledger_that_panics_leaves_nobody_hanging
                a_ledger_that_answers_too_few_leaves_nobody_hanging
            }
            queue {
                a_full_queue_refuses_at_once_and_those_who_wait_are_answered
                a_batch_holds_no_more_than_the_ledger_wants_and_than_a_batch_may
                a_lone_request_commits_alone
                who_waits_together_is_committed_together
                nothing_is_asked_before_the_future_is_polled
                nobody_waits_once_everyone_is_answered
                a_lone_request_waits_for_nobody
            }
            waiters {
                one_wake_up_tells_a_whole_lane
                whoever_gives_up_while_waiting_leaves_the_others_their_answers
                whoever_gives_up_after_being_woken_wakes_the_others
                whoever_gives_up_after_the_answer_but_before_being_told_harms_nobody
                all_may_give_up_but_one
                what_was_asked_happens_even_if_everyone_gives_up
                a_waiter_that_moved_to_another_task_is_woken_there
                a_waiter_that_is_polled_without_having_been_woken_tells_its_neighbours
            }
        }
    };
}

/// A combiner in front of an examined ledger, whose commits wait at a gate.
struct Counter {
    combiner: Combiner,
    gate: Arc<GatedLedger>,
    bench: Bench,
}

impl Counter {
    /// Runs one case behind an open gate.
    fn serve(harness: &mut dyn LedgerHarness, case: impl AsyncFnOnce(&Self)) {
        Self::serve_batches(harness, limits::MAX_BATCH, case);
    }

    /// The same with a ledger that wants so many requests in a batch at most.
    fn serve_batches(harness: &mut dyn LedgerHarness, largest: usize, case: impl AsyncFnOnce(&Self)) {
        run(async {
            let clock = Arc::new(ManualClock::at(START));
            let bench = harness.open(clock).await;
            let gate = Arc::new(GatedLedger::before(Arc::clone(&bench.ledger), largest));
            let ledger: Arc<dyn IssueLedger> = Arc::clone(&gate) as _;
            let combiner = Combiner::start("examined", ledger).unwrap();
            let counter = Self {
                combiner,
                gate,
                bench,
            };
            case(&counter).await;
        });
    }

    fn lane(&self) -> Lane {
        self.combiner.lane()
    }

    async fn create(&self, terms: Terms) -> CouponId {
        let create = order(None, Command::Create(Box::new(terms)));
        let reply = self.lane().ask(Request::Command(Box::new(create))).await;
        let Ok(Reply::Command(outcome)) = reply else {
            panic!("{reply:?} where a coupon was to be created")
        };
        let CommandOutcome::Done { coupon, .. } = *outcome else {
            panic!("{outcome:?} where a coupon was to be created")
        };
        coupon.id
    }
}

impl Drop for Counter {
    /// A case that fails behind a shut gate must come to its end all the same: a combiner waits for its ledger.
    fn drop(&mut self) {
        self.gate.open();
    }
}
