//! The port of contacts: where a person's address comes from.

use crate::StoreError;
use async_trait::async_trait;
use coupon_core::{Contact, UserId};

/// Says how a user is reached. It is asked at each attempt, so that an address lives where it is kept and nowhere else.
///
/// 1. **None is an answer**: this user has no address. What cannot be said now is an error, and one that may pass
///    ([`StoreError::retriable`]) if asking again may help.
/// 2. **Bounded** in time and in what is taken in.
/// 3. **Discreet.** An error names neither the user nor an address.
#[async_trait]
pub trait Contacts: Send + Sync + 'static {
    /// How `user` is reached.
    async fn contact(&self, user: &UserId) -> Result<Option<Contact>, StoreError>;
}

/// Keeps the contacts that were given to us. `contract::addresses` examines each implementation.
///
/// 1. **Durable** when a method returns; when it fails, nothing or everything happened.
/// 2. **One each**, by the exact user id; the last one that was given counts.
/// 3. **Forgotten is gone**: nothing of it is kept.
#[async_trait]
pub trait ContactStore: Contacts {
    /// Keeps a contact in the place of the one before.
    async fn keep_contact(&self, user: &UserId, contact: &Contact) -> Result<(), StoreError>;

    /// Forgets a contact; says whether there was one.
    async fn forget_contact(&self, user: &UserId) -> Result<bool, StoreError>;
}
