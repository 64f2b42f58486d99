//! What a server may say of coupons from memory: durable facts, posted by the ledger before it answers.

use crate::limits::SETTLING;
use coupon_core::{Coupon, CouponId, Strategy, Timestamp};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Notify;

/// The facts of every coupon as far as they are durable.
///
/// The ledger posts here after it has made a batch durable and before it answers it. So whoever has had an answer
/// finds at least that much on the board. Ledgers that many servers share post here too what the others have done, a
/// moment later. What is posted only goes forward, whoever comes late with old news.
#[derive(Debug, Default)]
pub struct Board {
    posts: RwLock<BTreeMap<CouponId, Arc<Post>>>,
    /// Somebody waits for what is on its way to the store.
    hurry: Notify,
    /// Something has arrived there.
    arrived: Notify,
}

#[derive(Debug)]
struct Post {
    coupon: RwLock<Arc<Coupon>>,
    issued: AtomicU32,
    stored: AtomicU32,
    lost: AtomicU32,
    first_issued_at: AtomicI64,
    last_issued_at: AtomicI64,
}

/// What the board says of one coupon.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The coupon at its last revision.
    pub coupon: Arc<Coupon>,
    /// How many are issued: the last position.
    pub issued: u32,
    /// How many of these the store has.
    pub stored: u32,
    /// How many positions up to the last belong to nobody, because the ledger's state was lost with them.
    pub lost: u32,
    /// When the first was issued.
    pub first_issued_at: Option<Timestamp>,
    /// When the last was issued.
    pub last_issued_at: Option<Timestamp>,
}

impl Posted {
    /// How many issued coupons exist; that is what the quantity limits.
    pub fn existing(&self) -> u32 {
        self.issued.saturating_sub(self.lost)
    }
}

/// What a search of the board found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The coupons, in order of id.
    pub coupons: Vec<Posted>,
    /// If there may be more: the coupon after which to go on.
    pub more_after: Option<CouponId>,
}

impl Board {
    /// A board with nothing on it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Posts a coupon's revision.
    pub fn post_coupon(&self, coupon: &Arc<Coupon>) {
        if let Some(post) = self.post(coupon.id) {
            post.revise(coupon);
            return;
        }
        let post = Post {
            coupon: RwLock::new(Arc::clone(coupon)),
            issued: AtomicU32::new(0),
            stored: AtomicU32::new(0),
            lost: AtomicU32::new(0),
            first_issued_at: AtomicI64::new(Timestamp::MIN.as_micros()),
            last_issued_at: AtomicI64::new(Timestamp::MIN.as_micros()),
        };
        let mut posts = self.posts.write().unwrap_or_else(PoisonError::into_inner);
        match posts.entry(coupon.id) {
            Entry::Vacant(place) => {
                place.insert(Arc::new(post));
            }
            // Somebody else was faster.
            Entry::Occupied(post) => post.get().revise(coupon),
        }
    }

    /// Posts that a coupon has been issued so many times, the last of them at `last_issued_at`.
    pub fn post_issued(
        &self,
        coupon: CouponId,
        issued: u32,
        first_issued_at: Timestamp,
        last_issued_at: Timestamp,
    ) {
        if let Some(post) = self.post(coupon) {
            post.first_issued_at
                .store(first_issued_at.as_micros(), Ordering::Relaxed);
            post.last_issued_at
                .fetch_max(last_issued_at.as_micros(), Ordering::Relaxed);
            post.issued.fetch_max(issued, Ordering::Release);
        }
    }

    /// Posts that so many positions belong to nobody.
    pub fn post_lost(&self, coupon: CouponId, lost: u32) {
        if let Some(post) = self.post(coupon) {
            post.lost.fetch_max(lost, Ordering::Release);
        }
    }

    /// Posts that the store has everything up to this position.
    pub fn post_stored(&self, coupon: CouponId, position: u32) {
        if let Some(post) = self.post(coupon) {
            post.stored.fetch_max(position, Ordering::Release);
        }
    }

    /// What is known of a coupon; `None` when there is none or it was deleted.
    pub fn get(&self, coupon: CouponId) -> Option<Posted> {
        self.post(coupon)
            .map(|post| post.read())
            .filter(|posted| !posted.coupon.deleted)
    }

    /// Up to `limit` coupons after `after` in order of id, deleted ones left out.
    pub fn list(&self, after: Option<CouponId>, limit: usize) -> Vec<Posted> {
        let from = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let posts = self.posts.read().unwrap_or_else(PoisonError::into_inner);
        let live = posts
            .range((from, std::ops::Bound::Unbounded))
            .map(|(_, post)| post.read());
        live.filter(|posted| !posted.coupon.deleted).take(limit).collect()
    }

