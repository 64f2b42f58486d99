//! The store as the place of webhooks and contacts.

use crate::store::MysqlStore;
use crate::{contacts, webhooks};
use async_trait::async_trait;
use coupon_app::{
    ContactStore, Contacts, Origin, StoreError, Webhook, WebhookDraft, WebhookId, WebhookStore,
};
use coupon_core::{Contact, Timestamp, UserId};

#[async_trait]
impl WebhookStore for MysqlStore {
    async fn add_webhook(
        &self,
        draft: &WebhookDraft,
        created_at: Timestamp,
        origin: &Origin,
    ) -> Result<Option<Webhook>, StoreError> {
        let (draft, origin) = (draft.clone(), origin.clone());
        self.run(move |reader| async move { webhooks::add(&reader, &draft, created_at, &origin).await })
            .await
    }

    async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        self.run(|reader| async move { webhooks::all(&reader).await })
            .await
    }

    async fn webhook(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        self.run(move |reader| async move { webhooks::one(&reader, id).await })
            .await
    }

    async fn change_webhook(
        &self,
        next: &Webhook,
        by: Option<(&Origin, Timestamp)>,
    ) -> Result<bool, StoreError> {
        let next = next.clone();
        let by = by.map(|(origin, at)| (origin.clone(), at));
        self.run(move |reader| async move {
            let by = by.as_ref().map(|(origin, at)| (origin, *at));
            webhooks::change(&reader, &next, by).await
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
        self.run(move |reader| async move { webhooks::delete(&reader, id, deleted_at, &origin).await })
            .await
    }
}

#[async_trait]
impl Contacts for MysqlStore {
    async fn contact(&self, user: &UserId) -> Result<Option<Contact>, StoreError> {
        let user = user.clone();
        self.run(|reader| async move { contacts::one(&reader, &user).await })
            .await
    }
}

#[async_trait]
impl ContactStore for MysqlStore {
    async fn keep_contact(&self, user: &UserId, contact: &Contact) -> Result<(), StoreError> {
        let (user, contact) = (user.clone(), contact.clone());
        self.run(|reader| async move { contacts::keep(&reader, &user, &contact).await })
            .await
    }

    async fn forget_contact(&self, user: &UserId) -> Result<bool, StoreError> {
        let user = user.clone();
        self.run(|reader| async move { contacts::forget(&reader, &user).await })
            .await
    }
}
