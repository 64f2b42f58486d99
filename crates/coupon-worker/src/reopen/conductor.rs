//! One call of the roll: every coupon that is not sound is taken anew, by the server that leads.

use super::lost::{Ranges, lost_positions};
use super::{ReopenerBooks, ReopenerParts};
use crate::limits::{LEAD_FOR, MAX_NAMED_RANGES, ROLL_PAUSE};
use coupon_app::limits::MAX_PAGE;
use coupon_app::{Flaw, LedgerIdentity, StoreError, flaw};
use coupon_core::CouponId;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// Why a coupon was not taken anew.
#[derive(Debug, thiserror::Error)]
enum NotReopened {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("another server raised its epoch meanwhile")]
    Overtaken,
    #[error("the store has never heard of it")]
    Unknown,
    #[error(
        "{0} answered issues would be lost; bring back the state of the ledger that knows them, or permit it with \
         `firstcome verify --repair`"
    )]
    WouldLose(u32),
}

/// This server does not lead any more.
#[derive(Debug, thiserror::Error)]
#[error("another server has taken over")]
struct TakenOver;

/// One call, by who leads it.
pub(super) struct Conductor<'r> {
    pub(super) parts: &'r ReopenerParts,
    pub(super) books: &'r ReopenerBooks,
    /// Its number.
    pub(super) call: u64,
    /// The copy that was trusted before.
    pub(super) trusted: Option<&'r LedgerIdentity>,
}

/// What a call came to.
pub(super) struct Conducted {
    /// The copy that is trusted from now on.
    pub(super) trusted: LedgerIdentity,
    /// Coupons that could not be taken anew.
    pub(super) failed: BTreeSet<CouponId>,
    /// Coupons that wait for a permission.
    pub(super) held: BTreeSet<CouponId>,
}

impl Conductor<'_> {
    /// Everything, while this server leads. `None` when it does not any more, or has to begin again.
    pub(super) async fn conduct(&self) -> Result<Option<Conducted>, StoreError> {
        let work = self.work();
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(LEAD_FOR / 4) => {
                    let leading = self.parts.roll_call.lead(self.parts.server, LEAD_FOR).await?;
                    if leading != Some(self.call) {
                        tracing::warn!(call = self.call, error = %TakenOver, "not compared");
                        return Ok(None);
                    }
                    // It lives, whatever else it is busy with.
                    self.parts.roll_call.attend(self.parts.server, false).await?;
                }
            }
        }
    }

    async fn work(&self) -> Result<Option<Conducted>, StoreError> {
        let parts = self.parts;
        while parts.roll_call.unanswered(self.call).await? > 0 {
            tokio::time::sleep(ROLL_PAUSE).await;
        }
        let found = parts.state.identity().await?;
        let another = self.trusted != Some(&found);
        let (mut failed, mut held) = (BTreeSet::new(), BTreeSet::new());
        for coupon in self.coupons().await? {
            match self.look_after(coupon, another, &found).await {
                Ok(()) => {}
                Err(error) => {
                    self.books.failed.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(%coupon, %error, "a coupon stays closed");
                    // Trying again would not help those that wait for a permission, and would close the others.
                    if matches!(error, NotReopened::WouldLose(_)) {
                        held.insert(coupon);
                    } else {
                        failed.insert(coupon);
                    }
                }
            }
        }
        // Another copy may have taken its place while it was filled.
        if parts.state.identity().await? != found {
            return Ok(None);
        }
        let finished = parts
            .roll_call
            .finish(parts.server, self.call, Some(&found))
            .await?;
        Ok(finished.then_some(Conducted {
            trusted: found,
            failed,
            held,
        }))
    }

    /// Every coupon that the ledger or the store knows; those that may still be issued come first.
    async fn coupons(&self) -> Result<Vec<CouponId>, StoreError> {
        let mut first: Vec<CouponId> = Vec::new();
        let mut known = BTreeSet::new();
        let mut over: Vec<CouponId> = Vec::new();
        let mut after = None;
        loop {
            let page = self.parts.marks.marks(after, MAX_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.coupon.id);
            for mark in page {
                let coupon = &mark.coupon;
                known.insert(coupon.id);
                if coupon.terms.strategy != self.parts.strategy {
                    continue;
                }
                let ended = coupon.deleted || coupon.closed_at.is_some();
                if ended { &mut over } else { &mut first }.push(coupon.id);
            }
        }
        let listed = self.parts.state.coupons().await?;
        first.extend(listed.into_iter().filter(|id| !known.contains(id)));
        first.append(&mut over);
        Ok(first)
    }

    /// Takes a coupon anew unless it is sound.
    async fn look_after(
        &self,
        coupon: CouponId,
        another: bool,
        found: &LedgerIdentity,
    ) -> Result<(), NotReopened> {
        let parts = self.parts;
        let standing = parts.state.standing(coupon).await?;
        let mark = parts.marks.mark(coupon).await?;
        let wanted = self.books.wanted().contains(&coupon);
        let flaw = mark.as_ref().map(|mark| flaw(mark, standing, 0));
        match flaw {
            Some(None) if !another && !wanted => return Ok(()),
            // An id that was listed and never used.
            None if standing.is_none() => return Ok(()),
            Some(_) | None => {}
        }
        self.take_anew(coupon, flaw.flatten(), found).await
    }

    async fn take_anew(
        &self,
        coupon: CouponId,
        flaw: Option<Flaw>,
        found: &LedgerIdentity,
    ) -> Result<(), NotReopened> {
        let parts = self.parts;
        let fenced = parts.state.fence(coupon).await?;
        let mut highest = fenced.map_or(0, |fenced| fenced.last_position);
        for passage in &parts.passages {
            let carried = passage.drain(coupon, parts.deliveries.as_ref()).await?;
            highest = highest.max(carried);
        }
        let mark = parts.marks.mark(coupon).await?.ok_or(NotReopened::Unknown)?;
        let missing = highest.max(mark.highest) - mark.issued;
        let newly_lost = missing.saturating_sub(mark.lost);
        let permitted = parts.despite_loss || self.books.wanted().contains(&coupon);
        if newly_lost > 0 && !permitted {
            return Err(NotReopened::WouldLose(newly_lost));
        }
        let mut epoch = mark.epoch;
        let mark = loop {
            let raised = parts.marks.raise_epoch(coupon, epoch, highest).await?;
            let raised = raised.ok_or(NotReopened::Overtaken)?;
            // Above the state's own too: a database may have been put back to an earlier day.
            if fenced.is_none_or(|fenced| fenced.epoch < raised.epoch) {
                break raised;
            }
            epoch = raised.epoch;
        };
        parts.state.rebuild(&mark, parts.marks.as_ref()).await?;
        parts.marks.note_identity(coupon, mark.epoch, found).await?;
        self.books.reopened.fetch_add(1, Ordering::Relaxed);
        self.books.lost.fetch_add(newly_lost.into(), Ordering::Relaxed);
        let why = flaw.map_or_else(
            || "another copy of the state, or by command".to_owned(),
            |flaw| flaw.to_string(),
        );
        if newly_lost == 0 {
            tracing::warn!(%coupon, epoch = mark.epoch, why, "a coupon was taken anew from the store");
        } else {
            let positions = lost_positions(parts.marks.as_ref(), &mark, MAX_NAMED_RANGES).await?;
            tracing::error!(
                %coupon,
                epoch = mark.epoch,
                why,
                lost = newly_lost,
                positions = %Ranges(&positions),
                "a coupon was taken anew from the store, without issues that were lost with the ledger's state"
            );
        }
        Ok(())
    }
}
