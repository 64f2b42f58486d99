//! The delivery port: how a ledger that many servers share reaches the store.
//!
//! The embedded ledger has one outbox in one order, and [`crate::RecordStore`] takes it in by number. A stream has many
//! readers, and every entry may come more than once and in any order; the store takes it in by what it says.

use crate::{Record, StoreError};
use async_trait::async_trait;
use coupon_core::CouponId;

/// The generation of a coupon's state in a shared ledger, counted from 1. It rises whenever that state was lost and
/// taken from the store anew, so that what the lost state still sends can be told apart.
pub type Epoch = u32;

/// One entry of a coupon's stream: what one batch changed, in the order of decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Which coupon; every record is of it.
    pub coupon: CouponId,
    /// The epoch it was decided in.
    pub epoch: Epoch,
    /// What it changed: issues in order of position, revisions in order of revision.
    pub records: Vec<Record>,
}

/// What became of deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Issued coupons written.
    pub written: u64,
    /// Issued coupons that were there already: redeliveries.
    pub redelivered: u64,
    /// Records that went to quarantine.
    pub quarantined: u64,
}

/// Takes in what a shared ledger has decided, from any number of workers at once. It never re-judges: a window that
/// has closed meanwhile undoes nothing.
///
/// 1. **Durable and atomic.** When `deliver` returns, everything in it is durable; when it fails, nothing or
///    everything of each coupon is. Delivering again is always right.
/// 2. **Idempotent, in any order.** The same user with the same position is a redelivery and changes nothing; a
///    revision at or below the one that is kept changes nothing.
/// 3. **The hard limit.** A record that would break the quantity, one per user, or one per position, or that comes
///    from another epoch than the coupon's present one and is not there already, is not written among the issued
///    coupons but into quarantine, counted and kept with its reason, once however often it comes; the rest goes on.
#[async_trait]
pub trait DeliveryStore: Send + Sync + 'static {
    /// Writes deliveries. See the contract above.
    async fn deliver(&self, deliveries: &[Delivery]) -> Result<Delivered, StoreError>;
}

/// Where a shared ledger gets the ids of new coupons: from the store, which survives the ledger. An id that was handed
/// out is never handed out again, used or not.
#[async_trait]
pub trait CouponIds: Send + Sync + 'static {
    /// An id that nobody had before; `None` when none is left.
    async fn next_id(&self) -> Result<Option<CouponId>, StoreError>;
}
