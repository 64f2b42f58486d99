//! Reopening: notices that the state of a shared ledger may not be trusted, and takes it anew from the store.
//!
//! Every server runs one [`Reopener`]. They agree by the roll call on which of them does it; the steps, and why in this
//! order, stand at [`coupon_app::SharedState`].

mod conductor;
mod lost;

pub use lost::lost_positions;

use crate::limits::{FIRST_REOPENING_PAUSE, LEAD_FOR, LONGEST_REOPENING_PAUSE, ROLL_PAUSE};
use crate::persist::Stop;
use conductor::Conductor;
use coupon_app::limits::ATTEND_EVERY;
use coupon_app::{
    DeliveryStore, LedgerIdentity, LedgerMarks, Passage, Roll, RollCall, ServerId, SharedState, StoreError,
    flaw,
};
use coupon_core::{CouponId, Strategy};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// permits it ([`ReopenerBooks::ask_for`]), in case the state that was lost can be brought back.
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
    /// What was asked for; its losses are permitted.
    wanted: Mutex<BTreeSet<CouponId>>,
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

    /// Asks for these coupons to be taken anew, and permits to open those of which answered issues are lost.
    pub fn ask_for(&self, coupons: &[CouponId]) {
        self.wanted().extend(coupons);
        self.asked.store(true, Ordering::Release);
    }

    fn wanted(&self) -> MutexGuard<'_, BTreeSet<CouponId>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
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
        let asked = self.books.asked.load(Ordering::Acquire);
        self.answer(call).await?;
        tracing::warn!(
            call,
            found = ?found,
            doubted = ?self.doubted,
            "the state of the ledger is compared with the store; its coupons are closed meanwhile"
        );
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
                    self.books.wanted().clear();
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
