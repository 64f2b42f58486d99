//! Bringing: what a shared ledger has issued and no worker has carried to the store yet is put there before it is used.

use crate::{Board, Delivery, DeliveryStore, LedgerError, LedgerMarks, Reason, Record};
use async_trait::async_trait;
use coupon_core::{CouponId, IssuedCouponId, Revision, Strategy, UserId};
use std::fmt;
use std::sync::Arc;

/// What a ledger that runs ahead of the store knows of one issue that the store does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PendingIssue {
    /// Nothing: it did not issue it, or it has let go of the coupon because the store has everything.
    Nothing,
    /// It issued so far, and has handed the entry over: the store has it, or whoever carries it there.
    HandedOver,
    /// It has it still.
    Here {
        /// The entry that it is part of, as a worker would bring it.
        delivery: Delivery,
        /// The coupon's present revision in the ledger.
        revision: Revision,
    },
}

/// Tells what a shared ledger has decided and not handed over yet.
///
/// 1. **Complete.** It sees every issue that was answered before it is asked.
/// 2. **As delivered.** The delivery is the one that a [`crate::DeliverySource`] hands out, in its own epoch and with
///    every idempotency key, so that whichever comes later to the store is a redelivery.
/// 3. **Reading.** Nothing is changed; the entry is handed out as before.
#[async_trait]
pub trait PendingIssues: Send + Sync + 'static {
    /// What is known of one issue.
    async fn pending(&self, id: IssuedCouponId) -> Result<PendingIssue, LedgerError>;
}

/// What bringing came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brought {
    /// There is nothing to bring: the store knows all there is.
    Nothing,
    /// Whoever carries it has it.
    OnItsWay,
    /// It was delivered, and is in the store unless the store would not have it.
    Delivered,
}

/// Looks into the ledgers that run ahead of the store, and delivers from there.
///
/// A delivery is what a worker would have made of the same entry: the store takes it in by its own rules, with the hard
/// limit, in its epoch, once, however often and from wherever it comes.
pub struct Bringing {
    board: Arc<Board>,
    marks: Arc<dyn LedgerMarks>,
    deliveries: Arc<dyn DeliveryStore>,
    ahead: Vec<(Strategy, Arc<dyn PendingIssues>)>,
}

impl fmt::Debug for Bringing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strategies: Vec<Strategy> = self.ahead.iter().map(|(strategy, _)| *strategy).collect();
        f.debug_struct("Bringing")
            .field("ahead", &strategies)
            .finish_non_exhaustive()
    }
}

impl Bringing {
    /// From these ledgers, by the strategy of the coupons that they decide, to a store. Which strategy a coupon has is
    /// known from `board`, or else from `marks`.
    pub fn new(
        board: Arc<Board>,
        marks: Arc<dyn LedgerMarks>,
        deliveries: Arc<dyn DeliveryStore>,
        ahead: Vec<(Strategy, Arc<dyn PendingIssues>)>,
    ) -> Self {
        Self {
            board,
            marks,
            deliveries,
            ahead,
        }
    }

    /// Brings an issue that the store did not know a moment ago. One that is another user's than `user` is left where
    /// it is: it is not theirs to hurry, and as unknown to them as before.
    pub(crate) async fn bring(
        &self,
        id: IssuedCouponId,
        user: Option<&UserId>,
    ) -> Result<Brought, LedgerError> {
        let Some(strategy) = self.strategy(id.coupon).await? else {
            return Ok(Brought::Nothing);
        };
        let Some((_, ledger)) = self.ahead.iter().find(|(offered, _)| *offered == strategy) else {
            return Ok(Brought::Nothing);
        };
        let (delivery, revision) = match ledger.pending(id).await? {
            PendingIssue::Nothing => return Ok(Brought::Nothing),
            PendingIssue::HandedOver => return Ok(Brought::OnItsWay),
            PendingIssue::Here { delivery, revision } => (delivery, revision),
        };
        let theirs = |record: &Record| match record {
            Record::Issued(issued) => {
                issued.grant.position == id.position && user.is_none_or(|user| *user == issued.user)
            }
            Record::Revised(_) => false,
        };
        if !delivery.records.iter().any(theirs) {
            return Ok(Brought::Nothing);
        }
        // What it offers depends on the revision that it was issued under, so that must have come first.
        let known = self.marks.mark(id.coupon).await.map_err(unavailable)?;
        if known.is_none_or(|mark| mark.coupon.revision < revision) {
            return Err(LedgerError::Unavailable(Reason::StoreBehind));
        }
        self.deliveries.deliver(&[delivery]).await.map_err(unavailable)?;
        Ok(Brought::Delivered)
    }

    async fn strategy(&self, coupon: CouponId) -> Result<Option<Strategy>, LedgerError> {
        if let Some(strategy) = self.board.strategy(coupon) {
            return Ok(Some(strategy));
        }
        let mark = self.marks.mark(coupon).await.map_err(unavailable)?;
        Ok(mark.map(|mark| mark.coupon.terms.strategy))
    }
}

/// Whatever became of a delivery, nothing was redeemed.
fn unavailable(error: crate::StoreError) -> LedgerError {
    LedgerError::Unavailable(Reason::adapter(error))
}
