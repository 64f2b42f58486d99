//! A store that is filled by deliveries, seen as one that is filled by numbered entries: so it can sit the cases that
//! are about what a store holds, and not about numbers.

use crate::{
    Applied, Delivery, DeliveryStore, Entry, LedgerMarks, Record, RecordStore, Restore, Seq, StoreError,
};
use async_trait::async_trait;
use coupon_core::CouponId;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// The numbers that the examination counts by, which such a store does not keep. They outlive its reopening.
#[derive(Debug, Default)]
pub struct Numbers {
    applied: Mutex<Seq>,
    coupons: Mutex<BTreeSet<CouponId>>,
}

/// The store under examination.
pub struct ByDelivery<S> {
    store: S,
    numbers: Arc<Numbers>,
}

impl<S> ByDelivery<S> {
    /// A store, opened or opened again.
    pub fn new(store: S, numbers: Arc<Numbers>) -> Self {
        Self { store, numbers }
    }
}

#[async_trait]
impl<S: DeliveryStore + LedgerMarks> RecordStore for ByDelivery<S> {
    async fn applied(&self) -> Result<Seq, StoreError> {
        Ok(*self.numbers.applied.lock().unwrap())
    }

    async fn apply(&self, entries: &[Entry]) -> Result<Applied, StoreError> {
        let mut deliveries: Vec<Delivery> = Vec::new();
        for record in entries.iter().flat_map(|entry| &entry.records) {
            let coupon = match record {
                Record::Issued(issued) => issued.coupon,
                Record::Revised(revised) => revised.coupon.id,
            };
            self.numbers.coupons.lock().unwrap().insert(coupon);
            match deliveries.last_mut().filter(|last| last.coupon == coupon) {
                Some(last) => last.records.push(record.clone()),
                None => deliveries.push(Delivery {
                    coupon,
                    epoch: 1,
                    records: vec![record.clone()],
                }),
            }
        }
        let delivered = self.store.deliver(&deliveries).await?;
        let seq = entries.last().map_or(self.applied().await?, |last| last.seq);
        *self.numbers.applied.lock().unwrap() = seq;
        Ok(Applied {
            seq,
            written: delivered.written,
            redelivered: delivered.redelivered,
            quarantined: delivered.quarantined,
        })
    }

    async fn load(&self, restore: &mut (dyn Restore + Send)) -> Result<Seq, StoreError> {
        let coupons = self.numbers.coupons.lock().unwrap().clone();
        for coupon in &coupons {
            if let Some(mark) = self.store.mark(*coupon).await? {
                restore.coupon(mark.coupon);
            }
        }
        for coupon in &coupons {
            for record in self.store.records(*coupon, 0, usize::MAX).await? {
                restore.issued(record);
            }
        }
        self.applied().await
    }

    async fn code_key(&self, _fresh: [u8; 16]) -> Result<[u8; 16], StoreError> {
        Err(StoreError::lasting(
            "such a store keeps the key of the codes without this port",
        ))
    }
}
