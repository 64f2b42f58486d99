//! The desk: every question and request of the front hall, answered from ledger, board and store together.
//!
//! The store follows the ledger at a distance. The desk closes the gap: whoever was told "issued" finds it in the
//! wallet, by its id, by its code and in the administrator's list at once.

use crate::{
    Board, Clock, Code, CodeKey, CommandOutcome, CommandRequest, CouponStore, Found, IssueRequest, Lanes,
    LedgerError, Look, Posted, Reason, Reply, Request, Seen, StoreError, WalletFilter,
};
use coupon_core::{
    Command, CommandRefusal, CouponId, Grant, IssuedCoupon, IssuedCouponId, Outcome, Timestamp, UserId,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;

/// One event loop's desk: its own lanes, and what all share.
#[derive(Clone)]
pub struct Desk {
    lanes: Lanes,
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
    /// A desk at these lanes.
    pub fn new(
        lanes: impl Into<Lanes>,
        board: Arc<Board>,
        store: Arc<dyn CouponStore>,
        clock: Arc<dyn Clock>,
        codes: CodeKey,
    ) -> Self {
        Self {
            lanes: lanes.into(),
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
        if let Some(refusal) = self.lanes.recall(&request, self.clock.as_ref()) {
            return Ok(refusal);
        }
        let Some(lane) = self.lanes.of(request.coupon).await? else {
            return Ok(Outcome::UnknownCoupon);
        };
        let (coupon, asked_at) = (request.coupon, Instant::now());
        match lane.ask(Request::Issue(request)).await? {
            Reply::Issue(outcome) => {
                self.lanes.note(lane, coupon, asked_at, &outcome);
                Ok(outcome)
            }
            Reply::Command(_) | Reply::Look(_) => Err(wrong_kind()),
        }
    }

    /// Carries out an administrator's command.
    pub async fn command(&self, request: CommandRequest) -> Result<CommandOutcome, LedgerError> {
        let lane = match (request.coupon, &request.command) {
            (None, Command::Create(terms)) => self.lanes.to_create(terms.strategy)?,
            (Some(coupon), _) => match self.lanes.to_command(coupon).await? {
                Some(lane) => lane,
                None => return Ok(CommandOutcome::Refused(CommandRefusal::UnknownCoupon)),
            },
            (None, _) => return Ok(CommandOutcome::Refused(CommandRefusal::UnknownCoupon)),
        };
        let coupon = request.coupon;
        let answer = lane.ask(Request::Command(Box::new(request))).await;
        if let Some(coupon) = coupon {
            // Also after an error: it may have happened.
            self.lanes.forget_refusals(coupon);
        }
        match answer? {
            Reply::Command(outcome) => Ok(*outcome),
            Reply::Issue(_) | Reply::Look(_) => Err(wrong_kind()),
        }
    }

    /// A coupon as it stands.
    pub fn coupon(&self, id: CouponId) -> Option<Posted> {
        self.board.get(id)
    }

    /// A coupon as it stands, also when another server has made it just now. A store that cannot be asked is no reason
    /// not to show what is known.
    pub async fn newest_coupon(&self, id: CouponId) -> Option<Posted> {
        if let Some(posted) = self.board.get(id) {
            return Some(posted);
        }
        if let Err(error) = self.lanes.acquaint(id, false).await {
            tracing::debug!(%error, "the store was not asked for a coupon");
        }
        self.board.get(id)
    }

    /// A coupon of which something was issued, perhaps a moment ago and at another server: for who cannot answer without
    /// it. `None` when there is none, which is not said from memory.
    pub async fn coupon_of_issue(&self, id: CouponId) -> Result<Option<Posted>, LedgerError> {
        if let Some(posted) = self.board.get(id) {
            return Ok(Some(posted));
        }
        self.lanes.acquaint(id, true).await?;
        Ok(self.board.get(id))
    }

    /// A coupon as it stands now, asked of its ledger where other servers issue it too. A ledger that cannot be asked
    /// is no reason not to show what is known.
    pub async fn present_coupon(&self, id: CouponId) -> Option<Posted> {
        let posted = self.newest_coupon(id).await;
        if !self.lanes.are_shared() {
            return posted;
        }
        let posted = posted?;
        let Ok(Some(lane)) = self.lanes.of(id).await else {
            return Some(posted);
        };
        match lane.look(Look::Coupon(id)).await {
            Ok(Seen::Coupon(Some((coupon, issued)))) => {
                // What was lost with an earlier state the ledger has just told the board.
                let lost = self.board.get(id).map_or(posted.lost, |now| now.lost);
                Some(Posted {
                    coupon,
                    issued: posted.issued.max(issued.saturating_add(lost)),
                    lost,
                    ..posted
                })
            }
            Ok(Seen::Coupon(None)) => None,
            Ok(Seen::Holder(_) | Seen::Positions(_)) | Err(_) => Some(posted),
        }
    }

    /// A page of coupons by id.
    pub fn coupons(&self, after: Option<CouponId>, limit: usize) -> Vec<Posted> {
        self.board.list(after, limit)
    }

    /// Coupons that `wanted` wants, in order of id: at most `limit`, of `most` that are looked at.
    pub fn find_coupons(
        &self,
        after: Option<CouponId>,
        limit: usize,
        most: usize,
        wanted: &dyn Fn(&Posted) -> bool,
    ) -> Found {
        self.board.find(after, limit, most, wanted)
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
        let held = self
            .lanes
            .held_ahead(&self.board, self.clock.as_ref(), user)
            .await?;
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
        let posted = self.board.get(id.coupon).map_or(0, |posted| posted.issued);
        if posted < id.position.get() && !self.lanes.are_shared() {
            return Ok(None);
        }
        let pending = self.positions(id.coupon, id.position.get() - 1, 1).await?;
        let found = pending
            .into_iter()
            .find(|(_, grant)| grant.position == id.position);
        match found {
            Some((user, grant)) => Ok(Some(IssuedCoupon::new(id.coupon, user, grant))),
            // A worker may have carried it from the ledger to the store since the store was asked.
            None if self.lanes.are_shared() => Ok(self.store.issued_coupon(id).await?),
            None => Ok(None),
        }
    }

    /// A page of who got a coupon, in order, after position `after`.
    pub async fn issued_coupons(
        &self,
        coupon: CouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<IssuedCoupon>, DeskError> {
        let page = self.store.issued_coupons(coupon, after, limit).await?;
        // Workers bring issues in any order, so what is missing may be in the middle too.
        let expected = u64::from(after) + 1..;
        let whole = page
            .iter()
            .zip(expected)
            .take_while(|(one, position)| u64::from(one.grant.position.get()) == *position)
            .count();
        let last = after.saturating_add(u32::try_from(whole).unwrap_or(u32::MAX));
        let may_be_more =
            self.lanes.are_shared() || self.board.get(coupon).is_some_and(|it| it.issued > last);
        if whole == limit || !may_be_more {
            return Ok(page);
        }
        let mut merged: BTreeMap<u32, IssuedCoupon> = BTreeMap::new();
        for (user, grant) in self.positions(coupon, last, limit - whole).await? {
            merged.insert(grant.position.get(), IssuedCoupon::new(coupon, user, grant));
        }
        // The store knows better what became of them.
        merged.extend(page.into_iter().map(|one| (one.grant.position.get(), one)));
        Ok(merged.into_values().take(limit).collect())
    }

    async fn positions(
        &self,
        coupon: CouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<(UserId, Grant)>, LedgerError> {
        let Some(lane) = self.lanes.of(coupon).await? else {
            return Ok(Vec::new());
        };
        match lane.look(Look::Positions { coupon, after, limit }).await? {
            Seen::Positions(positions) => Ok(positions),
            Seen::Holder(_) | Seen::Coupon(_) => Err(wrong_kind()),
        }
    }

    /// Counts one coupon; `None` when there is none.
    pub async fn tally(&self, coupon: CouponId) -> Result<Option<Tally>, DeskError> {
        let Some(posted) = self.present_coupon(coupon).await else {
            return Ok(None);
        };
        let stored = self.store.tally(coupon, self.now()).await?;
        let issued = stored.issued.max(u64::from(posted.existing()));
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
