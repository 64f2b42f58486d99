//! The store as the place of webhooks and contacts.

use crate::store::SqliteStore;
use crate::{contacts, webhooks};
use async_trait::async_trait;
use coupon_app::{
    ContactStore, Contacts, Origin, StoreError, Webhook, WebhookDraft, WebhookId, WebhookStore,
};
use coupon_core::{Contact, Timestamp, UserId};

#[async_trait]
impl WebhookStore for SqliteStore {
    async fn add_webhook(
        &self,
        draft: &WebhookDraft,
        created_at: Timestamp,
        origin: &Origin,
    ) -> Result<Option<Webhook>, StoreError> {
        let (draft, origin) = (draft.clone(), origin.clone());
        let added = self
            .write(move |connection| webhooks::add(connection, &draft, created_at, &origin))
            .await?;
        self.count_webhooks().await?;
        Ok(added)
    }

    async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        Ok(self.readers.read(|connection| webhooks::all(connection)).await?)
    }

    async fn webhook(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        Ok(self
            .readers
            .read(move |connection| webhooks::one(connection, id))
            .await?)
    }

    async fn change_webhook(
        &self,
        next: &Webhook,
        by: Option<(&Origin, Timestamp)>,
    ) -> Result<bool, StoreError> {
        let next = next.clone();
        let by = by.map(|(origin, at)| (origin.clone(), at));
        self.write(move |connection| {
            let by = by.as_ref().map(|(origin, at)| (origin, *at));
            webhooks::change(connection, &next, by)
        })
        .await
    }

    async fn delete_webhook(
        &self,
        id: WebhookId,
        deleted_at: Timestamp,
        origin: &Origin,
    ) -> Result<bool, StoreError> {
        let origin = origin.clone();
        let deleted = self
            .write(move |connection| webhooks::delete(connection, id, deleted_at, &origin))
            .await?;
        self.count_webhooks().await?;
        Ok(deleted)
    }
}

#[async_trait]
impl Contacts for SqliteStore {
    async fn contact(&self, user: &UserId) -> Result<Option<Contact>, StoreError> {
        let user = user.clone();
        Ok(self
            .readers
            .read(move |connection| contacts::one(connection, &user))
            .await?)
    }
}

#[async_trait]
impl ContactStore for SqliteStore {
    async fn keep_contact(&self, user: &UserId, contact: &Contact) -> Result<(), StoreError> {
        let (user, contact) = (user.clone(), contact.clone());
        self.write(move |connection| contacts::keep(connection, &user, &contact))
            .await
    }

    async fn forget_contact(&self, user: &UserId) -> Result<bool, StoreError> {
        let user = user.clone();
        self.write(move |connection| contacts::forget(connection, &user))
            .await
    }
}
