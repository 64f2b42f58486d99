//! What every store is asked.

pub mod audit;
mod by_delivery;
mod exam;
pub mod intake;
pub mod keys;
pub mod quarantine;
pub mod queries;

pub use by_delivery::{ByDelivery, Numbers};
pub use exam::{Loaded, StoreExam};
pub(crate) use exam::{coupon, issue_for};

use crate::{AuditLog, CouponStore, KeyStore, RecordStore};
use async_trait::async_trait;
use std::sync::Arc;

/// One store by its ports.
#[derive(Clone)]
pub struct Books {
    /// Takes in.
    pub records: Arc<dyn RecordStore>,
    /// Answers.
    pub coupons: Arc<dyn CouponStore>,
    /// Keeps keys.
    pub keys: Arc<dyn KeyStore>,
    /// Tells what administrators did.
    pub audit: Arc<dyn AuditLog>,
}

/// Opens stores for the suite.
#[async_trait(?Send)]
pub trait StoreHarness {
    /// A store that nobody has used. May be called again; what was opened before is then no longer used.
    async fn open(&mut self) -> Books;

    /// Ends what was opened last as a crash would and opens it again. `books` holds the last references that the
    /// suite has.
    async fn reopen(&mut self, books: Books) -> Books;
}

/// One test for each case that is about what a store holds, for one that is filled by deliveries: its
/// [`StoreHarness`] wraps it into a [`ByDelivery`].
#[macro_export]
macro_rules! delivered_store_contract {
    ($harness:expr) => {
        $crate::contract_cases! { store, $harness;
            audit {
                every_revision_is_logged_with_who_when_before_and_after
                a_redelivered_revision_is_logged_once
                keys_are_logged_when_made_and_when_revoked_and_never_their_secret
                a_log_is_paged_newest_first_without_gap_or_overlap
                a_log_is_filtered_by_everything_that_is_given
            }
            intake {
                a_fresh_store_is_empty
                load_gives_back_exactly_what_was_applied
                the_last_revision_counts
                the_same_user_with_the_same_position_is_a_redelivery
                a_ledgers_decision_is_not_judged_again
                a_great_many_records_are_taken_in_at_once
            }
            keys {
                keys_are_listed_as_they_were_made
                an_id_that_is_taken_is_an_error
                a_key_is_revoked_once_and_stays_listed
                the_latest_use_of_a_key_is_kept
            }
            quarantine {
                an_issue_over_the_quantity_goes_to_quarantine
                the_same_user_at_another_position_goes_to_quarantine
                another_user_at_the_same_position_goes_to_quarantine
                what_went_to_quarantine_takes_no_room
                users_and_positions_of_other_coupons_do_not_matter
                the_limit_is_the_quantity_of_the_revision_before_the_issue
                what_is_in_quarantine_is_nobodys
            }
            queries {
                a_wallet_is_newest_first_then_by_coupon_descending
                a_wallet_is_paged_without_gap_or_overlap
                states_are_judged_by_the_clock_of_the_question
                wallets_are_told_apart_byte_for_byte
                an_issued_coupon_is_found_by_its_id
                who_got_a_coupon_is_paged_by_position
                a_tally_counts_one_coupon_at_an_instant
            }
        }
    };
}

/// One test for each case of the store's contract. Takes an expression that makes a [`StoreHarness`].
#[macro_export]
macro_rules! store_contract {
    ($harness:expr) => {
        $crate::contract_cases! { store, $harness;
            audit {
                every_revision_is_logged_with_who_when_before_and_after
                a_redelivered_revision_is_logged_once
                keys_are_logged_when_made_and_when_revoked_and_never_their_secret
                a_log_is_paged_newest_first_without_gap_or_overlap
                a_log_is_filtered_by_everything_that_is_given
                a_token_is_loaded_with_who_gave_the_command
            }
            intake {
                a_fresh_store_is_empty
                load_gives_back_exactly_what_was_applied
                the_last_revision_counts
                entries_that_were_applied_are_skipped
                a_gap_is_refused_and_nothing_is_written
                the_same_user_with_the_same_position_is_a_redelivery
                a_ledgers_decision_is_not_judged_again
                a_great_many_records_are_taken_in_at_once
                tokens_are_loaded_oldest_first_as_their_command_left_the_coupon
                tokens_live_for_a_day
                a_scope_used_again_after_its_day_is_loaded_once
                the_key_of_the_codes_is_kept_for_ever
            }
            keys {
                keys_are_listed_as_they_were_made
                an_id_that_is_taken_is_an_error
                a_key_is_revoked_once_and_stays_listed
                the_latest_use_of_a_key_is_kept
            }
            quarantine {
                an_issue_over_the_quantity_goes_to_quarantine
                the_same_user_at_another_position_goes_to_quarantine
                another_user_at_the_same_position_goes_to_quarantine
                what_went_to_quarantine_takes_no_room
                users_and_positions_of_other_coupons_do_not_matter
                the_limit_is_the_quantity_of_the_revision_before_the_issue
                what_is_in_quarantine_is_nobodys
            }
            queries {
                a_wallet_is_newest_first_then_by_coupon_descending
                a_wallet_is_paged_without_gap_or_overlap
                states_are_judged_by_the_clock_of_the_question
                wallets_are_told_apart_byte_for_byte
                an_issued_coupon_is_found_by_its_id
                who_got_a_coupon_is_paged_by_position
                a_tally_counts_one_coupon_at_an_instant
            }
        }
    };
}
