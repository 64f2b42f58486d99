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

/// The first pause before a lock that somebody else holds is tried again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(16);

/// How often a lease is renewed before it is left to end: a batch that takes longer holds everybody up.
const MAX_RENEWALS: u32 = 15;

/// Takes a lock for each turn, renews it while the batch takes long, and gives it back when the batch has ended, so that
/// no server waits for an idle one. Only the owner renews, and stops as soon as it is not the owner any more; what it
/// then still writes the database refuses.
pub(super) struct LockTurns {
    lock: Arc<dyn Lock>,
    lease: Duration,
    /// Where leases are renewed.
    handle: Handle,
    /// How long a turn is waited for.
    patience: Duration,
    last: AtomicU64,
    held: Mutex<HashMap<Turn, Held>>,
}

struct Held {
    lease: Lease,
    renewing: AbortHandle,
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
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Turn, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn give_back(&self, turn: Turn) {
        let Some(held) = self.held().remove(&turn) else {
            return;
        };
        held.renewing.abort();
        if let Err(error) = self.lock.release(held.lease).await {
            // It ends by itself.
            tracing::debug!(%error, "a lock was not given back");
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
        let give_up_at = Instant::now() + self.patience;
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(lease) = self.lock.take(&name, self.lease).await? {
                let turn = Turn(self.last.fetch_add(1, Ordering::Relaxed) + 1);
                let renewing = self.renew(lease.clone());
                self.held().insert(turn, Held { lease, renewing });
                return Ok(turn);
            }
            if Instant::now() + pause >= give_up_at {
                return Err(Box::new(Waited(self.patience)));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn done(&self, _coupon: CouponId, turn: Turn) {
        self.give_back(turn).await;
    }

    async fn lost(&self, _coupon: CouponId, turn: Turn) {
        self.give_back(turn).await;
    }
}
