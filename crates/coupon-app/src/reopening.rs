//! The reopening ports: how the state of a shared ledger that was lost, or may have been, is taken anew from the store.
//!
//! One of the servers does it, while all of them hold still. The steps, and why in this order:
//!
//! 1. Every server that lives is called. It closes its coupons, so that no answer leaves any more, and tells the highest
//!    positions that it has seen: none of them is ever used again.
//! 2. A fence is put around the coupon's state, if there is one: nothing more comes into its stream.
//! 3. Whatever lies between that state and the store is brought to the store, to the ends that the fence has fixed.
//! 4. The store raises the epoch: what still comes from the older one goes to quarantine.
//! 5. The state is built anew from the store, above every position that store, stream or any server has seen.
//! 6. The copy of the state in which that was done is noted as the one that is trusted; the servers open again.
//!
//! Whoever does it may die at any step. The next one begins at the first: each step may be taken again.

use crate::{DeliveryStore, Epoch, IssuedRecord, LedgerIdentity, LedgerMark, LedgerMarks, StoreError};
use async_trait::async_trait;
use coupon_core::CouponId;
use std::fmt;
use std::time::Duration;

/// Where a coupon stands in a shared ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateStanding {
    /// The epoch of its state.
    pub epoch: Epoch,
    /// The last position that was issued.
    pub last_position: u32,
    /// Whether somebody has put a fence around it.
    pub fenced: bool,
}

/// The highest position that a server has seen of a coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenPosition {
    /// Of which coupon.
    pub coupon: CouponId,
    /// The position.
    pub position: u32,
}

/// Why a coupon's state may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// There is none.
    #[error("its state is gone")]
    Gone,
    /// It is of another epoch than the store's.
    #[error("its state is of epoch {found}, the store's is {present}")]
    OtherEpoch {
        /// Of the state.
        found: Epoch,
        /// Of the store.
        present: Epoch,
    },
    /// It knows less than the store, or than somebody was told.
    #[error("its state is at position {found}, but {seen} was seen")]
    Behind {
        /// Of the state.
        found: u32,
        /// By the store or a server.
        seen: u32,
    },
    /// Somebody has begun to take it anew and not finished.
    #[error("a fence was left around its state")]
    Fenced,
}

/// Why the state of a coupon may not be used, if it may not: it must be the present epoch's, know every position that
/// the store has or `seen` tells of, and have no fence around it.
pub fn flaw(mark: &LedgerMark, standing: Option<StateStanding>, seen: u32) -> Option<Flaw> {
    let seen = seen.max(mark.highest);
    let Some(standing) = standing else {
        return Some(Flaw::Gone);
    };
    if standing.epoch != mark.epoch {
        return Some(Flaw::OtherEpoch {
            found: standing.epoch,
            present: mark.epoch,
        });
    }
    if standing.last_position < seen {
        return Some(Flaw::Behind {
            found: standing.last_position,
            seen,
        });
    }
    standing.fenced.then_some(Flaw::Fenced)
}

/// The state of a shared ledger, as whoever takes it anew sees it. One server's view: it also opens and closes the
/// ledger of this server.
///
/// 1. **Closed means closed.** After `close` has returned, no answer leaves this server that says more than the
///    positions it returned: what was under way is answered as indeterminate, what comes is unavailable.
/// 2. **Nothing half.** Until `rebuild` returns, the coupon is refused by every server, whatever becomes of the caller.
/// 3. **Not backwards.** `rebuild` MUST refuse when the state is of a later epoch than the mark's, so that whoever comes
///    late changes nothing; and positions MUST go on above `mark.highest`.
#[async_trait]
pub trait SharedState: Send + Sync + 'static {
    /// Which copy of the state answers now; asked of it, not remembered.
    async fn identity(&self) -> Result<LedgerIdentity, StoreError>;

    /// Closes every coupon of this server, and tells the highest positions that it has seen. Doing it again is harmless.
    fn close(&self) -> Vec<SeenPosition>;

    /// Trusts this copy from now on, if it is the one that answers, and opens. Says whether it is open.
    fn open(&self, identity: &LedgerIdentity) -> bool;

    /// Whether this server decides coupons now, as far as trust is concerned.
    fn is_open(&self) -> bool;

    /// The coupons whose state was found to be in doubt since this was last asked.
    fn doubts(&self) -> Vec<CouponId>;

    /// The highest position that this server has seen of a coupon.
    fn seen(&self, coupon: CouponId) -> u32;

    /// Every coupon that has a state, or a way to the store with something on it.
    async fn coupons(&self) -> Result<Vec<CouponId>, StoreError>;

    /// Where a coupon stands, also while it is closed; `None` when it has no state.
    async fn standing(&self, coupon: CouponId) -> Result<Option<StateStanding>, StoreError>;

    /// Every issue that the coupon's state holds, in no order; nothing when it has none.
    async fn issues(&self, coupon: CouponId) -> Result<Vec<IssuedRecord>, StoreError>;

    /// Puts a fence around a coupon's state and tells where it stood; `None` when it has none.
    async fn fence(&self, coupon: CouponId) -> Result<Option<StateStanding>, StoreError>;

    /// Makes the coupon's state anew from what the store has, for the mark's epoch.
    async fn rebuild(&self, mark: &LedgerMark, store: &dyn LedgerMarks) -> Result<(), StoreError>;
}

