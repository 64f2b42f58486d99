//! The strategy `redis-lock`: turns at the database, lent by a lock elsewhere.

use async_trait::async_trait;
use coupon_app::{Lease, Lock};
use coupon_core::CouponId;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store_mysql::{NoTurn, Turn, Turns};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// The pause before a lock that somebody else holds is tried again.
///
/// Of two servers that issue the same coupon as fast as they can, whoever holds the lock takes it again a fraction of a
/// millisecond after it has given it back. The other one hit upon that gap by chance only, and the users at it waited
/// for many turns. In P17 (256 connections, MariaDB and Redis on the same two cores), short rounds, it was 80 to 166 ms at
/// the 99th percentile with pauses of up to 16 ms, at 16,300 to 21,900 issues a second, and 49 to 51 ms with up to 4 ms,
/// at 19,400 to 20,400. With this pause and [`STAND_BACK`] it is 18 to 22 ms, at 16,700 to 23,800 a second, and in three
/// full rounds 21 to 22 ms, at 17,600 to 18,200: between turns the lock is idle for a moment. Longer ones (4 and 3 ms,
/// 2 and 3 ms, 4 and 5 ms) gained nothing.
const PAUSE: Duration = Duration::from_millis(1);
/// How long a server that gave a lock back leaves it to others, if it has lately found others at it. Longer than
/// [`PAUSE`], or they miss it.
const STAND_BACK: Duration = Duration::from_millis(2);
/// For how long others that were found at a lock are taken to be still there.
const OTHERS_STAY: Duration = Duration::from_millis(250);
/// Most coupons of which that is remembered; beyond, all are forgotten.
const MAX_CROWDED: usize = 10_000;

/// How often a lease is renewed before it is left to end: a batch that takes longer holds everybody up.
const MAX_RENEWALS: u32 = 15;

/// Takes a lock for each turn, renews it while the batch takes long, and gives it back when the batch has ended, so that
/// no server waits for an idle one. Where others want it too, it then leaves it to them for a moment. Only the owner
/// renews, and stops as soon as it is not the owner any more; what it then still writes the database refuses.
pub(super) struct LockTurns {
    lock: Arc<dyn Lock>,
    lease: Duration,
    /// Where leases are renewed.
    handle: Handle,
    /// How long a turn is waited for.
    patience: Duration,
    last: AtomicU64,
    held: Mutex<HashMap<Turn, Held>>,
    /// The coupons at which others were found.
    crowded: Mutex<HashMap<CouponId, Crowd>>,
}

struct Held {
    lease: Lease,
    renewing: AbortHandle,
}

/// Others at a coupon's lock.
struct Crowd {
    /// When they were last found there.
    found_at: Instant,
    /// When this server gave the lock back after that.
    given_back_at: Option<Instant>,
}

impl fmt::Debug for LockTurns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockTurns")
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("another server held the coupon's lock for {} ms", .0.as_millis())]
struct Waited(Duration);

