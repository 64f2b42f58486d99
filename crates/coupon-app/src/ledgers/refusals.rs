//! Refusals from memory: what a server that shares its ledgers with others says without asking them again.
//!
//! 1. **Leased.** A refusal from memory repeats what the ledger answered to this server, and that had been asked for no
//!    longer ago than [`limits::REFUSED_FOR`]. Nobody has to tell this server of a change: the lease runs out, and
//!    whoever comes next asks the ledger again.
//! 2. **Sold out** is said only to users whom a filter of the winners excludes. The filter is made of the store, and is
//!    used only while it has as many winners as the quantity that this server knows: then there can be no others. It
//!    says "perhaps" of every winner, and those ask the ledger.
//! 3. **Not yet open** is said only when the opening is more than [`limits::SURELY_BEFORE`] away.
//! 4. **Given up at once** when the board has another revision, when a command was answered here, or when the ledger
//!    answered otherwise.

use crate::{Board, Clock, IssueRequest, LedgerMarks, StoreError, limits};
use coupon_core::{CouponId, Outcome, Revision, Timestamp, UserId};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use tokio::time::Instant;

/// What a server remembers of refusals.
pub(super) struct Refusals {
    board: Arc<Board>,
    marks: Arc<dyn LedgerMarks>,
    coupons: RwLock<HashMap<CouponId, Remembered>>,
    seed: RandomState,
    /// How many winners all filters hold.
    winners: AtomicUsize,
    repeated: AtomicU64,
}

impl fmt::Debug for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusals").finish_non_exhaustive()
    }
}

/// Of one coupon.
#[derive(Default)]
struct Remembered {
    lease: Option<Lease>,
    /// Answers to what was asked before are old news.
    forgotten_at: Option<Instant>,
    winners: Option<Arc<Winners>>,
    /// When the store was last asked for the winners.
    sought_at: Option<Instant>,
    seeking: bool,
}

/// What the ledger has answered.
#[derive(Clone, Copy)]
struct Lease {
    asked_at: Instant,
    revision: Revision,
    refusal: Refusal,
}

#[derive(Clone, Copy)]
enum Refusal {
    SoldOut,
    NotYetOpen { opens_at: Timestamp },
}

/// The hashes of everybody who won.
struct Winners {
    hashes: HashSet<u64>,
    /// How many they are, which is more than hashes if two share one.
    count: u32,
}

impl Refusals {
    pub(super) fn new(board: Arc<Board>, marks: Arc<dyn LedgerMarks>) -> Self {
        Self {
            board,
            marks,
            coupons: RwLock::default(),
            seed: RandomState::new(),
            winners: AtomicUsize::new(0),
            repeated: AtomicU64::new(0),
        }
    }

