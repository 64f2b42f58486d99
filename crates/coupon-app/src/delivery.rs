//! The delivery ports: how a ledger that many servers share reaches the store, and what the store knows of it.
//!
//! The embedded ledger has one outbox in one order, and [`crate::RecordStore`] takes it in by number. A stream has many
//! readers, and every entry may come more than once and in any order; the store takes it in by what it says.

use crate::{IssuedRecord, Record, RevisedRecord, StoreError};
use async_trait::async_trait;
use coupon_core::{Coupon, CouponId};

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
    /// Issued coupons written, those that came out of quarantine included.
    pub written: u64,
    /// Records that were there already, among the issued coupons, among the revisions or in quarantine.
    pub redelivered: u64,
    /// Records that went to quarantine.
    pub quarantined: u64,
    /// Records that left quarantine because a revision has made room for them.
    pub released: u64,
}

/// Why a record is in quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suspicion {
    /// An issue of a coupon that the store does not know (yet: its creation may be on its way).
    UnknownCoupon,
    /// An issue when the quantity is used up (as far as the store knows: a raise may be on its way).
    QuantityExceeded,
    /// An issue to a user who has the coupon at another position.
    AlreadyHeld,
    /// An issue at a position that another user has.
    PositionTaken,
    /// It comes from another epoch than the coupon's present one.
    OtherEpoch,
}

impl Suspicion {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::UnknownCoupon,
        Self::QuantityExceeded,
        Self::AlreadyHeld,
        Self::PositionTaken,
        Self::OtherEpoch,
    ];

    /// Its written form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownCoupon => "unknown-coupon",
            Self::QuantityExceeded => "quantity-exceeded",
            Self::AlreadyHeld => "already-held",
            Self::PositionTaken => "position-taken",
            Self::OtherEpoch => "other-epoch",
        }
    }

    /// The one with this written form.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// A record in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The order of arrival; never used again.
    pub number: u64,
    /// Why it is there.
    pub reason: Suspicion,
    /// The epoch that it came from.
    pub epoch: Epoch,
    /// What it says.
    pub record: Record,
}

/// Takes in what a shared ledger has decided, from any number of workers at once. It never re-judges: a window that
/// has closed meanwhile undoes nothing.
///
/// Every implementation MUST keep these, and `contract::delivery` examines each:
///
/// 1. **Durable and atomic.** When `deliver` returns, everything in it is durable; when it fails, nothing or
///    everything of each coupon is. Delivering again is always right.
/// 2. **Idempotent, in any order.** The same user with the same position is a redelivery and changes nothing; a
///    revision at or below the one that is kept changes nothing.
/// 3. **The hard limit.** A record that would break the quantity, one per user, or one per position, or that comes
///    from another epoch than the coupon's present one and is not there already, is not written among the issued
///    coupons but into quarantine, counted and kept with its reason, once however often it comes; the rest goes on.
/// 4. **What came too early is not lost.** An issue may overtake the revision that it rests on: the creation, or a
///    raise of the quantity. When a later revision comes, the coupon's records in quarantine as
///    [`Suspicion::UnknownCoupon`] or [`Suspicion::QuantityExceeded`] are taken in again, in order of position, as far
///    as they fit. So whatever the order of arrival, what a sound ledger has decided is in the store in the end, and
///    nothing of it in quarantine.
#[async_trait]
pub trait DeliveryStore: Send + Sync + 'static {
    /// Writes deliveries. See the contract above.
    async fn deliver(&self, deliveries: &[Delivery]) -> Result<Delivered, StoreError>;

    /// What is in quarantine after `after` (0 for the beginning), by number, at most `limit`.
    async fn quarantine(&self, after: u64, limit: usize) -> Result<Vec<Quarantined>, StoreError>;
}

/// Where a shared ledger gets the ids of new coupons: from the store, which survives the ledger. An id that was handed
/// out is never handed out again, used or not.
#[async_trait]
pub trait CouponIds: Send + Sync + 'static {
    /// An id that nobody had before; `None` when none is left.
    async fn next_id(&self) -> Result<Option<CouponId>, StoreError>;
}

/// Which copy of a shared ledger's state is meant: one run of one server, and one history of replication. Both are
/// opaque to everyone but the ledger, at most 64 bytes of ASCII each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerIdentity {
    /// The run of the ledger's server: another one after every start.
    pub run: Box<str>,
    /// The history of its data: another one after a fail-over.
    pub replication: Box<str>,
}

/// What the store knows of a coupon's state in its shared ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerMark {
    /// The coupon at the last revision that the store has.
    pub coupon: Coupon,
    /// The present epoch.
    pub epoch: Epoch,
    /// Where this epoch's state lives; `None` until it was noted.
    pub identity: Option<LedgerIdentity>,
    /// No position up to here is ever used again: the highest that is in the store, or that was given to
    /// [`LedgerMarks::raise_epoch`].
    pub highest: u32,
    /// How many exist.
    pub issued: u32,
    /// How many positions belonged to nobody when the present epoch began: they were lost with the state of an earlier
    /// one, and nobody will ever have them.
    pub lost: u32,
}

/// What tells a shared ledger that lost its memory from one that did not, and from what it is built again.
///
/// 1. **Durable.** When a method returns, what it wrote is durable, and every later delivery is judged by it.
/// 2. **Once.** Of several who raise the epoch from the same one, one succeeds.
#[async_trait]
pub trait LedgerMarks: Send + Sync + 'static {
    /// The mark of a coupon; `None` when the store does not know it.
    async fn mark(&self, coupon: CouponId) -> Result<Option<LedgerMark>, StoreError>;

    /// The marks of coupons after this one, in order of id, deleted ones too, at most `limit`.
    async fn marks(&self, after: Option<CouponId>, limit: usize) -> Result<Vec<LedgerMark>, StoreError>;

    /// The commands to a coupon whose tokens are kept, oldest first: each with the revision that it made.
    async fn commands(&self, coupon: CouponId) -> Result<Vec<RevisedRecord>, StoreError>;

    /// Notes where the state of the present epoch lives, if the epoch is still this one. Says whether it was.
    async fn note_identity(
        &self,
        coupon: CouponId,
        epoch: Epoch,
        identity: &LedgerIdentity,
    ) -> Result<bool, StoreError>;

    /// Ends the epoch `from` and begins the next, whose positions go on above `highest` and above whatever the store
    /// has. The identity is forgotten until it is noted anew. `None` when the present epoch is another one already.
    async fn raise_epoch(
        &self,
        coupon: CouponId,
        from: Epoch,
        highest: u32,
    ) -> Result<Option<LedgerMark>, StoreError>;

    /// The issues of a coupon after position `after`, by position, at most `limit`: all that a ledger needs to know
    /// of them again.
    async fn records(
        &self,
        coupon: CouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<IssuedRecord>, StoreError>;
}
