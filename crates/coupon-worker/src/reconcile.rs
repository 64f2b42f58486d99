//! Reconciling: compares the state of a shared ledger, what is on its way, and the store; and mends.

use crate::limits::{MAX_LOST_RANGES, REPAIRED_WITHIN, ROLL_PAUSE};
use crate::reopen::{ReopenerBooks, lost_positions};
use async_trait::async_trait;
use coupon_app::limits::MAX_PAGE;
use coupon_app::{
    Delivery, DeliveryStore, Difference, Holding, IssuedRecord, LedgerMarks, Passage, Quarantined, Readings,
    Reconciled, Reconciliation, ReconciliationFigures, Record, SharedState, StoreError, compare, flaw,
};
use coupon_core::{CouponId, Strategy};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// Compares what one shared ledger decides; everything else is left to `others`.
pub struct SharedReconciliation {
    /// The ledger's state.
    pub state: Arc<dyn SharedState>,
    /// The coupons that it decides.
    pub strategy: Strategy,
    /// Every way from the ledger to the store.
    pub passages: Vec<Arc<dyn Passage>>,
    /// What the store knows.
    pub marks: Arc<dyn LedgerMarks>,
    /// Where deliveries go.
    pub deliveries: Arc<dyn DeliveryStore>,
    /// Who takes coupons anew.
    pub reopener: Arc<ReopenerBooks>,
    /// For coupons of other ledgers.
    pub others: Arc<dyn Reconciliation>,
    /// Differences by coupon, of the last comparison.
    pub found: Mutex<HashMap<CouponId, u64>>,
}

impl fmt::Debug for SharedReconciliation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedReconciliation").finish_non_exhaustive()
    }
}

/// The servers did not hold still in time, or could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("the coupons were not taken anew within {} s", REPAIRED_WITHIN.as_secs())]
struct NotRepaired;

fn held(record: IssuedRecord) -> Holding {
    Holding {
        position: record.grant.position,
        user: record.user,
        issued_at: record.grant.issued_at,
    }
}

impl SharedReconciliation {
    async fn stored(&self, coupon: CouponId) -> Result<Vec<Holding>, StoreError> {
        let mut all = Vec::new();
        let mut after = 0;
        loop {
            let page = self.marks.records(coupon, after, MAX_PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(all);
            };
            after = last.grant.position.get();
            all.extend(page.into_iter().map(held));
        }
    }

    async fn quarantined(&self, coupon: CouponId) -> Result<u64, StoreError> {
        let (mut count, mut after) = (0, 0);
        loop {
            let page = self.deliveries.quarantine(after, MAX_PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(count);
            };
            after = last.number;
            let of_coupon = |one: &&Quarantined| match &one.record {
                Record::Issued(issued) => issued.coupon == coupon,
                Record::Revised(revised) => revised.coupon.id == coupon,
            };
            count += u64::try_from(page.iter().filter(of_coupon).count()).unwrap_or(u64::MAX);
        }
    }

    async fn compare_shared(&self, coupon: CouponId) -> Result<Option<Reconciled>, StoreError> {
        let standing = self.state.standing(coupon).await?;
        let until = standing.map_or(0, |standing| standing.last_position);
        let ledger = match standing {
            Some(_) => Some(self.state.issues(coupon).await?.into_iter().map(held).collect()),
            None => None,
        };
        let mut pending: Vec<Holding> = Vec::new();
        for passage in &self.passages {
            pending.extend(passage.carries(coupon).await?.into_iter().map(held));
        }
        let store = self.stored(coupon).await?;
        let Some(mark) = self.marks.mark(coupon).await? else {
            return Ok(None);
        };
        let last = store.last().map_or(0, |held| held.position.get());
        let readings = Readings {
            // Without a state there is nothing ahead of the store.
            until: if ledger.is_some() { until } else { last },
            ledger,
            pending,
            store,
        };
        let found = u64::try_from(readings.store.len()).unwrap_or(u64::MAX);
        let mut reconciled = compare(coupon, readings);
        if let Some(flaw) = flaw(&mark, standing, 0) {
            // The store may have gone on since the standing was read; then it is no flaw.
            let now = self.state.standing(coupon).await?;
            if coupon_app::flaw(&mark, now, 0).is_some() {
                reconciled
                    .differences
                    .insert(0, Difference::State(flaw.to_string()));
            }
        }
        let counted = u64::from(mark.issued);
        if counted < found {
            reconciled.differences.push(Difference::Count { counted, found });
        }
        reconciled.lost = lost_positions(self.marks.as_ref(), &mark, MAX_LOST_RANGES).await?;
        reconciled.quarantined = self.quarantined(coupon).await?;
        let differences = u64::try_from(reconciled.differences.len()).unwrap_or(u64::MAX) + reconciled.more;
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.insert(coupon, differences);
        Ok(Some(reconciled))
    }

