//! Refusals from memory: what a server that shares its ledgers with others says without asking them again.
//!
//! 1. **Leased.** A refusal from memory repeats what the ledger answered to this server, and that had been asked for no
//!    longer ago than [`limits::REFUSED_FOR`]. Nobody has to tell this server of a change: the lease runs out, and
//!    whoever comes next asks the ledger again.
//! 2. **Sold out** and **closed** are said only to users whom a filter of the winners excludes. The filter is made of the
//!    store, and is used only while it has all of them. Of what is sold out: as many as the quantity that this server
//!    knows; then there can be no others. Of what has closed: as many as the ledger counted after the end, while the board
//!    shows no more and no other revision. It says "perhaps" of every winner, and those ask the ledger.
//! 3. **Not yet open** is said only when the opening is more than [`limits::SURELY_BEFORE`] away.
//! 4. **Given up at once** when the board has another revision, when a command was answered here, or when the ledger
//!    answered otherwise.

use crate::{Board, Clock, DeskError, IssueRequest, Lane, LedgerMarks, Look, Posted, Seen, limits};
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

impl Remembered {
    /// Whether the store is to be asked for the winners now.
    fn lacks_winners(&self, refusal: Refusal, posted: &Posted) -> bool {
        let known = match (refusal, &self.winners) {
            (Refusal::NotYetOpen { .. }, _) => true,
            (Refusal::SoldOut | Refusal::Closed { .. }, None) => false,
            (Refusal::SoldOut | Refusal::Closed { .. }, Some(winners)) => {
                winners.are_all(posted) || winners.are_ahead(posted)
            }
        };
        let lately = |at: Instant| at.elapsed() < limits::REFUSED_FOR;
        !known && !self.seeking && !self.sought_at.is_some_and(lately)
    }
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
    Closed { closed_at: Timestamp },
    NotYetOpen { opens_at: Timestamp },
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::SoldOut => Self::SoldOut,
            Refusal::Closed { closed_at } => Self::Closed { closed_at },
            Refusal::NotYetOpen { opens_at } => Self::NotYetOpen { opens_at },
        }
    }
}

/// The hashes of everybody who won.
struct Winners {
    hashes: HashSet<u64>,
    /// How many they are, which is more than hashes if two share one.
    count: u32,
    /// The revision that had ended when the ledger counted as many; `None` if they are as many as there are coupons.
    ended: Option<Revision>,
}

impl Winners {
    /// Whether there can be no others.
    fn are_all(&self, posted: &Posted) -> bool {
        let quantity = posted.coupon.terms.quantity.limit();
        let ended = self.ended == Some(posted.coupon.revision) && posted.existing() == self.count;
        ended || quantity.is_some_and(|quantity| quantity.get() == self.count)
    }

    /// Whether it is only the board that has yet to show as many.
    fn are_ahead(&self, posted: &Posted) -> bool {
        self.ended == Some(posted.coupon.revision) && posted.existing() < self.count
    }
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
        let surely = match lease.refusal {
            Refusal::SoldOut | Refusal::Closed { .. } => winners.is_some_and(|winners| {
                winners.are_all(&posted) && !winners.hashes.contains(&self.hash(&request.user))
            }),
            Refusal::NotYetOpen { opens_at } => clock.now().saturating_add(limits::SURELY_BEFORE) < opens_at,
        };
        if !surely {
            return None;
        }
        self.repeated.fetch_add(1, Ordering::Relaxed);
        Some(lease.refusal.into())
    }

    /// Remembers what the ledger behind this lane has answered to what was asked at `asked_at`.
    pub(super) fn note(
        self: &Arc<Self>,
        lane: &Lane,
        coupon: CouponId,
        asked_at: Instant,
        outcome: &Outcome,
    ) {
        let refusal = match *outcome {
            Outcome::SoldOut => Refusal::SoldOut,
            Outcome::Closed { closed_at } => Refusal::Closed { closed_at },
            Outcome::NotYetOpen { opens_at } => Refusal::NotYetOpen { opens_at },
            // Says nothing about anybody else.
            Outcome::AlreadyIssued { .. } | Outcome::UnknownCoupon => return,
            Outcome::Issued(_) | Outcome::Paused => {
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
        if !remembered.lacks_winners(refusal, &posted) {
            return;
        }
        remembered.seeking = true;
        drop(coupons);
        let (refusals, lane) = (Arc::clone(self), lane.clone());
        tokio::spawn(async move { refusals.seek(&lane, &posted, refusal).await });
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
    async fn seek(&self, lane: &Lane, posted: &Posted, refusal: Refusal) {
        let coupon = posted.coupon.id;
        let found = self.gather(lane, posted, refusal).await;
        let found = found.unwrap_or_else(|error| {
            tracing::debug!(%coupon, %error, "nobody was asked for the winners");
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

    /// Everybody who has one, if the store has all of them; `None` if not, or if they are too many to remember.
    async fn gather(
        &self,
        lane: &Lane,
        posted: &Posted,
        refusal: Refusal,
    ) -> Result<Option<Winners>, DeskError> {
        let (coupon, revision) = (posted.coupon.id, posted.coupon.revision);
        let (issued, ended) = match refusal {
            Refusal::NotYetOpen { .. } => return Ok(None),
            Refusal::SoldOut => match posted.coupon.terms.quantity.limit() {
                Some(quantity) => (quantity.get(), None),
                None => return Ok(None),
            },
            // As many as there are now, after it has said that there will be no more.
            Refusal::Closed { .. } => match lane.look(Look::Coupon(coupon)).await? {
                Seen::Coupon(Some((seen, issued))) if seen.revision == revision => (issued, Some(revision)),
                Seen::Coupon(_) | Seen::Holder(_) | Seen::Positions(_) => return Ok(None),
            },
        };
        let wanted = usize::try_from(issued).unwrap_or(usize::MAX);
        let room = || limits::MAX_REMEMBERED_WINNERS.saturating_sub(self.winners.load(Ordering::Relaxed));
        if wanted > room() {
            self.sweep(&mut self.coupons());
        }
        if wanted > room() {
            return Ok(None);
        }
        let mark = self.marks.mark(coupon).await?;
        if mark.is_none_or(|mark| mark.issued != issued) {
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
            if count > issued {
                break;
            }
        }
        Ok((count == issued).then_some(Winners { hashes, count, ended }))
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
