//! What every store that is filled by deliveries is asked.

pub mod arrival;
pub mod crowd;
pub mod epochs;
mod exam;
pub mod ids;
pub mod limits;
pub mod mirror;

pub use exam::DeliveryExam;

use crate::{CouponIds, DeliveryStore, LedgerMarks};
use async_trait::async_trait;
use std::sync::Arc;

/// One store by its three ports.
#[derive(Clone)]
pub struct Intake {
    /// Takes in.
    pub deliveries: Arc<dyn DeliveryStore>,
    /// Tells what it has.
    pub marks: Arc<dyn LedgerMarks>,
    /// Hands out ids.
    pub ids: Arc<dyn CouponIds>,
}

/// Opens stores for the suite.
#[async_trait(?Send)]
pub trait DeliveryHarness {
    /// A store that nobody has used. May be called again; what was opened before is then no longer used.
    async fn open(&mut self) -> Intake;

    /// Ends what was opened last as a crash would and opens it again. `intake` holds the last references that the
    /// suite has.
    async fn crash_and_reopen(&mut self, intake: Intake) -> Intake;

    /// How many random schedules the store is put through. Fewer for one that is slow to open.
    fn schedules(&self) -> u32 {
        64
    }
}

/// One test for each case of the contract. Takes an expression that makes a [`DeliveryHarness`].
#[macro_export]
macro_rules! delivery_contract {
    ($harness:expr) => {
        $crate::contract_cases! { delivery, $harness;
            arrival {
                what_was_delivered_is_there_as_it_was_decided
                a_delivery_counts_once_however_often_it_comes
                an_old_revision_changes_nothing
                an_issue_that_overtakes_its_coupon_is_taken_in_when_it_comes
                issues_that_overtake_a_raise_are_taken_in_by_position_when_it_comes
                a_window_that_has_closed_undoes_nothing
                a_great_delivery_is_taken_in_at_once
                in_any_order_and_any_number_of_times_a_sound_ledger_is_whole_in_the_end
            }
            crowd {
                several_workers_at_once_write_everything_once
                several_workers_that_bring_a_coupon_and_its_issues_lose_nothing
            }
            epochs {
                an_issue_of_another_epoch_goes_to_quarantine
                what_was_there_before_the_epoch_rose_is_a_redelivery
                a_revision_of_another_epoch_goes_to_quarantine
                an_epoch_is_raised_once
                positions_of_a_new_epoch_go_on_above_everything_seen
                an_identity_belongs_to_its_epoch
                what_a_state_is_built_anew_from_is_handed_out
                an_unknown_coupon_has_no_mark
            }
            ids {
                ids_are_counted_and_never_handed_out_twice
                several_who_ask_at_once_get_different_ids
            }
            limits {
                each_suspicion_is_kept_with_its_reason_once_and_the_rest_goes_on
                the_limit_holds_across_deliveries
                quarantine_is_paged_by_number
            }
            mirror {
                every_schedule_goes_as_it_goes_in_the_reference
            }
        }
    };
}
