//! The source port: where workers get the deliveries of a shared ledger.

use crate::{Delivery, StoreError};
use async_trait::async_trait;
use coupon_core::CouponId;

/// Names one delivery to the source that handed it out, and to no other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// Of which coupon.
    pub coupon: CouponId,
    /// The source's own name of the entry.
    pub entry: Box<str>,
}

/// How far the workers of one source are behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Entries that nobody has been handed yet.
    pub waiting: u64,
    /// Entries that were handed out and are not done.
    pub in_hand: u64,
    /// Microseconds since the oldest entry that is not done was decided, by the ledger's clock; 0 when there is none.
    pub oldest_us: i64,
    /// Entries that were set aside and have not been looked after.
    pub set_aside: u64,
}

/// Hands out what a shared ledger has decided, to any number of workers at once.
///
/// 1. **At least once.** Every entry of every coupon is handed out until somebody says that it is done, and kept
///    until then whatever becomes of workers. It may be handed out more than once, to several workers, at any time.
/// 2. **Any order.** Entries of one coupon usually come in the order of decision, but whoever takes them MUST be right
///    in any order; between coupons there is none.
/// 3. **Done means durable.** `done` MUST be called only when what the worker writes to has the delivery durably: the
///    ledger may forget it from then on.
/// 4. **Nothing blocks.** An entry that cannot be read, or that its worker sets aside, is kept where it can be
///    inspected, counted, and in nobody's way.
/// 5. **New coupons are found** without a restart.
#[async_trait]
pub trait DeliverySource: Send + Sync + 'static {
    /// The next deliveries, until they hold about `max_records` records (at least one delivery, whole). Waits while
    /// there are none, but not for ever: empty means that there was nothing for a while.
    async fn next(&self, max_records: usize) -> Result<Vec<(Ticket, Delivery)>, StoreError>;

    /// These are durable where the worker writes. Saying it again is harmless.
    async fn done(&self, tickets: &[Ticket]) -> Result<(), StoreError>;

    /// This one cannot be taken, and why. It is kept aside and not handed out again.
    async fn set_aside(&self, ticket: &Ticket, why: &str) -> Result<(), StoreError>;

    /// How far behind the workers are.
    async fn backlog(&self) -> Result<Backlog, StoreError>;
}
