//! What every store that keeps notifications, and writes down what the clock says, is asked.

pub mod calendar;
pub mod deliveries;
mod exam;
pub mod failures;
pub mod jobs;
pub mod mirror;
pub mod writing;

pub use exam::NoticeExam;

use super::redemption::Till;
use crate::{Calendar, FailedDeliveries, JobBook, NotificationKinds, NotificationOutbox};
use async_trait::async_trait;
use std::sync::Arc;

/// A store that keeps notifications, with its other ports.
#[derive(Clone)]
pub struct Office {
    /// Takes in issues and redeems.
    pub till: Till,
    /// Keeps what is to be told.
    pub outbox: Arc<dyn NotificationOutbox>,
    /// Looks after what came to nobody.
    pub failed: Arc<dyn FailedDeliveries>,
    /// Writes down what the clock says.
    pub calendar: Arc<dyn Calendar>,
    /// Gives jobs to workers.
    pub jobs: Arc<dyn JobBook>,
}

/// Opens stores for the suite.
#[async_trait(?Send)]
pub trait NoticeHarness {
    /// A store that nobody has used, writing notifications of these kinds. May be called again; what was opened before
    /// is then no longer used.
    async fn open(&mut self, kinds: NotificationKinds) -> Office;

    /// Ends what was opened last as a crash would and opens it again, writing all kinds. `office` holds the last
    /// references that the suite has.
    async fn crash_and_reopen(&mut self, office: Office) -> Office;

    /// How many random schedules the store is put through. Fewer for one that is slow to open.
    fn schedules(&self) -> u32 {
        48
    }

    /// How many issued coupons a crowd has. Fewer for a store that is slow to fill.
    fn crowd(&self) -> u32 {
        9_000
    }
}

/// One test for each case of the contract of outbox, calendar and jobs. Takes an expression that makes a
/// [`NoticeHarness`].
#[macro_export]
macro_rules! notice_contract {
    ($harness:expr) => {
        $crate::contract_cases! { notices, $harness;
            calendar {
                what_has_expired_unused_is_written_down_once
                a_use_given_back_after_the_end_expires_then
                a_reminder_comes_by_the_time_zone_of_its_coupon
                after_a_downtime_only_the_reminder_nearest_to_the_end_comes
                whoever_has_used_it_is_not_reminded_until_the_use_is_given_back
                other_days_count_for_what_is_there_already
                a_crowd_expires_in_bounded_batches
                a_crowd_is_reminded_in_bounded_batches_and_passed_over_afterwards
                what_expires_behind_a_pass_in_the_middle_of_a_crowd_is_not_overlooked
                whoever_is_to_be_reminded_behind_a_pass_in_the_middle_of_a_crowd_is_not_overlooked
                workers_at_once_write_everything_once
            }
            deliveries {
                what_was_taken_is_handed_out_again_when_its_lease_ends
                the_first_plan_counts
                a_plan_without_deliveries_is_an_end
                a_delivery_is_tried_until_it_is_settled_for_good
                only_the_named_channels_are_handed_out
                whoever_has_lost_the_lease_can_only_say_that_it_was_delivered
                a_final_delivery_is_replayed_by_hand
                what_is_final_is_forgotten_on_demand_and_never_told_again
                of_many_who_ask_at_once_each_delivery_is_handed_to_one
            }
            failures {
                what_failed_is_listed_by_channel_and_counted
                a_number_stays_until_the_delivery_leaves_the_list
                what_fails_after_the_list_was_shown_stands_behind_it
                what_is_replayed_is_brought_under_its_own_id_and_fails_under_a_new_number
                what_was_delivered_meanwhile_is_not_brought_again
                what_is_dismissed_is_final_until_somebody_names_it
                what_failed_is_forgotten_only_after_it_was_dismissed
                whoever_looks_after_the_same_list_at_once_does_it_once
                an_office_looks_after_what_one_channel_could_not_bring
            }
            jobs {
                a_job_has_one_owner_until_its_lease_ends
                the_last_run_is_kept
                of_many_who_ask_at_once_one_has_the_job
            }
            mirror {
                every_schedule_writes_what_it_writes_in_the_reference
            }
            writing {
                every_taken_step_is_told_of_and_nothing_else
                a_step_is_told_with_what_belongs_to_it
                the_issue_that_takes_the_last_is_told_of
                every_issue_is_announced_once
                a_kind_that_is_not_wanted_is_not_written
            }
        }
    };
}
