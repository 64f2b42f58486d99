//! The outbox port: the ledger's durable records on their way to the store.

use crate::{CommandToken, Origin, StoreError};
use async_trait::async_trait;
use coupon_core::{Coupon, CouponId, Grant, KeyHash, UserId};

/// The number of a committed batch, counted from 1. Batches without records have none of their own.
pub type Seq = u64;

/// One committed batch: what it changed, in the order of decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number; the next entry's is one more.
    pub seq: Seq,
    /// What it changed.
    pub records: Vec<Record>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A coupon was issued.
    Issued(IssuedRecord),
    /// A coupon was created, changed or deleted.
    Revised(Box<RevisedRecord>),
}

/// One issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedRecord {
    /// Which coupon.
    pub coupon: CouponId,
    /// To whom.
    pub user: UserId,
    /// What was given.
    pub grant: Grant,
    /// The hash of the idempotency key that came with the request.
    pub key: Option<KeyHash>,
}

/// One new revision of a coupon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisedRecord {
    /// The coupon as it is from here on.
    pub coupon: Coupon,
    /// How many were issued at that moment.
    pub issued: u32,
    /// How many positions before it belonged to nobody, because a shared ledger's state was lost with them. So the last
    /// position at that moment was `issued + lost`: what stands above it was issued under this revision or a later one.
    pub lost: u32,
    /// Who did it, and by which request.
    pub actor: Origin,
    /// The idempotency key that came with the command.
    pub token: Option<CommandToken>,
}

/// Hands out durable entries in order, and keeps each until it is released.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// The durable entries after `after`, in order, until they hold about `max_records` records (at least one entry,
    /// whole). Waits while there are none. Empty only when the ledger has been closed and everything was handed out.
    async fn next(&self, after: Seq, max_records: usize) -> Result<Vec<Entry>, StoreError>;

    /// The store has everything up to and including `through`: it need not be kept.
    async fn release(&self, through: Seq) -> Result<(), StoreError>;

    /// The last durable entry; 0 before the first.
    fn durable(&self) -> Seq;
}