    /// Looks at up to `most` coupons after `after` in order of id, deleted ones left out, for up to `limit` that `wanted`
    /// wants.
    pub fn find(
        &self,
        after: Option<CouponId>,
        limit: usize,
        most: usize,
        wanted: &dyn Fn(&Posted) -> bool,
    ) -> Found {
        let from = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let posts = self.posts.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = Found::default();
        let mut last = None;
        for (looked_at, (id, post)) in posts.range((from, std::ops::Bound::Unbounded)).enumerate() {
            if looked_at == most {
                found.more_after = last;
                break;
            }
            let posted = post.read();
            if !posted.coupon.deleted && wanted(&posted) {
                if found.coupons.len() == limit {
                    found.more_after = last;
                    break;
                }
                found.coupons.push(posted);
            }
            last = Some(*id);
        }
        found
    }

    /// Which kind of ledger decides a coupon, deleted or not; `None` when there is none.
    pub fn strategy(&self, coupon: CouponId) -> Option<Strategy> {
        let posts = self.posts.read().unwrap_or_else(PoisonError::into_inner);
        let post = posts.get(&coupon)?;
        Some(
            post.coupon
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .terms
                .strategy,
        )
    }

    /// The coupons of which the store may not have every issue yet, although only other servers know of it: all but
    /// those that have not opened, and those that have ended and are stored whole.
    pub fn unsettled(&self, now: Timestamp) -> Vec<(CouponId, Strategy)> {
        let unsettled = |posted: &Posted| {
            let coupon = &posted.coupon;
            let window = coupon.terms.window;
            let closes_at = window.closes_at();
            let ended_at = coupon.closed_at.map_or(closes_at, |it| it.min(closes_at));
            let over = ended_at.saturating_add(SETTLING) < now
                || coupon.terms.quantity.remaining(posted.existing()) == Some(0);
            let ahead = now.saturating_add(SETTLING) < window.opens_at() && posted.issued == 0;
            posted.stored < posted.issued || !(over || ahead || coupon.deleted)
        };
        let posts = self.posts.read().unwrap_or_else(PoisonError::into_inner);
        let all = posts.values().map(|post| post.read());
        all.filter(unsettled)
            .map(|posted| (posted.coupon.id, posted.coupon.terms.strategy))
            .collect()
    }

    /// The coupons of which the store does not have every issue yet.
    pub fn pending(&self) -> Vec<CouponId> {
        let posts = self.posts.read().unwrap_or_else(PoisonError::into_inner);
        let behind = |post: &Post| post.stored.load(Ordering::Acquire) < post.issued.load(Ordering::Acquire);
        posts
            .iter()
            .filter(|(_, post)| behind(post))
            .map(|(id, _)| *id)
            .collect()
    }

    /// Whether an issue is durable and has not arrived in the store.
    pub fn is_pending(&self, coupon: CouponId, position: u32) -> bool {
        self.post(coupon).is_some_and(|post| {
            let stored = post.stored.load(Ordering::Acquire);
            (stored.saturating_add(1)..=post.issued.load(Ordering::Acquire)).contains(&position)
        })
    }

    /// Says that what was posted as stored has arrived, to those who wait for it.
    pub fn announce_arrival(&self) {
        self.arrived.notify_waiters();
    }

    /// Waits until an issue that is on its way has arrived in the store, and asks whoever carries it to hurry.
    pub async fn until_stored(&self, coupon: CouponId, position: u32) {
        loop {
            let mut arrival = pin!(self.arrived.notified());
            // From here on, so that nothing that arrives between the look and the wait is missed.
            arrival.as_mut().enable();
            if !self.is_pending(coupon, position) {
                return;
            }
            self.hurry.notify_one();
            arrival.await;
        }
    }

    /// Waits until somebody waits for what is on its way.
    pub async fn hurried(&self) {
        self.hurry.notified().await;
    }

    fn post(&self, coupon: CouponId) -> Option<Arc<Post>> {
        self.posts
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&coupon)
            .map(Arc::clone)
    }
}

impl Post {
    fn revise(&self, coupon: &Arc<Coupon>) {
        let mut posted = self.coupon.write().unwrap_or_else(PoisonError::into_inner);
        if posted.revision <= coupon.revision {
            *posted = Arc::clone(coupon);
        }
    }

    fn read(&self) -> Posted {
        let stored = self.stored.load(Ordering::Acquire);
        let issued = self.issued.load(Ordering::Acquire);
        let time = |micros: &AtomicI64| {
            let instant = Timestamp::saturating_from_micros(micros.load(Ordering::Relaxed));
            (issued > 0).then_some(instant)
        };
        Posted {
            coupon: Arc::clone(&self.coupon.read().unwrap_or_else(PoisonError::into_inner)),
            issued,
            stored,
            lost: self.lost.load(Ordering::Acquire),
            first_issued_at: time(&self.first_issued_at),
            last_issued_at: time(&self.last_issued_at),
        }
    }
}
