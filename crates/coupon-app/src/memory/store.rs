//! The reference store. A clone is the same store opened again.

use super::audit::Log;
use super::facts::lives;
use super::notices::Notices;
use super::uses::Uses;
use crate::{
    Applied, AuditAction, AuditEntry, AuditFilter, AuditLog, AuditedMatter, CouponStore, Entry, IssuedRecord,
    KeyId, KeyRecord, KeyStore, LedgerError, NotificationId, NotificationKinds, Origin, Record, RecordStore,
    Redeemable, RedemptionOutcome, RedemptionRequest, RedemptionStore, Restore, RevisedRecord, Seq,
    StoreError, StoreTally, WalletFilter,
};
use async_trait::async_trait;
use coupon_core::{
    Coupon, CouponId, HistoryEntry, IssuedCoupon, IssuedCouponId, IssuedState, Offer, Position, Timestamp,
    UserId,
};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The reference: a record, a coupon and a key store in one.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Books>>);

/// Why a record is in quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quarantined {
    /// There is no such coupon.
    UnknownCoupon,
    /// It would exceed the quantity.
    OverQuantity,
    /// The user holds another position.
    UserTwice,
    /// Another user holds the position.
    PositionTwice,
}

#[derive(Debug, Default)]
pub(super) struct Books {
    applied: Seq,
    pub(super) coupons: BTreeMap<CouponId, Coupon>,
    pub(super) issued: BTreeMap<(CouponId, Position), IssuedRecord>,
    counts: BTreeMap<CouponId, u32>,
    held: BTreeMap<(CouponId, UserId), Position>,
    tokens: Vec<RevisedRecord>,
    quarantine: Vec<(IssuedRecord, Quarantined)>,
    pub(super) uses: Uses,
    pub(super) notices: Notices,
    code_key: Option<[u8; 16]>,
    keys: Vec<KeyRecord>,
    pub(super) log: Log,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// What it did not take in, and why.
    pub fn quarantine(&self) -> Vec<(IssuedRecord, Quarantined)> {
        self.books().quarantine.clone()
    }

    /// The same store, writing only these kinds of notification from now on.
    #[must_use]
    pub fn telling(self, kinds: NotificationKinds) -> Self {
        self.books().notices.kinds = kinds;
        self
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn apply(&mut self, record: &Record, applied: &mut Applied) {
        let issued = match record {
            Record::Issued(issued) => issued,
            Record::Revised(revised) => return self.revise(revised),
        };
        let place = (issued.coupon, issued.grant.position);
        let holder = (issued.coupon, issued.user.clone());
        let wrong = match (self.held.get(&holder), self.issued.get(&place)) {
            (Some(position), _) if *position == issued.grant.position => {
                applied.redelivered += 1;
                return;
            }
            (Some(_other_position), _) => Some(Quarantined::UserTwice),
            (None, Some(_other_user)) => Some(Quarantined::PositionTwice),
            (None, None) => self.no_room(issued.coupon),
        };
        if let Some(reason) = wrong {
            self.quarantine.push((issued.clone(), reason));
            applied.quarantined += 1;
        } else {
            self.held.insert(holder, issued.grant.position);
            self.issued.insert(place, issued.clone());
            if let Some(facts) = self.coupons.get(&issued.coupon) {
                self.uses
                    .note_offer(fresh(issued).id(), Offer::from(&facts.terms));
            }
            *self.counts.entry(issued.coupon).or_default() += 1;
            applied.written += 1;
            self.note_sold_out(issued);
        }
    }

    /// Tells of the issue that takes the last of the quantity.
    fn note_sold_out(&mut self, issued: &IssuedRecord) {
        let coupon = issued.coupon;
        if self.no_room(coupon) == Some(Quarantined::OverQuantity)
            && let Some(last) = self.of(coupon).last()
        {
            let position = last.grant.position;
            let id = NotificationId::SoldOut { coupon, position };
            self.notices.write(id, issued.grant.issued_at);
        }
    }

    fn no_room(&self, coupon: CouponId) -> Option<Quarantined> {
        let Some(facts) = self.coupons.get(&coupon) else {
            return Some(Quarantined::UnknownCoupon);
        };
        let count = self.counts.get(&coupon).copied().unwrap_or(0);
        let full = facts.terms.quantity.next_position(count).is_none();
        full.then_some(Quarantined::OverQuantity)
    }

    fn revise(&mut self, revised: &RevisedRecord) {
        let before = self.coupons.insert(revised.coupon.id, revised.coupon.clone());
        self.log.revised(before.as_ref(), revised);
        if revised.token.is_some() {
            // A store has no clock: the latest command that carried a token says what time it is.
            let now = revised.coupon.revised_at;
            self.tokens.retain(|record| lives(record, now));
            self.tokens.push(revised.clone());
        }
    }

    fn of(&self, coupon: CouponId) -> impl Iterator<Item = &IssuedRecord> {
        self.issued
            .range((coupon, Position::MIN)..=(coupon, Position::MAX))
            .map(|(_, record)| record)
    }

    fn fresh(&self, id: IssuedCouponId) -> Option<IssuedCoupon> {
        self.issued.get(&(id.coupon, id.position)).map(fresh)
    }

    /// As it is now.
    pub(super) fn present(&self, record: &IssuedRecord) -> IssuedCoupon {
        self.uses.after(fresh(record), u32::MAX)
    }
}

/// As it was issued.
fn fresh(record: &IssuedRecord) -> IssuedCoupon {
    IssuedCoupon::new(record.coupon, record.user.clone(), record.grant)
}

#[async_trait]
impl RecordStore for MemoryStore {
    async fn applied(&self) -> Result<Seq, StoreError> {
        Ok(self.books().applied)
    }

