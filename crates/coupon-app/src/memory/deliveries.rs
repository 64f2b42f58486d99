//! The reference store of a shared ledger: takes deliveries record by record. A clone is the same store opened again.

use crate::{
    CouponIds, Delivered, Delivery, DeliveryStore, Epoch, IssuedRecord, LedgerIdentity, LedgerMark,
    LedgerMarks, Quarantined, Record, RevisedRecord, StoreError, Suspicion,
};
use async_trait::async_trait;
use coupon_core::{Coupon, CouponId, Position, UserId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The reference: takes in deliveries, hands out ids, keeps epochs.
#[derive(Clone, Debug, Default)]
pub struct MemoryDeliveries(Arc<Mutex<Shelves>>);

#[derive(Debug, Default)]
struct Shelves {
    coupons: BTreeMap<CouponId, Shelf>,
    quarantine: Vec<Quarantined>,
    last_number: u64,
    last_id: Option<CouponId>,
}

#[derive(Debug)]
struct Shelf {
    coupon: Coupon,
    epoch: Epoch,
    identity: Option<LedgerIdentity>,
    floor: u32,
    lost: u32,
    commands: Vec<RevisedRecord>,
    issued: BTreeMap<Position, IssuedRecord>,
    held: BTreeMap<UserId, Position>,
}

impl MemoryDeliveries {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn count(&self) -> u32 {
        u32::try_from(self.issued.len())
            .expect("positions are numbers of 32 bits, so there are no more of them")
    }

    fn mark(&self) -> LedgerMark {
        let last = self.issued.last_key_value();
        LedgerMark {
            coupon: self.coupon.clone(),
            epoch: self.epoch,
            identity: self.identity.clone(),
            highest: last.map_or(0, |(position, _)| position.get()).max(self.floor),
            issued: self.count(),
            lost: self.lost,
        }
    }

    /// Puts an issue on the shelf; says whether it was there, or why it cannot be.
    fn put(&mut self, issue: &IssuedRecord, epoch: Epoch) -> Result<bool, Suspicion> {
        let position = issue.grant.position;
        match self.held.get(&issue.user) {
            Some(held) if *held == position => return Ok(false),
            Some(_other) => return Err(Suspicion::AlreadyHeld),
            None => {}
        }
        if self.issued.contains_key(&position) {
            return Err(Suspicion::PositionTaken);
        }
        if epoch != self.epoch {
            return Err(Suspicion::OtherEpoch);
        }
        if self.coupon.terms.quantity.next_position(self.count()).is_none() {
            return Err(Suspicion::QuantityExceeded);
        }
        self.held.insert(issue.user.clone(), position);
        self.issued.insert(position, issue.clone());
        Ok(true)
    }
}

impl Shelves {
    fn take(&mut self, record: &Record, epoch: Epoch, delivered: &mut Delivered) {
        let (id, put) = match record {
            Record::Issued(issue) => {
                let shelf = self.coupons.get_mut(&issue.coupon);
                let put = shelf.map_or(Err(Suspicion::UnknownCoupon), |shelf| shelf.put(issue, epoch));
                (
                    issue.coupon,
                    put.inspect(|fresh| delivered.written += u64::from(*fresh)),
                )
            }
            Record::Revised(revised) => (revised.coupon.id, self.revise(revised, epoch)),
        };
        match put {
            Ok(fresh) => {
                let among = |one: &Quarantined| one.epoch == epoch && one.record == *record;
                self.quarantine.retain(|one| !among(one));
                delivered.redelivered += u64::from(!fresh);
                if fresh && matches!(record, Record::Revised(_)) {
                    self.release(id, delivered);
                }
            }
            Err(reason) => self.detain(record, epoch, reason, delivered),
        }
    }

    fn revise(&mut self, revised: &RevisedRecord, epoch: Epoch) -> Result<bool, Suspicion> {
        let id = revised.coupon.id;
        let Some(shelf) = self.coupons.get_mut(&id) else {
            let shelf = Shelf {
                coupon: revised.coupon.clone(),
                epoch,
                identity: None,
                floor: 0,
                lost: 0,
                commands: Vec::from_iter(revised.token.map(|_| revised.clone())),
                issued: BTreeMap::new(),
                held: BTreeMap::new(),
            };
            self.coupons.insert(id, shelf);
            return Ok(true);
        };
        if revised.coupon.revision <= shelf.coupon.revision {
            return Ok(false);
        }
        if epoch != shelf.epoch {
            return Err(Suspicion::OtherEpoch);
        }
        shelf.coupon = revised.coupon.clone();
        shelf.commands.extend(revised.token.map(|_| revised.clone()));
        Ok(true)
    }

    fn detain(&mut self, record: &Record, epoch: Epoch, reason: Suspicion, delivered: &mut Delivered) {
        let known = |one: &Quarantined| one.epoch == epoch && one.record == *record;
        if self.quarantine.iter().any(known) {
            delivered.redelivered += 1;
            return;
        }
        self.last_number += 1;
        self.quarantine.push(Quarantined {
            number: self.last_number,
            reason,
            epoch,
            record: record.clone(),
        });
        delivered.quarantined += 1;
    }

    /// A revision has come: whoever waited for it is taken in, as far as there is room.
    fn release(&mut self, id: CouponId, delivered: &mut Delivered) {
        let mut waiting: Vec<(Position, u64, Epoch, IssuedRecord)> = self
            .quarantine
            .iter()
            .filter(|one| matches!(one.reason, Suspicion::UnknownCoupon | Suspicion::QuantityExceeded))
            .filter_map(|one| match &one.record {
                Record::Issued(issue) if issue.coupon == id => {
                    Some((issue.grant.position, one.number, one.epoch, issue.clone()))
                }
                Record::Issued(_) | Record::Revised(_) => None,
            })
            .collect();
        waiting.sort_by_key(|(position, number, ..)| (*position, *number));
        for (_, number, epoch, issue) in waiting {
            let shelf = self.coupons.get_mut(&id).expect("a revision of it has just come");
            match shelf.put(&issue, epoch) {
                Ok(fresh) => {
                    self.quarantine.retain(|one| one.number != number);
                    delivered.released += 1;
                    delivered.written += u64::from(fresh);
                }
                Err(reason) => {
                    let detained = self.quarantine.iter_mut().find(|one| one.number == number);
                    if let Some(detained) = detained {
                        detained.reason = reason;
                    }
                }
            }
        }
    }
}

#[async_trait]
impl DeliveryStore for MemoryDeliveries {
    async fn deliver(&self, deliveries: &[Delivery]) -> Result<Delivered, StoreError> {
        let mut shelves = self.shelves();
        let mut delivered = Delivered::default();
        for delivery in deliveries {
            for record in &delivery.records {
                shelves.take(record, delivery.epoch, &mut delivered);
            }
        }
        Ok(delivered)
    }

    async fn quarantine(&self, after: u64, limit: usize) -> Result<Vec<Quarantined>, StoreError> {
        let shelves = self.shelves();
        let later = shelves.quarantine.iter().filter(|one| one.number > after);
        Ok(later.take(limit).cloned().collect())
    }
}

#[async_trait]
impl CouponIds for MemoryDeliveries {
    async fn next_id(&self) -> Result<Option<CouponId>, StoreError> {
        let mut shelves = self.shelves();
        let next = shelves.last_id.map_or(Some(CouponId::FIRST), CouponId::next);
        shelves.last_id = next.or(shelves.last_id);
        Ok(next)
    }
}

#[async_trait]
impl LedgerMarks for MemoryDeliveries {
    async fn mark(&self, coupon: CouponId) -> Result<Option<LedgerMark>, StoreError> {
        Ok(self.shelves().coupons.get(&coupon).map(Shelf::mark))
    }

    async fn marks(&self, after: Option<CouponId>, limit: usize) -> Result<Vec<LedgerMark>, StoreError> {
        let shelves = self.shelves();
        let later = shelves.coupons.iter().filter(|(id, _)| Some(**id) > after);
        Ok(later.take(limit).map(|(_, shelf)| shelf.mark()).collect())
    }

    async fn commands(&self, coupon: CouponId) -> Result<Vec<RevisedRecord>, StoreError> {
        let shelves = self.shelves();
        let found = shelves.coupons.get(&coupon);
        Ok(found.map_or_else(Vec::new, |shelf| shelf.commands.clone()))
    }

    async fn note_identity(
        &self,
        coupon: CouponId,
        epoch: Epoch,
        identity: &LedgerIdentity,
    ) -> Result<bool, StoreError> {
        let mut shelves = self.shelves();
        let shelf = shelves
            .coupons
            .get_mut(&coupon)
            .filter(|shelf| shelf.epoch == epoch);
        Ok(shelf.is_some_and(|shelf| {
            shelf.identity = Some(identity.clone());
            true
        }))
    }

    async fn raise_epoch(
        &self,
        coupon: CouponId,
        from: Epoch,
        highest: u32,
    ) -> Result<Option<LedgerMark>, StoreError> {
        let mut shelves = self.shelves();
        let shelf = shelves
            .coupons
            .get_mut(&coupon)
            .filter(|shelf| shelf.epoch == from);
        Ok(shelf.map(|shelf| {
            shelf.epoch += 1;
            shelf.identity = None;
            shelf.floor = shelf.mark().highest.max(highest);
            shelf.lost = shelf.floor - shelf.count();
            shelf.mark()
        }))
    }

    async fn records(
        &self,
        coupon: CouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<IssuedRecord>, StoreError> {
        let shelves = self.shelves();
        let issued = shelves.coupons.get(&coupon).map(|shelf| shelf.issued.values());
        let asked = issued
            .into_iter()
            .flatten()
            .filter(|one| one.grant.position.get() > after);
        Ok(asked.take(limit).cloned().collect())
    }
}