/// A way from a shared ledger to the store, on which something may lie that the store does not have: its stream, or a
/// topic.
///
/// 1. **To the captured end.** When `drain` returns, the store has durably taken in everything of this coupon that was
///    on the way when it was called; what comes later is not waited for.
/// 2. **Nothing is taken away.** Workers may bring the same at the same time, and again later.
#[async_trait]
pub trait Passage: Send + Sync + 'static {
    /// What it is, for operators.
    fn name(&self) -> &'static str;

    /// What of a coupon's issues lies on the way now, in no order; an issue may be there twice.
    async fn carries(&self, coupon: CouponId) -> Result<Vec<IssuedRecord>, StoreError>;

    /// Brings everything of a coupon that is on the way to the store. Returns the highest position that the way has
    /// ever carried, as far as it can tell.
    async fn drain(&self, coupon: CouponId, store: &dyn DeliveryStore) -> Result<u32, StoreError>;
}

/// Names a process for as long as it lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServerId(pub [u8; 16]);

impl fmt::Debug for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Where the roll stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roll {
    /// How many calls there have been; each has a number of its own.
    pub call: u64,
    /// Whether the last one has not been finished.
    pub running: bool,
    /// The copy of the ledger's state that was trusted when a call was last finished; `None` before the first.
    pub trusted: Option<LedgerIdentity>,
    /// How many other servers say that they are open.
    pub others_open: u64,
}

/// Where servers that share a ledger agree to hold still while one of them takes its state anew. Kept by the store, and
/// judged by its clock.
///
/// 1. **One leads.** At any instant at most one server leads; a lease that is not renewed ends, and then another may
///    lead under the next number.
/// 2. **Told is durable.** When `answer` returns, no position that was told is ever used again in a later epoch, and the
///    server has answered; both or neither.
/// 3. **Only the living are waited for.** A server that has not attended for [`crate::limits::ATTENDS_WITHIN`] is taken
///    to be dead. What only it has seen nobody knows.
#[async_trait]
pub trait RollCall: Send + Sync + 'static {
    /// This server lives, and is open or not.
    async fn attend(&self, server: ServerId, open: bool) -> Result<Roll, StoreError>;

    /// This server holds still for `call`, and has seen these positions.
    async fn answer(&self, server: ServerId, call: u64, seen: &[SeenPosition]) -> Result<(), StoreError>;

    /// Begins to lead, or goes on; the number of the call. `None` while somebody else leads.
    async fn lead(&self, server: ServerId, lease: Duration) -> Result<Option<u64>, StoreError>;

    /// How many living servers have not answered `call`.
    async fn unanswered(&self, call: u64) -> Result<u64, StoreError>;

    /// Ends the call that this server leads. With `trusted` that copy is trusted from now on; without, what was trusted
    /// before. `false` when it does not lead it any more: then nothing has changed.
    async fn finish(
        &self,
        server: ServerId,
        call: u64,
        trusted: Option<&LedgerIdentity>,
    ) -> Result<bool, StoreError>;

    /// This server ends in good order.
    async fn leave(&self, server: ServerId) -> Result<(), StoreError>;
}
