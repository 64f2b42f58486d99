//! Reopening: notices that the state of a shared ledger may not be trusted, and takes it anew from the store.
//!
//! Every server runs one [`Reopener`]. They agree by the roll call on which of them does it; the steps, and why in this
//! order, stand at [`coupon_app::SharedState`].

use crate::limits::{FIRST_REOPENING_PAUSE, LEAD_FOR, LONGEST_REOPENING_PAUSE, MAX_NAMED_RANGES, ROLL_PAUSE};
use crate::persist::Stop;
use coupon_app::limits::{ATTEND_EVERY, MAX_PAGE};
use coupon_app::{
    DeliveryStore, Flaw, LedgerIdentity, LedgerMark, LedgerMarks, Passage, Roll, RollCall, ServerId,
    SharedState, StoreError, flaw,
};
use coupon_core::{CouponId, Strategy};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// What a reopener works with.
pub struct ReopenerParts {
    /// The ledger's state, as this server sees it.
    pub state: Arc<dyn SharedState>,
    /// The coupons that the ledger decides.
    pub strategy: Strategy,
    /// Where servers agree.
    pub roll_call: Arc<dyn RollCall>,
    /// What the store knows.
    pub marks: Arc<dyn LedgerMarks>,
    /// Where deliveries go.
    pub deliveries: Arc<dyn DeliveryStore>,
    /// Every way from the ledger to the store, in the order in which deliveries take them.
    pub passages: Vec<Arc<dyn Passage>>,
    /// This server.
    pub server: ServerId,
    /// Whether a coupon of which answered issues are lost is opened by itself. Otherwise it stays closed until somebody
    /// permits it ([`ReopenerBooks::permit_loss`]), in case the state that was lost can be brought back.
    pub despite_loss: bool,
}

impl fmt::Debug for ReopenerParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReopenerParts")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// What a reopener has done, for metrics; and what it is asked to do.
#[derive(Debug, Default)]
pub struct ReopenerBooks {
    reopened: AtomicU64,
    lost: AtomicU64,
    failed: AtomicU64,
    asked: AtomicBool,
    permitted: AtomicBool,
}

impl ReopenerBooks {
    /// Coupons that this server has taken anew.
    pub fn reopened(&self) -> u64 {
        self.reopened.load(Ordering::Relaxed)
    }

    /// Positions that were lost with the states of these.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// How often a coupon could not be taken anew.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Asks for every coupon to be looked at now, and permits to open those of which answered issues are lost.
    pub fn permit_loss(&self) {
        self.permitted.store(true, Ordering::Release);
        self.asked.store(true, Ordering::Release);
    }

    /// Whether what was asked for has been done.
    pub fn is_idle(&self) -> bool {
        !self.asked.load(Ordering::Acquire)
    }
}

/// One server's part in reopening. See the module.
pub struct Reopener {
    parts: ReopenerParts,
    books: Arc<ReopenerBooks>,
    /// The last call that this server has answered.
    answered: u64,
    /// Coupons in doubt that have not been found sound again.
    doubted: BTreeSet<CouponId>,
    /// Coupons that wait for a permission.
    held: BTreeSet<CouponId>,
    pause: Duration,
    retry_at: Option<Instant>,
    told_to_wait: bool,
}

impl fmt::Debug for Reopener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reopener")
            .field("server", &self.parts.server)
            .field("doubted", &self.doubted)
            .finish_non_exhaustive()
    }
}

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

impl Reopener {
    /// Ready to begin; nothing is asked yet.
    pub fn new(parts: ReopenerParts) -> Self {
        Self {
            parts,
            books: Arc::default(),
            answered: 0,
            doubted: BTreeSet::new(),
            held: BTreeSet::new(),
            pause: FIRST_REOPENING_PAUSE,
            retry_at: None,
            told_to_wait: false,
        }
    }

    /// Its books.
    pub fn books(&self) -> Arc<ReopenerBooks> {
        Arc::clone(&self.books)
    }

    /// Takes turns until told to stop. A turn that fails is tried again: nothing is open meanwhile that should not be.
    pub async fn keep(mut self, stop: Stop) {
        while !*stop.borrow() {
            if let Err(error) = self.turn().await {
                tracing::debug!(%error, "the state of the ledger was not looked after; trying again");
            }
            tokio::time::sleep(ATTEND_EVERY).await;
        }
        if let Err(error) = self.parts.roll_call.leave(self.parts.server).await {
            tracing::debug!(%error, "the other servers were not told that this one ends");
        }
    }

    /// Takes turns until the ledger is open, at most for this long: so that a server that has nothing to doubt begins
    /// open.
    pub async fn begin(&mut self, within: Duration) {
        let until = Instant::now() + within;
        while !self.parts.state.is_open() && Instant::now() < until {
            if let Err(error) = self.turn().await {
                tracing::warn!(%error, "the state of the ledger was not compared with the store; trying again");
            }
            if !self.parts.state.is_open() {
                tokio::time::sleep(ROLL_PAUSE).await;
            }
        }
    }

