//! Confirming: an entry leaves the stream when the store has it, whichever way it came there.

use crate::limits::{FIRST_LOOK, LONGEST_LOOK, LOOK_RECORDS};
use crate::persist::Stop;
use async_trait::async_trait;
use coupon_app::{
    Clock, Delivered, Delivery, DeliveryStore, LedgerMarks, Quarantined, Record, RevisedRecord, StoreError,
};
use coupon_core::{CouponId, Timestamp, UserId};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// A store that waits until deliveries have come by the feed, and takes them in itself when they do not.
///
/// With it [`crate::persist`] confirms a stream whose entries travel by a feed:
///
/// 1. **Done means stored.** `deliver` returns when the store has every record: each issue at its position with its
///    user, each revision or a later one. That an entry was published says nothing here.
/// 2. **The feed is not trusted with the last copy.** What is not in the store when it is older than `patience`, by the
///    ledger's time and this clock, is delivered to the store directly. So an outage of the feed, a record that it
///    lost, or one that lies among its dead letters delays the store and costs nothing.
/// 3. **A graceful end.** Told to stop, it does not wait for the feed any more but delivers directly.
pub struct Confirming {
    store: Arc<dyn DeliveryStore>,
    marks: Arc<dyn LedgerMarks>,
    clock: Arc<dyn Clock>,
    patience: Duration,
    stop: Stop,
}

impl std::fmt::Debug for Confirming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Confirming")
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

impl Confirming {
    /// Looks through `marks` at what `store` has; both are the same store.
    pub fn new(
        store: Arc<dyn DeliveryStore>,
        marks: Arc<dyn LedgerMarks>,
        clock: Arc<dyn Clock>,
        patience: Duration,
        stop: Stop,
    ) -> Self {
        Self {
            store,
            marks,
            clock,
            patience,
            stop,
        }
    }

    /// Those of `deliveries` that the store does not have whole.
    async fn missing(&self, deliveries: Vec<Delivery>) -> Result<Vec<Delivery>, StoreError> {
        let mut by_coupon: BTreeMap<CouponId, Vec<Delivery>> = BTreeMap::new();
        for delivery in deliveries {
            by_coupon.entry(delivery.coupon).or_default().push(delivery);
        }
        let mut missing = Vec::new();
        for (coupon, deliveries) in by_coupon {
            let known = self.known(coupon, &deliveries).await?;
            missing.extend(deliveries.into_iter().filter(|delivery| !known.has(delivery)));
        }
        Ok(missing)
    }

    /// What the store has of a coupon, as far as these deliveries ask.
    async fn known(&self, coupon: CouponId, deliveries: &[Delivery]) -> Result<Known, StoreError> {
        let mut known = Known::default();
        let records = || deliveries.iter().flat_map(|delivery| &delivery.records);
        if records().any(|record| matches!(record, Record::Revised(_))) {
            let mark = self.marks.mark(coupon).await?;
            known.revision = mark.map(|mark| mark.coupon.revision);
        }
        let mut positions: Vec<u32> = records()
            .filter_map(|record| match record {
                Record::Issued(issued) => Some(issued.grant.position.get()),
                Record::Revised(_) => None,
            })
            .collect();
        positions.sort_unstable();
        let mut positions = positions.into_iter().peekable();
        // Each look answers for a stretch; what lies far behind it is looked for anew.
        while let Some(first) = positions.peek().copied() {
            let found = self.marks.records(coupon, first - 1, LOOK_RECORDS).await?;
            let through = if found.len() < LOOK_RECORDS {
                u32::MAX
            } else {
                found.last().map_or(u32::MAX, |last| last.grant.position.get())
            };
            while positions.next_if(|position| *position <= through).is_some() {}
            let holders = found
                .into_iter()
                .map(|issued| (issued.grant.position.get(), issued.user));
            known.holders.extend(holders);
        }
        Ok(known)
    }

    /// Waits, but not on when told to stop.
    async fn rest(&self, pause: Duration) {
        let mut stop = self.stop.clone();
        let told = async {
            if stop.wait_for(|told| *told).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let _elapsed = tokio::time::timeout(pause, told).await;
    }

    /// Whether one of them should have come long ago.
    fn is_overdue(&self, deliveries: &[Delivery]) -> bool {
        let oldest = deliveries.iter().filter_map(decided_at).min();
        let waited_us = oldest.map_or(0, |oldest| self.clock.now().as_micros() - oldest.as_micros());
        u128::try_from(waited_us).is_ok_and(|waited_us| waited_us >= self.patience.as_micros())
    }
}

/// What the store has of one coupon.
#[derive(Default)]
struct Known {
    revision: Option<u32>,
    holders: HashMap<u32, UserId>,
}

impl Known {
    fn has(&self, delivery: &Delivery) -> bool {
        delivery.records.iter().all(|record| match record {
            Record::Issued(issued) => self.holders.get(&issued.grant.position.get()) == Some(&issued.user),
            Record::Revised(revised) => self.has_revision(revised),
        })
    }

    fn has_revision(&self, revised: &RevisedRecord) -> bool {
        self.revision
            .is_some_and(|revision| revision >= revised.coupon.revision)
    }
}

fn decided_at(delivery: &Delivery) -> Option<Timestamp> {
    delivery.records.first().map(|record| match record {
        Record::Issued(issued) => issued.grant.issued_at,
        Record::Revised(revised) => revised.coupon.revised_at,
    })
}

#[async_trait]
impl DeliveryStore for Confirming {
    async fn deliver(&self, deliveries: &[Delivery]) -> Result<Delivered, StoreError> {
        let records: usize = deliveries.iter().map(|delivery| delivery.records.len()).sum();
        let mut missing = deliveries.to_vec();
        let mut pause = FIRST_LOOK;
        loop {
            // What was issued a moment ago is still on its way, so a look before the first pause would be for nothing.
            self.rest(pause).await;
            pause = (pause * 2).min(LONGEST_LOOK);
            missing = self.missing(missing).await?;
            if missing.is_empty() {
                return Ok(Delivered {
                    redelivered: u64::try_from(records).unwrap_or(u64::MAX),
                    ..Delivered::default()
                });
            }
            if *self.stop.borrow() || self.is_overdue(&missing) {
                return self.store.deliver(&missing).await;
            }
        }
    }

    async fn quarantine(&self, after: u64, limit: usize) -> Result<Vec<Quarantined>, StoreError> {
        self.store.quarantine(after, limit).await
    }
}
