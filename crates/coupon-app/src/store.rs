//! The store ports: the system of record that answers queries.

use crate::{CommandToken, Entry, IssuedRecord, KeyId, KeyRecord, Origin, RevisedRecord, Seq, StoreError};
use async_trait::async_trait;
use coupon_core::{Coupon, CouponId, IssuedCoupon, IssuedCouponId, IssuedState, Timestamp, UserId};
use std::time::Duration;

/// Takes in what the ledger has decided. It never re-judges: a window that has closed meanwhile undoes nothing.
///
/// 1. **Atomic and in order.** `apply` writes entries and the number of the last one in one durable transaction, or
///    nothing. Entries at or below the applied number are skipped; a gap in the numbers is an error and writes
///    nothing.
/// 2. **Idempotent.** The same user with the same position is a redelivery and changes nothing.
/// 3. **The hard limit.** A record that would break the quantity, one per user, or one per position is not written
///    among the issued coupons but into quarantine, counted and kept with its reason, and the rest goes on.
/// 4. **Complete.** `load` gives back exactly what was applied, so that a ledger can be rebuilt from it.
#[async_trait]
pub trait RecordStore: Send + Sync + 'static {
    /// The last entry that was applied; 0 before the first.
    async fn applied(&self) -> Result<Seq, StoreError>;

    /// Writes entries. See the contract above.
    async fn apply(&self, entries: &[Entry]) -> Result<Applied, StoreError>;

    /// Does some of what it has put off while entries came thick and fast, and says after how long it is to be asked
    /// again: at once when there is more, later when it is wanted for something else now, and not before entries have come
    /// when there is nothing. Called when none have come for a while, and again until some come; nothing may rest on it.
    async fn settle(&self) -> Result<Option<Duration>, StoreError> {
        Ok(None)
    }

    /// Hands everything to `restore` as of one instant and returns the applied number of that instant: every coupon
    /// in order of id, deleted ones too, then every issued coupon in order of coupon and position, then the live
    /// command tokens, oldest first; what such a command did is filled in where its record did not say.
    async fn load(&self, restore: &mut (dyn Restore + Send)) -> Result<Seq, StoreError>;

    /// The key of the codes: the one already kept, or `fresh`, kept from now on.
    async fn code_key(&self, fresh: [u8; 16]) -> Result<[u8; 16], StoreError>;
}

/// What an application of entries did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The last applied entry.
    pub seq: Seq,
    /// Issued coupons written.
    pub written: u64,
    /// Issued coupons that were there already.
    pub redelivered: u64,
    /// Records that went to quarantine.
    pub quarantined: u64,
}

/// Takes what a store loads.
pub trait Restore {
    /// A coupon at its last revision.
    fn coupon(&mut self, coupon: Coupon);

    /// An issued coupon. Its coupon came before.
    fn issued(&mut self, record: IssuedRecord);

    /// A command that carried a token, for answering replays: the revision as that command left it.
    fn token(&mut self, record: RevisedRecord, token: CommandToken);
}

/// Where a wallet's next page begins: after this issued coupon. Newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletCursor {
    /// The last one's time of issue.
    pub issued_at: Timestamp,
    /// The last one's coupon.
    pub coupon: CouponId,
}

/// Which of a user's issued coupons are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletFilter {
    /// Only those in this state, judged at `now`.
    pub state: Option<IssuedState>,
    /// The instant that states are judged at.
    pub now: Timestamp,
    /// Only those after this one, in the order newest first, then by coupon id descending.
    pub after: Option<WalletCursor>,
    /// At most so many.
    pub limit: usize,
}

/// What the store counts of one coupon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreTally {
    /// Issued coupons in the store.
    pub issued: u64,
    /// Of these redeemed.
    pub redeemed: u64,
    /// Of these neither redeemed nor revoked, and past their validity.
    pub expired: u64,
    /// Of these revoked.
    pub revoked: u64,
    /// Redemptions that were cancelled, ever.
    pub cancelled: u64,
}

/// Answers queries about what has been applied. Everything applied before a query is seen by it.
#[async_trait]
pub trait CouponStore: Send + Sync + 'static {
    /// A page of what a user holds.
    async fn wallet(&self, user: &UserId, filter: WalletFilter) -> Result<Vec<IssuedCoupon>, StoreError>;

    /// One issued coupon.
    async fn issued_coupon(&self, id: IssuedCouponId) -> Result<Option<IssuedCoupon>, StoreError>;

    /// A page of who got a coupon, by position, after position `after` (0 for the beginning).
    async fn issued_coupons(
        &self,
        coupon: CouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<IssuedCoupon>, StoreError>;

    /// Counts of one coupon, states judged at `now`.
    async fn tally(&self, coupon: CouponId, now: Timestamp) -> Result<StoreTally, StoreError>;

    /// Whether the store answers and can write.
    async fn health(&self) -> Result<(), StoreError>;
}

/// Keeps API keys, and the record of who made and revoked them (see [`crate::AuditLog`]).
#[async_trait]
pub trait KeyStore: Send + Sync + 'static {
    /// Keeps a new key that `origin` makes. An id that is taken is an error.
    async fn add_key(&self, key: &KeyRecord, origin: &Origin) -> Result<(), StoreError>;

    /// Every key, revoked and expired ones too, in order of making.
    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError>;

    /// Revokes a key; `None` when there is no such key. Revoking twice keeps the first time and who did it.
    async fn revoke_key(
        &self,
        id: &str,
        at: Timestamp,
        origin: &Origin,
    ) -> Result<Option<KeyRecord>, StoreError>;

    /// Notes when keys were last used. Each keeps the latest time; keys that are not there are left out.
    async fn note_used_keys(&self, used: &[(KeyId, Timestamp)]) -> Result<(), StoreError>;
}
