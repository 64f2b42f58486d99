//! What every store of webhooks and contacts is asked.

pub mod contacts;
pub mod webhooks;

use crate::{AuditLog, ContactStore, WebhookStore};
use async_trait::async_trait;
use std::sync::Arc;

/// One store by its ports.
#[derive(Clone)]
pub struct AddressBook {
    /// Keeps webhooks.
    pub webhooks: Arc<dyn WebhookStore>,
    /// Keeps contacts.
    pub contacts: Arc<dyn ContactStore>,
    /// Tells what administrators did.
    pub audit: Arc<dyn AuditLog>,
}

/// Opens stores for the suite.
#[async_trait(?Send)]
pub trait AddressHarness {
    /// A store that nobody has used. May be called again; what was opened before is then no longer used.
    async fn open(&mut self) -> AddressBook;

    /// Ends what was opened last and opens it again. `book` holds the last references that the suite has.
    async fn reopen(&mut self, book: AddressBook) -> AddressBook;
}

/// One test for each case of the contract. Takes an expression that makes an [`AddressHarness`].
#[macro_export]
macro_rules! address_contract {
    ($harness:expr) => {
        $crate::contract_cases! { addresses, $harness;
            webhooks {
                a_webhook_is_read_as_it_was_written_before_and_after_a_restart
                ids_are_given_once_even_after_a_deletion_and_a_restart
                of_several_who_change_the_same_revision_one_succeeds
                there_are_never_more_webhooks_than_may_be
                a_deleted_webhook_is_gone_and_cannot_be_changed
                what_administrators_do_to_webhooks_is_logged_and_no_secret_with_it
                what_is_to_become_of_dead_letters_is_logged
            }
            contacts {
                the_last_contact_that_was_given_counts
                a_contact_belongs_to_the_exact_user_id
                a_forgotten_contact_is_gone
            }
        }
    };
}