    /// Attends, answers a call, opens what is trusted, or takes anew what is not.
    pub async fn turn(&mut self) -> Result<(), StoreError> {
        let (state, server) = (Arc::clone(&self.parts.state), self.parts.server);
        let roll = self.parts.roll_call.attend(server, state.is_open()).await?;
        let doubts = state.doubts().into_iter();
        self.doubted.extend(doubts.filter(|one| !self.held.contains(one)));
        if roll.running {
            self.answer(roll.call).await?;
            // Whoever leads may have died.
            return self.lead(&roll, None).await;
        }
        if !state.is_open() {
            let found = state.identity().await?;
            if roll.trusted.as_ref() == Some(&found) {
                if state.open(&found) {
                    self.told_to_wait = false;
                }
                return Ok(());
            }
            if roll.others_open > 0 {
                if !std::mem::replace(&mut self.told_to_wait, true) {
                    tracing::error!(
                        found = ?found,
                        trusted = ?roll.trusted,
                        "this server reaches another copy of the ledger's state than the servers that are open; it \
                         stays closed until it reaches theirs, or they lose it"
                    );
                }
                return Ok(());
            }
            return self.lead(&roll, Some(&found)).await;
        }
        let asked = self.books.asked.load(Ordering::Acquire);
        let waits = self.retry_at.is_some_and(|at| Instant::now() < at);
        if asked || (!waits && self.is_in_doubt().await?) {
            self.lead(&roll, None).await?;
        }
        Ok(())
    }

    async fn answer(&mut self, call: u64) -> Result<(), StoreError> {
        if self.answered != call {
            let seen = self.parts.state.close();
            self.parts
                .roll_call
                .answer(self.parts.server, call, &seen)
                .await?;
            self.answered = call;
        }
        Ok(())
    }

    /// Whether a coupon in doubt is still to be doubted when one looks again: another server may have mended it.
    async fn is_in_doubt(&mut self) -> Result<bool, StoreError> {
        for coupon in self.doubted.clone() {
            let seen = self.parts.state.seen(coupon);
            let standing = self.parts.state.standing(coupon).await?;
            let mark = self.parts.marks.mark(coupon).await?;
            if mark.is_some_and(|mark| flaw(&mark, standing, seen).is_some()) {
                return Ok(true);
            }
            self.doubted.remove(&coupon);
        }
        Ok(false)
    }

    /// Leads, if nobody else does. `found` is the copy that answers, if it is known to be another one than is trusted.
    async fn lead(&mut self, roll: &Roll, found: Option<&LedgerIdentity>) -> Result<(), StoreError> {
        let leading = self.parts.roll_call.lead(self.parts.server, LEAD_FOR).await?;
        let Some(call) = leading else {
            return Ok(());
        };
        tracing::warn!(
            call,
            found = ?found,
            doubted = ?self.doubted,
            "the state of the ledger is compared with the store; its coupons are closed meanwhile"
        );
        let asked = self.books.asked.load(Ordering::Acquire);
        self.answer(call).await?;
        let parts = &self.parts;
        let conducting = Conductor {
            parts,
            books: &self.books,
            call,
            trusted: roll.trusted.as_ref(),
        };
        let conducted = conducting.conduct().await?;
        match conducted {
            Some(conducted) => {
                self.doubted = conducted.failed;
                self.held = conducted.held;
                if asked {
                    self.books.permitted.store(false, Ordering::Release);
                    self.books.asked.store(false, Ordering::Release);
                }
                if self.doubted.is_empty() {
                    self.pause = FIRST_REOPENING_PAUSE;
                    self.retry_at = None;
                } else {
                    self.retry_at = Some(Instant::now() + self.pause);
                    self.pause = (self.pause * 2).min(LONGEST_REOPENING_PAUSE);
                }
                parts.state.open(&conducted.trusted);
                Ok(())
            }
            // The next turn sees how things stand.
            None => Ok(()),
        }
    }
}

/// One call, by who leads it.
struct Conductor<'r> {
    parts: &'r ReopenerParts,
    books: &'r ReopenerBooks,
    call: u64,
    trusted: Option<&'r LedgerIdentity>,
}

struct Conducted {
    trusted: LedgerIdentity,
    failed: BTreeSet<CouponId>,
    held: BTreeSet<CouponId>,
}

impl Conductor<'_> {
    /// Everything, while this server leads. `None` when it does not any more, or has to begin again.
    async fn conduct(&self) -> Result<Option<Conducted>, StoreError> {
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
        let flaw = mark.as_ref().map(|mark| flaw(mark, standing, 0));
        match flaw {
            Some(None) if !another => return Ok(()),
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
        let permitted = parts.despite_loss || self.books.permitted.load(Ordering::Acquire);
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
        let why = flaw.map_or_else(|| "another copy of the state".to_owned(), |flaw| flaw.to_string());
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

/// The positions of a coupon that belong to nobody because they were lost: of each range the first and the last, at most
/// so many ranges.
pub async fn lost_positions(
    marks: &dyn LedgerMarks,
    mark: &LedgerMark,
    limit: usize,
) -> Result<Vec<(u32, u32)>, StoreError> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    if mark.lost == 0 {
        return Ok(ranges);
    }
    let (mut after, mut left) = (0_u32, mark.lost);
    while left > 0 && ranges.len() < limit {
        let page = marks.records(mark.coupon.id, after, MAX_PAGE).await?;
        let positions: Vec<u32> = page.iter().map(|one| one.grant.position.get()).collect();
        // What is missing behind the last one was lost too, as far as it was lost at all.
        let end = after.saturating_add(left).saturating_add(1);
        let ends = positions.is_empty().then_some(end);
        for position in positions.into_iter().chain(ends) {
            let gap = (position - after - 1).min(left);
            if gap > 0 && ranges.len() < limit {
                ranges.push((after + 1, after + gap));
                left -= gap;
            }
            after = position;
        }
        if ends.is_some() {
            break;
        }
    }
    Ok(ranges)
}

/// Ranges as people write them.
struct Ranges<'r>(&'r [(u32, u32)]);

impl fmt::Display for Ranges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}
