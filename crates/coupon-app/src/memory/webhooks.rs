//! Webhooks and contacts in memory.

use crate::limits::MAX_WEBHOOKS;
use crate::{ContactStore, Contacts, StoreError, Webhook, WebhookDraft, WebhookId, WebhookStore};
use async_trait::async_trait;
use coupon_core::{Contact, Timestamp, UserId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The reference for [`WebhookStore`] and [`ContactStore`]. Clones are one store opened again.
#[derive(Clone, Debug, Default)]
pub struct MemoryAddresses(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    last_id: u32,
    webhooks: BTreeMap<WebhookId, Webhook>,
    contacts: BTreeMap<Box<str>, Contact>,
}

impl MemoryAddresses {
    /// With nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl WebhookStore for MemoryAddresses {
    async fn add_webhook(
        &self,
        draft: &WebhookDraft,
        created_at: Timestamp,
    ) -> Result<Option<Webhook>, StoreError> {
        let mut kept = self.kept();
        if kept.webhooks.len() >= MAX_WEBHOOKS {
            return Ok(None);
        }
        kept.last_id += 1;
        let id = WebhookId::new(kept.last_id).map_err(StoreError::lasting)?;
        let webhook = Webhook::new(id, draft.clone(), created_at);
        kept.webhooks.insert(id, webhook.clone());
        Ok(Some(webhook))
    }

    async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        Ok(self.kept().webhooks.values().cloned().collect())
    }

    async fn webhook(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        Ok(self.kept().webhooks.get(&id).cloned())
    }

    async fn change_webhook(&self, next: &Webhook) -> Result<bool, StoreError> {
        match self.kept().webhooks.get_mut(&next.id) {
            Some(kept) if kept.revision.checked_add(1) == Some(next.revision) => {
                *kept = next.clone();
                Ok(true)
            }
            Some(_) | None => Ok(false),
        }
    }

    async fn delete_webhook(&self, id: WebhookId) -> Result<bool, StoreError> {
        Ok(self.kept().webhooks.remove(&id).is_some())
    }
}

#[async_trait]
impl Contacts for MemoryAddresses {
    async fn contact(&self, user: &UserId) -> Result<Option<Contact>, StoreError> {
        Ok(self.kept().contacts.get(user.as_str()).cloned())
    }
}

#[async_trait]
impl ContactStore for MemoryAddresses {
    async fn keep_contact(&self, user: &UserId, contact: &Contact) -> Result<(), StoreError> {
        self.kept().contacts.insert(user.as_str().into(), contact.clone());
        Ok(())
    }

    async fn forget_contact(&self, user: &UserId) -> Result<bool, StoreError> {
        Ok(self.kept().contacts.remove(user.as_str()).is_some())
    }
}
