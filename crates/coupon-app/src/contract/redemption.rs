//! What every store that redeems is asked.

pub mod arrival;
pub mod audit;
pub mod batches;
mod exam;
pub mod history;
pub mod mirror;
pub mod races;
pub mod tokens;
pub mod uses;

pub use exam::RedemptionExam;

use super::store::Books;
use crate::RedemptionStore;
use async_trait::async_trait;
use std::sync::Arc;

/// A store that redeems, with its other ports.
#[derive(Clone)]
pub struct Till {
    /// Takes in issues and answers queries.
    pub books: Books,
    /// Redeems what was taken in.
    pub redemptions: Arc<dyn RedemptionStore>,
}

/// Opens stores for the suite.
#[async_trait(?Send)]
pub trait RedemptionHarness {
    /// A store that nobody has used. May be called again; what was opened before is then no longer used.
    async fn open(&mut self) -> Till;

    /// Ends what was opened last as a crash would and opens it again. `till` holds the last references that the suite
    /// has.
    async fn crash_and_reopen(&mut self, till: Till) -> Till;

    /// How many random schedules the store is put through. Fewer for one that is slow to open.
    fn schedules(&self) -> u32 {
        64
    }
}

/// One test for each case of the contract of redemption. Takes an expression that makes a [`RedemptionHarness`].
#[macro_export]
macro_rules! redemption_contract {
    ($harness:expr) => {
        $crate::contract_cases! { redemption, $harness;
            arrival {
                what_has_not_arrived_is_unknown
                taking_in_issues_neither_undoes_nor_forgets_a_use
                an_issue_on_its_way_is_brought_before_it_is_redeemed
                whoever_is_told_of_a_step_finds_its_mark
            }
            audit {
                steps_of_administrators_are_logged_and_nobody_elses
            }
            batches {
                a_batch_is_decided_in_order_each_on_what_the_ones_before_left
                a_great_many_are_redeemed_at_once
                a_batch_of_refusals_changes_nothing
                an_empty_batch_is_nothing
            }
            history {
                every_taken_step_is_in_the_history_and_nothing_else
                a_history_is_paged_without_gap_or_overlap
                time_does_not_run_back_in_a_history
                exactly_those_with_a_history_are_named
                a_coupon_counts_as_used_from_its_first_step_on
            }
            mirror {
                every_schedule_goes_as_it_goes_in_the_reference
            }
            races {
                of_a_thousand_racing_redeems_of_one_coupon_exactly_one_succeeds
                of_a_thousand_racing_redeems_on_one_order_one_is_new_and_the_rest_are_replays
                a_thousand_waiters_at_the_redeemer_are_told_one_truth
                redeems_and_cancellations_that_race_take_and_give_back_one_use_at_a_time
                a_history_that_is_read_while_steps_are_taken_has_no_gap
            }
            tokens {
                the_same_token_gives_the_answer_that_the_step_was_given
                a_token_of_a_revocation_remembers_the_redemption_of_then
                the_same_token_within_one_batch_is_a_replay
                a_token_with_another_payload_is_refused
                what_took_no_step_leaves_no_token
                a_token_lives_for_a_day
            }
            uses {
                an_issued_coupon_is_redeemed_once
                a_use_is_given_back_once_and_only_to_its_order
                validity_ends_to_the_microsecond
                an_order_below_the_minimum_is_refused_and_the_smallest_is_not
                what_is_revoked_is_not_used_again
                only_its_holder_or_whoever_acts_for_all_may_use_it
                what_became_of_it_is_seen_wherever_it_is_asked_for
                an_issued_coupon_keeps_the_discount_that_it_was_issued_under
                amounts_and_order_ids_are_kept_to_their_ends
            }
        }
    };
}
