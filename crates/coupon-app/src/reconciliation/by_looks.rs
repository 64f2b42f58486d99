//! Comparing a ledger by looking into it as any reader does: the journal, and ledgers that decide in the store.

use super::{Holding, Readings, Reconciled, Reconciliation, ReconciliationFigures, compare};
use crate::limits::MAX_PAGE;
use crate::{Board, CouponStore, Lanes, LedgerError, Look, Seen, StoreError};
use async_trait::async_trait;
use coupon_core::{CouponId, Grant, UserId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Compares by looks. Nothing is mended: such a ledger and its store differ only by damage, or by a defect.
pub struct LookReconciliation {
    lanes: Lanes,
    board: Arc<Board>,
    store: Arc<dyn CouponStore>,
    found: Mutex<HashMap<CouponId, u64>>,
}

impl std::fmt::Debug for LookReconciliation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LookReconciliation").finish_non_exhaustive()
    }
}

impl LookReconciliation {
    /// Over these ledgers and this store.
    pub fn new(lanes: Lanes, board: Arc<Board>, store: Arc<dyn CouponStore>) -> Self {
        Self {
            lanes,
            board,
            store,
            found: Mutex::default(),
        }
    }

    async fn ledger(&self, coupon: CouponId, until: u32) -> Result<Vec<Holding>, LedgerError> {
        let mut all: Vec<Holding> = Vec::new();
        let Some(lane) = self.lanes.of(coupon).await? else {
            return Ok(all);
        };
        let mut after = 0;
        while after < until {
            let limit = MAX_PAGE;
            let seen = lane.look(Look::Positions { coupon, after, limit }).await?;
            let Seen::Positions(page) = seen else { break };
            let Some((_, last)) = page.last() else { break };
            after = last.position.get();
            all.extend(page.into_iter().map(held));
        }
        Ok(all)
    }
}

fn held((user, grant): (UserId, Grant)) -> Holding {
    Holding {
        position: grant.position,
        user,
        issued_at: grant.issued_at,
    }
}

#[async_trait]
impl Reconciliation for LookReconciliation {
    async fn compare(&self, coupon: CouponId) -> Result<Option<Reconciled>, StoreError> {
        let Some(posted) = self.board.get(coupon) else {
            return Ok(None);
        };
        let until = posted.issued;
        let ledger = self.ledger(coupon, until).await.map_err(StoreError::passing)?;
        // What has not arrived by now is on its way.
        let stored = self.board.get(coupon).map_or(0, |posted| posted.stored);
        let mut store: Vec<Holding> = Vec::new();
        let mut after = 0;
        loop {
            let page = self.store.issued_coupons(coupon, after, MAX_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.grant.position.get();
            store.extend(page.into_iter().map(|one| held((one.user, one.grant))));
        }
        let ahead = ledger.iter().filter(|held| held.position.get() > stored);
        let pending = ahead.cloned().collect();
        let reconciled = compare(
            coupon,
            Readings {
                until,
                ledger: Some(ledger),
                pending,
                store,
            },
        );
        let differences = u64::try_from(reconciled.differences.len()).unwrap_or(u64::MAX) + reconciled.more;
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.insert(coupon, differences);
        Ok(Some(reconciled))
    }

    async fn repair(&self, _coupons: &[CouponId]) -> Result<(), StoreError> {
        Ok(())
    }

    fn figures(&self) -> ReconciliationFigures {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        ReconciliationFigures {
            differences: found.values().sum(),
            ..ReconciliationFigures::default()
        }
    }
}