    async fn apply(&self, entries: &[Entry]) -> Result<Applied, StoreError> {
        let mut books = self.books();
        let mut applied = Applied {
            seq: books.applied,
            ..Applied::default()
        };
        let last = books.applied;
        let fresh = entries.iter().filter(|entry| entry.seq > last);
        for (due, entry) in (last + 1..).zip(fresh.clone()) {
            if entry.seq != due {
                return Err(StoreError::lasting(format!(
                    "entry {} came where {due} was due",
                    entry.seq
                )));
            }
        }
        for entry in fresh {
            for record in &entry.records {
                books.apply(record, &mut applied);
            }
            applied.seq = entry.seq;
        }
        books.applied = applied.seq;
        Ok(applied)
    }

    async fn load(&self, restore: &mut (dyn Restore + Send)) -> Result<Seq, StoreError> {
        let books = self.books();
        for coupon in books.coupons.values() {
            restore.coupon(coupon.clone());
        }
        for record in books.issued.values() {
            restore.issued(record.clone());
        }
        for record in &books.tokens {
            if let Some(token) = record.token {
                restore.token(record.clone(), token);
            }
        }
        Ok(books.applied)
    }

    async fn code_key(&self, fresh: [u8; 16]) -> Result<[u8; 16], StoreError> {
        Ok(*self.books().code_key.get_or_insert(fresh))
    }
}

#[async_trait]
impl CouponStore for MemoryStore {
    async fn wallet(&self, user: &UserId, filter: WalletFilter) -> Result<Vec<IssuedCoupon>, StoreError> {
        let books = self.books();
        let of_user = books.issued.values().filter(|record| record.user == *user);
        let mut wallet: Vec<IssuedCoupon> = of_user.map(|record| books.present(record)).collect();
        wallet.retain(|one| {
            let after = filter
                .after
                .is_none_or(|after| (one.grant.issued_at, one.coupon) < (after.issued_at, after.coupon));
            after && filter.state.is_none_or(|state| state == one.state(filter.now))
        });
        wallet.sort_by_key(|one| Reverse((one.grant.issued_at, one.coupon)));
        wallet.truncate(filter.limit);
        Ok(wallet)
    }

    async fn issued_coupon(&self, id: IssuedCouponId) -> Result<Option<IssuedCoupon>, StoreError> {
        let books = self.books();
        let record = books.issued.get(&(id.coupon, id.position));
        Ok(record.map(|record| books.present(record)))
    }

