//! Webhooks and contacts in memory.

use super::audit::Log;
use crate::limits::MAX_WEBHOOKS;
use crate::{
    AuditAction, AuditEntry, AuditFilter, AuditLog, AuditedMatter, ContactStore, Contacts, Origin,
    StoreError, Webhook, WebhookDraft, WebhookId, WebhookStore,
};
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
    log: Log,
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
        origin: &Origin,
    ) -> Result<Option<Webhook>, StoreError> {
        let mut kept = self.kept();
        if kept.webhooks.len() >= MAX_WEBHOOKS {
            return Ok(None);
        }
        kept.last_id += 1;
        let id = WebhookId::new(kept.last_id).map_err(StoreError::lasting)?;
        let webhook = Webhook::new(id, draft.clone(), created_at);
        kept.webhooks.insert(id, webhook.clone());
        let matter = AuditedMatter::of_webhook(None, Some(&webhook));
        kept.log.matter(created_at, origin, matter);
        Ok(Some(webhook))
    }

    async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        Ok(self.kept().webhooks.values().cloned().collect())
    }

    async fn webhook(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        Ok(self.kept().webhooks.get(&id).cloned())
    }

    async fn change_webhook(
        &self,
        next: &Webhook,
        by: Option<(&Origin, Timestamp)>,
    ) -> Result<bool, StoreError> {
        let mut kept = self.kept();
        let Kept { webhooks, log, .. } = &mut *kept;
        match webhooks.get_mut(&next.id) {
            Some(kept) if kept.revision.checked_add(1) == Some(next.revision) => {
                if let Some((origin, at)) = by {
                    log.matter(at, origin, AuditedMatter::of_webhook(Some(kept), Some(next)));
                }
                *kept = next.clone();
                Ok(true)
            }
            Some(_) | None => Ok(false),
        }
    }

    async fn delete_webhook(
        &self,
        id: WebhookId,
        deleted_at: Timestamp,
        origin: &Origin,
    ) -> Result<bool, StoreError> {
        let mut kept = self.kept();
        let Some(deleted) = kept.webhooks.remove(&id) else {
            return Ok(false);
        };
        let matter = AuditedMatter::of_webhook(Some(&deleted), None);
        kept.log.matter(deleted_at, origin, matter);
        Ok(true)
    }
}

#[async_trait]
impl AuditLog for MemoryAddresses {
    async fn audit_log(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(self.kept().log.page(filter))
    }

    async fn note_dead_letters(
        &self,
        action: AuditAction,
        through: &str,
        at: Timestamp,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let through = through.into();
        let matter = AuditedMatter::DeadLetters { through };
        self.kept().log.matter(at, origin, (action, matter));
        Ok(())
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