    /// How many refusals were repeated from memory.
    pub(super) fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }

    /// The refusal that can be repeated to whoever asks now.
    pub(super) fn recall(&self, request: &IssueRequest, clock: &dyn Clock) -> Option<Outcome> {
        let (lease, winners) = {
            let coupons = self.coupons.read().unwrap_or_else(PoisonError::into_inner);
            let remembered = coupons.get(&request.coupon)?;
            (remembered.lease?, remembered.winners.clone())
        };
        if lease.asked_at.elapsed() >= limits::REFUSED_FOR {
            return None;
        }
        let posted = self.board.get(request.coupon)?;
        if posted.coupon.revision != lease.revision {
            return None;
        }
        let refusal = match lease.refusal {
            Refusal::SoldOut => {
                let winners = winners?;
                let all = posted.coupon.terms.quantity.limit()?.get() == winners.count;
                (all && !winners.hashes.contains(&self.hash(&request.user))).then_some(Outcome::SoldOut)
            }
            Refusal::NotYetOpen { opens_at } => {
                let surely = clock.now().saturating_add(limits::SURELY_BEFORE) < opens_at;
                surely.then_some(Outcome::NotYetOpen { opens_at })
            }
        }?;
        self.repeated.fetch_add(1, Ordering::Relaxed);
        Some(refusal)
    }

    /// Remembers what the ledger has answered to what was asked at `asked_at`.
    pub(super) fn note(self: &Arc<Self>, coupon: CouponId, asked_at: Instant, outcome: &Outcome) {
        let refusal = match *outcome {
            Outcome::SoldOut => Refusal::SoldOut,
            Outcome::NotYetOpen { opens_at } => Refusal::NotYetOpen { opens_at },
            // Says nothing about anybody else.
            Outcome::AlreadyIssued { .. } | Outcome::UnknownCoupon => return,
            Outcome::Issued(_) | Outcome::Closed { .. } | Outcome::Paused => {
                self.contradict(coupon, asked_at);
                return;
            }
        };
        let Some(posted) = self.board.get(coupon) else {
            return;
        };
        let mut coupons = self.coupons();
        if coupons.len() >= limits::MAX_REFUSED_COUPONS && !coupons.contains_key(&coupon) {
            self.sweep(&mut coupons);
            if coupons.len() >= limits::MAX_REFUSED_COUPONS {
                return;
            }
        }
        let remembered = coupons.entry(coupon).or_default();
        if remembered.forgotten_at.is_some_and(|at| asked_at <= at) {
            return;
        }
        if remembered.lease.is_none_or(|lease| lease.asked_at < asked_at) {
            remembered.lease = Some(Lease {
                asked_at,
                revision: posted.coupon.revision,
                refusal,
            });
        }
        let Some(quantity) = posted.coupon.terms.quantity.limit() else {
            return;
        };
        let known = remembered
            .winners
            .as_ref()
            .is_some_and(|winners| winners.count == quantity.get());
        let lately = |at: Instant| at.elapsed() < limits::REFUSED_FOR;
        if matches!(refusal, Refusal::NotYetOpen { .. })
            || known
            || remembered.seeking
            || remembered.sought_at.is_some_and(lately)
        {
            return;
        }
        remembered.seeking = true;
        drop(coupons);
        let refusals = Arc::clone(self);
        tokio::spawn(async move { refusals.seek(coupon, quantity.get()).await });
    }

    /// The ledger has answered otherwise to what was asked at `asked_at`.
    fn contradict(&self, coupon: CouponId, asked_at: Instant) {
        let has_lease = {
            let coupons = self.coupons.read().unwrap_or_else(PoisonError::into_inner);
            coupons.get(&coupon).is_some_and(|one| one.lease.is_some())
        };
        // Nearly every answer is one while coupons are issued, and then there is nothing to give up.
        if !has_lease {
            return;
        }
        if let Some(remembered) = self.coupons().get_mut(&coupon) {
            remembered.lease = remembered.lease.filter(|lease| lease.asked_at > asked_at);
        }
    }

    /// Remembers no refusal of a coupon that was answered before now.
    pub(super) fn forget(&self, coupon: CouponId) {
        let mut coupons = self.coupons();
        if let Some(remembered) = coupons.get_mut(&coupon) {
            remembered.lease = None;
            remembered.forgotten_at = Some(Instant::now());
        }
    }

    /// Makes the filter of the winners, if the store has all of them already.
    async fn seek(&self, coupon: CouponId, quantity: u32) {
        let found = self.gather(coupon, quantity).await;
        let found = found.unwrap_or_else(|error| {
            tracing::debug!(%coupon, %error, "the store was not asked for the winners");
            None
        });
        let mut coupons = self.coupons();
        let Some(remembered) = coupons.get_mut(&coupon) else {
            return;
        };
        remembered.seeking = false;
        remembered.sought_at = Some(Instant::now());
        if let Some(found) = found {
            let size = found.hashes.len();
            let before = remembered.winners.replace(Arc::new(found));
            let before = before.map_or(0, |winners| winners.hashes.len());
            self.winners.fetch_add(size, Ordering::Relaxed);
            self.winners.fetch_sub(before, Ordering::Relaxed);
        }
    }

    /// Everybody who has one, if they are as many as there are; `None` if not, or if they are too many to remember.
    async fn gather(&self, coupon: CouponId, quantity: u32) -> Result<Option<Winners>, StoreError> {
        let wanted = usize::try_from(quantity).unwrap_or(usize::MAX);
        let room = || limits::MAX_REMEMBERED_WINNERS.saturating_sub(self.winners.load(Ordering::Relaxed));
        if wanted > room() {
            self.sweep(&mut self.coupons());
        }
        if wanted > room() {
            return Ok(None);
        }
        let mark = self.marks.mark(coupon).await?;
        if mark.is_none_or(|mark| mark.issued != quantity) {
            return Ok(None);
        }
        let mut hashes = HashSet::with_capacity(wanted);
        let (mut count, mut after) = (0_u32, 0);
        loop {
            let page = self.marks.records(coupon, after, limits::MAX_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.grant.position.get();
            for record in &page {
                count = count.saturating_add(1);
                hashes.insert(self.hash(&record.user));
            }
            if count > quantity {
                break;
            }
        }
        Ok((count == quantity).then_some(Winners { hashes, count }))
    }

    fn hash(&self, user: &UserId) -> u64 {
        self.seed.hash_one(user.as_bytes())
    }

    fn coupons(&self) -> RwLockWriteGuard<'_, HashMap<CouponId, Remembered>> {
        self.coupons.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up what nobody has been refused by for a while.
    fn sweep(&self, coupons: &mut HashMap<CouponId, Remembered>) {
        let lately = |at: Instant| at.elapsed() < limits::REMEMBERED_FOR;
        coupons.retain(|_, one| {
            let asked_at = one.lease.map(|lease| lease.asked_at);
            let keep = one.seeking || [asked_at, one.forgotten_at].into_iter().flatten().any(lately);
            if !keep && let Some(winners) = &one.winners {
                self.winners.fetch_sub(winners.hashes.len(), Ordering::Relaxed);
            }
            keep
        });
    }
}