    async fn is_shared(&self, coupon: CouponId) -> Result<bool, StoreError> {
        let mark = self.marks.mark(coupon).await?;
        Ok(mark.is_some_and(|mark| mark.coupon.terms.strategy == self.strategy))
    }

    /// Brings what only the ledger has to the store, in the epoch that it was decided in.
    async fn bring(&self, coupon: CouponId, found: &Reconciled) -> Result<(), StoreError> {
        let missing: Vec<u32> = found
            .differences
            .iter()
            .filter_map(|one| match one {
                Difference::NotInStore(held) => Some(held.position.get()),
                Difference::NotInLedger(_)
                | Difference::Unlike { .. }
                | Difference::State(_)
                | Difference::Count { .. } => None,
            })
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let Some(standing) = self.state.standing(coupon).await? else {
            return Ok(());
        };
        let mut records = self.state.issues(coupon).await?;
        records.retain(|one| missing.contains(&one.grant.position.get()));
        for some in records.chunks(MAX_PAGE) {
            let delivery = Delivery {
                coupon,
                epoch: standing.epoch,
                records: some.iter().cloned().map(Record::Issued).collect(),
            };
            let delivered = self.deliveries.deliver(&[delivery]).await?;
            tracing::warn!(%coupon, ?delivered, "issues that only the ledger had were brought to the store");
        }
        Ok(())
    }
}

#[async_trait]
impl Reconciliation for SharedReconciliation {
    async fn compare(&self, coupon: CouponId) -> Result<Option<Reconciled>, StoreError> {
        if self.is_shared(coupon).await? {
            self.compare_shared(coupon).await
        } else {
            self.others.compare(coupon).await
        }
    }

    async fn repair(&self, coupons: &[CouponId]) -> Result<(), StoreError> {
        let mut unsound = Vec::new();
        for coupon in coupons {
            if !self.is_shared(*coupon).await? {
                self.others.repair(&[*coupon]).await?;
                continue;
            }
            let Some(found) = self.compare_shared(*coupon).await? else {
                continue;
            };
            self.bring(*coupon, &found).await?;
            let still = self.compare_shared(*coupon).await?;
            if still.is_some_and(|still| !still.is_sound()) {
                unsound.push(*coupon);
            }
        }
        if unsound.is_empty() {
            return Ok(());
        }
        self.reopener.ask_for(&unsound);
        let until = Instant::now() + REPAIRED_WITHIN;
        while !self.reopener.is_idle() {
            if Instant::now() >= until {
                return Err(StoreError::passing(NotRepaired));
            }
            tokio::time::sleep(ROLL_PAUSE).await;
        }
        Ok(())
    }

    fn figures(&self) -> ReconciliationFigures {
        let others = self.others.figures();
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        ReconciliationFigures {
            differences: others.differences + found.values().sum::<u64>(),
            reopened: self.reopener.reopened(),
            lost: self.reopener.lost(),
            failed: self.reopener.failed(),
        }
    }
}
