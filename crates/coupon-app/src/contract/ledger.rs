//! What every ledger is asked.

pub mod checks;
mod exam;
pub mod handover;
pub mod life;
pub mod looks;
pub mod mirror;
pub mod recovery;
pub mod replays;
pub mod stock;
pub mod time;
pub mod tokens;

pub use exam::{Carried, Exam, ask, change, order};

use crate::memory::ManualClock;
use crate::{Board, IssueLedger, Outbox, RecordStore};
use async_trait::async_trait;
use std::sync::Arc;

/// A ledger, opened, with everything around it.
pub struct Bench {
    /// Decides.
    pub ledger: Arc<dyn IssueLedger>,
    /// Hands on what was decided; often the same object. Not asked when the harness says that nothing is handed on.
    pub outbox: Arc<dyn Outbox>,
    /// Where the ledger posts.
    pub board: Arc<Board>,
    /// What the ledger was restored from. The suite carries entries to it as the follower would.
    pub store: Arc<dyn RecordStore>,
}

/// Opens ledgers for the suite.
///
/// `crash_and_reopen` is where a ledger shows that it is durable: it MUST lose everything that a power cut would
/// lose. The suite calls it throughout, after any batch, with the store anywhere between empty and complete.
#[async_trait(?Send)]
pub trait LedgerHarness {
    /// A ledger that nobody has used, on an empty medium, with an empty store. It judges by `clock`. May be called
    /// again; what was opened before is then no longer used.
    async fn open(&mut self, clock: Arc<ManualClock>) -> Bench;

    /// Ends what was opened last, without closing it, as a power cut would; opens it again from what is durable, with
    /// a new board and the same store. `bench` holds the last references that the suite has.
    async fn crash_and_reopen(&mut self, bench: Bench, clock: Arc<ManualClock>) -> Bench;

    /// Whether the ledger hands on what it has decided. One that writes into the store itself does not: it sits
    /// [`crate::direct_ledger_contract!`], and its outbox and its store are not asked, by no other suite either.
    fn hands_on(&self) -> bool {
        true
    }

    /// How many random schedules the ledger is put through. Fewer for one that is slow to open.
    fn schedules(&self) -> u32 {
        64
    }
}

/// One test for each case of the ledger's contract. Takes an expression that makes a [`LedgerHarness`].
#[macro_export]
macro_rules! ledger_contract {
    ($harness:expr) => {
        $crate::direct_ledger_contract!($harness);
        $crate::contract_cases! { ledger, $harness;
            handover {
                every_record_is_handed_out_once_in_the_order_of_decision
                entries_are_handed_out_whole_and_about_as_many_as_asked_for
                the_outbox_waits_for_news_and_then_hands_it_out
                what_was_released_is_not_needed_again
                numbers_go_on_after_everything_was_released
                releasing_again_or_less_changes_nothing
                what_the_store_has_is_not_pending_after_a_crash
                a_closed_outbox_hands_out_what_is_left_and_then_ends
                a_closed_outbox_ends_whoever_waits_at_it
            }
        }
    };
}

/// The same for a ledger that hands nothing on, because it writes into the store itself.
#[macro_export]
macro_rules! direct_ledger_contract {
    ($harness:expr) => {
        $crate::contract_cases! { ledger, $harness;
            checks {
                the_first_check_that_applies_gives_the_answer
                a_coupon_that_never_was_or_was_deleted_is_unknown
                a_refusal_changes_nothing_and_makes_no_entry
            }
            life {
                coupon_ids_are_counted_and_never_used_again
                a_created_coupon_is_as_it_was_ordered
                a_coupon_that_may_not_be_is_not_created_and_takes_no_id
                pause_refuses_until_resume
                a_command_takes_effect_between_its_neighbours_in_the_batch
                a_coupon_can_be_created_and_issued_in_one_batch
                close_is_final
                a_command_that_changes_nothing_makes_no_revision_and_no_entry
                a_coupon_can_be_deleted_only_while_nothing_is_issued
                a_command_to_a_coupon_that_is_not_there_is_refused
                a_raised_quantity_is_issued_on_from_the_last_position
                a_quantity_goes_down_to_what_is_issued_and_no_further
                a_change_of_validity_affects_later_issues_only
                a_changed_window_judges_the_next_request
                a_stale_revision_is_refused_and_told_the_present_one
                revisions_are_dated_in_order_whatever_the_clock_does
            }
            looks {
                a_look_sees_what_was_decided_before_it_and_nothing_after
                a_holder_is_shown_what_he_holds_in_the_order_asked
                positions_are_paged_without_overlap
                a_look_makes_no_entry
            }
            mirror {
                every_schedule_goes_as_it_goes_in_the_reference
            }
            recovery {
                a_fresh_ledger_is_ready_and_knows_nothing
                a_closed_ledger_is_unavailable_and_has_lost_nothing
                crash_follows_crash_and_nothing_is_lost_or_doubled
                a_crash_after_refusals_only_leaves_everything_as_it_was
                a_large_batch_is_committed_whole
            }
            replays {
                only_the_same_key_makes_it_the_same_request
                a_key_belongs_to_one_user_and_one_coupon
                the_key_of_a_refused_request_means_nothing_later
                a_winner_is_told_so_after_every_kind_of_end
            }
            stock {
                the_last_coupon_goes_to_exactly_one_user
                a_quantity_of_one_is_issued_once
                issued_equals_the_quantity_once_demand_reaches_it
                an_unlimited_coupon_does_not_sell_out
                a_user_twice_in_one_batch_is_issued_once_and_then_already_issued
                the_last_coupon_asked_for_twice_in_one_batch_is_already_issued_not_sold_out
                users_are_told_apart_byte_for_byte
                many_coupons_in_one_batch_do_not_touch_each_other
                refusals_leave_no_gap_in_the_positions
                a_later_request_gets_a_later_position
                answers_are_appended_in_the_order_of_the_requests
            }
            time {
                the_window_is_half_open_to_the_microsecond
                a_window_of_one_microsecond_is_open_for_one_microsecond
                a_clock_that_runs_back_does_not_turn_the_order_round
                a_clock_that_ran_ahead_and_back_again_refuses_only_meanwhile
                judged_time_is_each_coupons_own
                validity_ends_so_long_after_the_issue_or_at_an_instant
            }
            tokens {
                the_same_token_gives_the_same_answer_and_changes_nothing_again
                the_same_token_within_one_batch_is_a_replay
                a_token_with_another_payload_is_refused
                a_token_answers_before_anything_else_is_judged
                what_was_refused_or_changed_nothing_leaves_no_token
                a_token_lives_for_a_day
            }
        }
    };
}

/// Writes the tests of a suite.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_cases {
    ($suite:ident, $harness:expr; $($part:ident { $($case:ident)* })*) => {
        $($(
            #[test]
            fn $case() {
                $crate::contract::$suite::$part::$case(&mut $harness);
            }
        )*)*
    };
}
