//! The desk: every question and request of the front hall, answered from ledger, board and store together.
//!
//! The store follows the ledger at a distance. The desk closes the gap: whoever was told "issued" finds it in the
//! wallet, by its id, by its code and in the administrator's list at once.

use crate::{
    Board, Clock, Code, CodeKey, CommandOutcome, CommandRequest, CouponStore, IssueRequest, Lane,
    LedgerError, Look, Posted, Reason, Reply, Request, Seen, StoreError, WalletFilter,
};
use coupon_core::{CouponId, Grant, IssuedCoupon, IssuedCouponId, Outcome, Timestamp, UserId};
use std::sync::Arc;

/// One event loop's desk: its own lane, and what all share.
#[derive(Clone)]
pub struct Desk {
    lane: Lane,
    board: Arc<Board>,
    store: Arc<dyn CouponStore>,
    clock: Arc<dyn Clock>,
    codes: CodeKey,
}

/// A question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// By the ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// By the store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Everything that is counted of one coupon.
#[derive(Clone, Debug)]
pub struct Tally {
    /// The coupon and how far it is issued.
    pub posted: Posted,
    /// Issued coupons, by ledger and store.
    pub issued: u64,
    /// Of these on their way to the store.
    pub pending: u64,
    /// Redeemed.
    pub redeemed: u64,
    /// Expired unused.
    pub expired: u64,
    /// Taken back by an administrator.
    pub revoked: u64,
    /// Redemptions cancelled.
    pub cancelled: u64,
}

impl Desk {
    /// A desk at this lane.
    pub fn new(
        lane: Lane,
        board: Arc<Board>,
        store: Arc<dyn CouponStore>,
        clock: Arc<dyn Clock>,
        codes: CodeKey,
    ) -> Self {
        Self {
            lane,
            board,
            store,
            clock,
            codes,
        }
    }

    /// The clock that judges.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The code of an issued coupon.
    pub fn code(&self, id: IssuedCouponId) -> Code {
        self.codes.code(id)
    }

    /// The issued coupon that a code belongs to, if it can be anyone's.
    pub fn reverse(&self, code: Code) -> Option<IssuedCouponId> {
        self.codes.reverse(code)
    }

    /// The hash by which the ledger remembers an idempotency key.
    pub fn key_hash(&self, idempotency_key: &str) -> coupon_core::KeyHash {
        self.codes.key_hash(idempotency_key)
    }

    /// Issues one coupon to one user.
    pub async fn issue(&self, request: IssueRequest) -> Result<Outcome, LedgerError> {
        match self.lane.ask(Request::Issue(request)).await? {
            Reply::Issue(outcome) => Ok(outcome),
            Reply::Command(_) | Reply::Look(_) => Err(wrong_kind()),
        }
    }

    /// Carries out an administrator's command.
    pub async fn command(&self, request: CommandRequest) -> Result<CommandOutcome, LedgerError> {
        match self.lane.ask(Request::Command(Box::new(request))).await? {
            Reply::Command(outcome) => Ok(*outcome),
            Reply::Issue(_) | Reply::Look(_) => Err(wrong_kind()),
        }
    }

    /// A coupon as it stands.
    pub fn coupon(&self, id: CouponId) -> Option<Posted> {
        self.board.get(id)
    }

    /// A page of coupons by id.
    pub fn coupons(&self, after: Option<CouponId>, limit: usize) -> Vec<Posted> {
        self.board.list(after, limit)
    }

    /// A page of what a user holds, newest first.
    pub async fn wallet(&self, user: &UserId, filter: WalletFilter) -> Result<Vec<IssuedCoupon>, DeskError> {
        let mut page = self.not_yet_stored(user, filter).await?;
        let stored = self.store.wallet(user, filter).await?;
        page.retain(|one| !stored.iter().any(|other| other.id() == one.id()));
        page.extend(stored);
        page.sort_by_key(|one| std::cmp::Reverse((one.grant.issued_at, one.coupon)));
        page.truncate(filter.limit);
        Ok(page)
    }