    async fn issued_coupons(
        &self,
        coupon: CouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<IssuedCoupon>, StoreError> {
        let books = self.books();
        let asked = books
            .of(coupon)
            .filter(|record| record.grant.position.get() > after);
        Ok(asked.take(limit).map(|record| books.present(record)).collect())
    }

    async fn tally(&self, coupon: CouponId, now: Timestamp) -> Result<StoreTally, StoreError> {
        let books = self.books();
        let mut tally = StoreTally::default();
        for one in books.of(coupon).map(|record| books.present(record)) {
            tally.issued += 1;
            tally.cancelled += books.uses.cancelled(one.id());
            match one.state(now) {
                IssuedState::Issued => {}
                IssuedState::Redeemed => tally.redeemed += 1,
                IssuedState::Expired => tally.expired += 1,
                IssuedState::Revoked => tally.revoked += 1,
            }
        }
        Ok(tally)
    }

    async fn health(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl KeyStore for MemoryStore {
    async fn add_key(&self, key: &KeyRecord, origin: &Origin) -> Result<(), StoreError> {
        let mut books = self.books();
        if books.keys.iter().any(|taken| taken.id == key.id) {
            return Err(StoreError::lasting("the id of the key is taken"));
        }
        books.keys.push(key.clone());
        books.log.key(key.created_at, origin, None, key);
        Ok(())
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        Ok(self.books().keys.clone())
    }

    async fn revoke_key(
        &self,
        id: &str,
        at: Timestamp,
        origin: &Origin,
    ) -> Result<Option<KeyRecord>, StoreError> {
        let mut books = self.books();
        let Books { keys, log, .. } = &mut *books;
        let found = keys.iter_mut().find(|key| &*key.id == id);
        Ok(found.map(|key| {
            if key.revoked_at.is_none() {
                let before = key.clone();
                key.revoked_at = Some(at);
                log.key(at, origin, Some(&before), key);
            }
            key.clone()
        }))
    }

    async fn note_used_keys(&self, used: &[(KeyId, Timestamp)]) -> Result<(), StoreError> {
        let mut books = self.books();
        for (id, at) in used {
            if let Some(key) = books.keys.iter_mut().find(|key| key.id == *id) {
                key.last_used_at = key.last_used_at.max(Some(*at));
            }
        }
        Ok(())
    }
}

#[async_trait]
impl AuditLog for MemoryStore {
    async fn audit_log(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(self.books().log.page(filter))
    }

    async fn note_dead_letters(
        &self,
        action: AuditAction,
        through: &str,
        at: Timestamp,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let through = through.into();
        let matter = AuditedMatter::DeadLetters { through };
        self.books().log.matter(at, origin, (action, matter));
        Ok(())
    }
}

#[async_trait]
impl RedemptionStore for MemoryStore {
    async fn decide(
        &self,
        requests: &[RedemptionRequest],
        clock: Timestamp,
    ) -> Result<Vec<RedemptionOutcome>, LedgerError> {
        let mut books = self.books();
        let mut outcomes = Vec::with_capacity(requests.len());
        for request in requests {
            let fresh = books.fresh(request.id);
            let Books {
                uses, log, notices, ..
            } = &mut *books;
            let outcome = uses.decide(request, fresh, clock, log);
            if let RedemptionOutcome::Done { replayed: false, .. } = outcome
                && let Some(entry) = uses.history(request.id).last()
            {
                let (id, at) = (NotificationId::of_step(request.id, entry), entry.at);
                notices.write(id, at);
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    async fn redeemable(&self, id: IssuedCouponId) -> Result<Option<Redeemable>, StoreError> {
        let books = self.books();
        let uses = &books.uses;
        Ok(books.fresh(id).map(|fresh| Redeemable {
            trail: uses.trail(id, fresh.grant),
            offer: uses.offer(id),
            issued: uses.after(fresh, u32::MAX),
        }))
    }

    async fn history(
        &self,
        id: IssuedCouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        let books = self.books();
        let asked = books.uses.history(id).iter().filter(|entry| entry.number > after);
        Ok(asked.take(limit).cloned().collect())
    }

    async fn with_history(&self, take: &mut (dyn FnMut(IssuedCouponId) + Send)) -> Result<(), StoreError> {
        self.books().uses.with_history().for_each(take);
        Ok(())
    }

    async fn used_coupons(&self) -> Result<Vec<CouponId>, StoreError> {
        let books = self.books();
        let used: BTreeSet<CouponId> = books.uses.with_history().map(|id| id.coupon).collect();
        Ok(used.into_iter().collect())
    }
}