impl LockTurns {
    pub(super) fn new(lock: Arc<dyn Lock>, lease: Duration, handle: Handle) -> Self {
        Self {
            lock,
            lease,
            handle,
            // Once a dead holder's lease has ended, somebody's turn comes.
            patience: lease * 2,
            last: AtomicU64::new(0),
            held: Mutex::default(),
            crowded: Mutex::default(),
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Turn, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn crowded(&self) -> MutexGuard<'_, HashMap<CouponId, Crowd>> {
        self.crowded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Others hold this coupon's lock.
    fn found_others(&self, coupon: CouponId) {
        let mut crowded = self.crowded();
        if crowded.len() >= MAX_CROWDED && !crowded.contains_key(&coupon) {
            crowded.clear();
        }
        let crowd = Crowd {
            found_at: Instant::now(),
            given_back_at: None,
        };
        crowded.insert(coupon, crowd);
    }

    /// How long others come first.
    fn stands_back(&self, coupon: CouponId) -> Option<Instant> {
        let mut crowded = self.crowded();
        let crowd = crowded.get(&coupon)?;
        if crowd.found_at.elapsed() >= OTHERS_STAY {
            crowded.remove(&coupon);
            return None;
        }
        Some(crowd.given_back_at? + STAND_BACK)
    }

    async fn give_back(&self, coupon: CouponId, turn: Turn) {
        let Some(held) = self.held().remove(&turn) else {
            return;
        };
        held.renewing.abort();
        if let Err(error) = self.lock.release(held.lease).await {
            // It ends by itself.
            tracing::debug!(%error, "a lock was not given back");
        }
        if let Some(crowd) = self.crowded().get_mut(&coupon) {
            crowd.given_back_at = Some(Instant::now());
        }
    }

    /// Renews a lease, three times in its life, until it is given back or lost.
    fn renew(&self, held: Lease) -> AbortHandle {
        let (lock, lease) = (Arc::clone(&self.lock), self.lease);
        let renewing = self.handle.spawn(async move {
            for _ in 0..MAX_RENEWALS {
                tokio::time::sleep(lease / 3).await;
                match lock.renew(&held, lease).await {
                    Ok(true) => {}
                    Ok(false) => {
                        tracing::debug!(lock = %held.name, "a lock was lost while its batch was under way");
                        return;
                    }
                    Err(error) => tracing::debug!(%error, "a lock was not renewed"),
                }
            }
        });
        renewing.abort_handle()
    }
}

#[async_trait]
impl Turns for LockTurns {
    async fn take(&self, coupon: CouponId) -> Result<Turn, NoTurn> {
        let name = format!("coupon:{coupon}");
        if let Some(until) = self.stands_back(coupon) {
            tokio::time::sleep_until(until).await;
        }
        let give_up_at = Instant::now() + self.patience;
        loop {
            if let Some(lease) = self.lock.take(&name, self.lease).await? {
                let turn = Turn(self.last.fetch_add(1, Ordering::Relaxed) + 1);
                let renewing = self.renew(lease.clone());
                self.held().insert(turn, Held { lease, renewing });
                return Ok(turn);
            }
            self.found_others(coupon);
            if Instant::now() + PAUSE >= give_up_at {
                return Err(Box::new(Waited(self.patience)));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn done(&self, coupon: CouponId, turn: Turn) {
        self.give_back(coupon, turn).await;
    }

    async fn lost(&self, coupon: CouponId, turn: Turn) {
        self.give_back(coupon, turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coupon_app::StoreError;

    /// One lock that servers share.
    #[derive(Default)]
    struct OneLock(Mutex<Option<[u8; 16]>>);

    #[async_trait]
    impl Lock for OneLock {
        async fn take(&self, name: &str, _lease: Duration) -> Result<Option<Lease>, StoreError> {
            let mut held = self.0.lock().unwrap();
            if held.is_some() {
                return Ok(None);
            }
            let mut owner = [0; 16];
            getrandom::fill(&mut owner).unwrap();
            *held = Some(owner);
            Ok(Some(Lease {
                name: name.into(),
                owner,
            }))
        }

        async fn renew(&self, held: &Lease, _lease: Duration) -> Result<bool, StoreError> {
            Ok(*self.0.lock().unwrap() == Some(held.owner))
        }

        async fn release(&self, held: Lease) -> Result<bool, StoreError> {
            let mut holder = self.0.lock().unwrap();
            let was_held = *holder == Some(held.owner);
            if was_held {
                *holder = None;
            }
            Ok(was_held)
        }
    }

    /// Takes turns without end, as a server does whose next batch is always ready.
    async fn works(turns: &LockTurns, taken: &Mutex<Vec<&str>>, name: &'static str) {
        while taken.lock().unwrap().len() < TURNS {
            let turn = turns.take(CouponId::FIRST).await.unwrap();
            taken.lock().unwrap().push(name);
            tokio::time::sleep(BATCH).await;
            turns.done(CouponId::FIRST, turn).await;
        }
    }

    const TURNS: usize = 60;
    const BATCH: Duration = Duration::from_millis(3);

    #[test]
    fn servers_that_have_met_at_a_lock_take_turns() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let lock = Arc::new(OneLock::default());
        let server = || {
            let handle = runtime.handle().clone();
            LockTurns::new(Arc::clone(&lock) as _, Duration::from_secs(60), handle)
        };
        let (one, other) = (server(), server());
        let taken = Mutex::new(Vec::new());
        runtime.block_on(async {
            let first = other.take(CouponId::FIRST).await.unwrap();
            let others = async {
                // Until the one has found it taken; then it is the other's turn to find that.
                tokio::time::sleep(BATCH).await;
                other.done(CouponId::FIRST, first).await;
                while taken.lock().unwrap().is_empty() {
                    tokio::time::sleep(PAUSE).await;
                }
                works(&other, &taken, "other").await;
            };
            tokio::join!(works(&one, &taken, "one"), others)
        });
        let taken = taken.lock().unwrap();
        let of_one = taken.iter().filter(|name| **name == "one").count();
        assert!((TURNS / 4..=TURNS * 3 / 4).contains(&of_one), "{taken:?}");
    }
}