    /// What a user holds that the store does not have. Asked before the store's page is read: what arrives in the
    /// store in between is then in both, and what has arrived before is in the page.
    async fn not_yet_stored(
        &self,
        user: &UserId,
        filter: WalletFilter,
    ) -> Result<Vec<IssuedCoupon>, DeskError> {
        let coupons = self.board.pending();
        if coupons.is_empty() {
            return Ok(Vec::new());
        }
        let Seen::Holder(held) = self
            .lane
            .look(Look::Holder {
                user: user.clone(),
                coupons,
            })
            .await?
        else {
            return Err(wrong_kind().into());
        };
        let mut pending = Vec::new();
        for (coupon, grant) in held {
            let one = IssuedCoupon::new(coupon, user.clone(), grant);
            let asked_state = filter.state.is_none_or(|state| state == one.state(filter.now));
            let asked_page = filter
                .after
                .is_none_or(|after| (grant.issued_at, coupon) < (after.issued_at, after.coupon));
            if asked_state && asked_page && self.store.issued_coupon(one.id()).await?.is_none() {
                pending.push(one);
            }
        }
        Ok(pending)
    }

    /// One issued coupon.
    pub async fn issued_coupon(&self, id: IssuedCouponId) -> Result<Option<IssuedCoupon>, DeskError> {
        if let Some(stored) = self.store.issued_coupon(id).await? {
            return Ok(Some(stored));
        }
        if self
            .board
            .get(id.coupon)
            .is_none_or(|posted| posted.issued < id.position.get())
        {
            return Ok(None);
        }
        let pending = self.positions(id.coupon, id.position.get() - 1, 1).await?;
        let found = pending
            .into_iter()
            .find(|(_, grant)| grant.position == id.position);
        Ok(found.map(|(user, grant)| IssuedCoupon::new(id.coupon, user, grant)))
    }

    /// A page of who got a coupon, in order, after position `after`.
    pub async fn issued_coupons(
        &self,
        coupon: CouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<IssuedCoupon>, DeskError> {
        let mut page = self.store.issued_coupons(coupon, after, limit).await?;
        let last = page.last().map_or(after, |one| one.grant.position.get());
        let pending = page.len() < limit && self.board.get(coupon).is_some_and(|posted| posted.issued > last);
        if pending {
            let more = self.positions(coupon, last, limit - page.len()).await?;
            page.extend(
                more.into_iter()
                    .map(|(user, grant)| IssuedCoupon::new(coupon, user, grant)),
            );
        }
        Ok(page)
    }

    async fn positions(
        &self,
        coupon: CouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<(UserId, Grant)>, LedgerError> {
        match self.lane.look(Look::Positions { coupon, after, limit }).await? {
            Seen::Positions(positions) => Ok(positions),
            Seen::Holder(_) | Seen::Coupon(_) => Err(wrong_kind()),
        }
    }

    /// Counts one coupon; `None` when there is none.
    pub async fn tally(&self, coupon: CouponId) -> Result<Option<Tally>, DeskError> {
        let Some(posted) = self.board.get(coupon) else {
            return Ok(None);
        };
        let stored = self.store.tally(coupon, self.now()).await?;
        let issued = stored.issued.max(u64::from(posted.issued));
        Ok(Some(Tally {
            posted,
            issued,
            pending: issued - stored.issued,
            redeemed: stored.redeemed,
            expired: stored.expired,
            revoked: stored.revoked,
            cancelled: stored.cancelled,
        }))
    }

    /// Whether the store answers.
    pub async fn store_health(&self) -> Result<(), StoreError> {
        self.store.health().await
    }
}

/// A ledger that answers another question than it was asked is broken; nothing it says can be relied on.
fn wrong_kind() -> LedgerError {
    LedgerError::Indeterminate(Reason::Poisoned)
}
