//! The record port: what a shared ledger asks the store, to tell a coupon that never was from one that was lost.

use crate::{Epoch, StoreError};
use async_trait::async_trait;
use coupon_core::{CouponId, Held, UserId};

/// What the store has on record of a coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnRecord {
    /// The epoch that issues must come from.
    pub epoch: Epoch,
    /// The highest position the store has.
    pub last_position: u32,
}

/// Answers a shared ledger from the system of record.
///
/// The store runs behind the ledger. So what is on record is the least that the ledger must know: a ledger that knows
/// less, or is of another epoch, has lost something and MUST NOT decide until it was reconciled.
#[async_trait]
pub trait FactsOfRecord: Send + Sync + 'static {
    /// What is on record of a coupon; `None` when the store has never heard of it.
    async fn on_record(&self, coupon: CouponId) -> Result<Option<OnRecord>, StoreError>;

    /// What these users hold of a coupon whose state the ledger has given up after the sale, in the order asked.
    async fn held(&self, coupon: CouponId, users: &[UserId]) -> Result<Vec<Option<Held>>, StoreError>;
}
