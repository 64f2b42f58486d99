//! The ports of the outbox, of the calendar and of jobs over the reference store.

use super::store::{Books, MemoryStore};
use crate::{
    About, AuditedMatter, Calendar, DeliveryId, DeliveryRecord, DeliveryState, FailedDeliveries,
    FailedDelivery, JobBook, JobRecord, JobRun, News, Notification, NotificationId, NotificationKind,
    NotificationOutbox, Origin, OutboxTally, Passed, Plan, Remedy, Reminders, Settled, StoreError, Taken,
};
use async_trait::async_trait;
use coupon_core::{HistoryEntry, IssuedCoupon, Span, Step, Timestamp, decide_reminder};
use std::time::Instant;

impl Books {
    /// Everything that a channel needs to know of a notification.
    fn told(&self, id: NotificationId, at: Timestamp) -> Result<Notification, StoreError> {
        let coupon = self.coupons.get(&id.coupon()).cloned();
        let coupon = coupon.ok_or_else(|| StoreError::lasting(format!("{id} is of no coupon")))?;
        let Some(issued) = id.issued_coupon() else {
            let NotificationId::SoldOut { position, .. } = id else {
                return Err(StoreError::lasting(format!("{id} is of no issued coupon")));
            };
            let about = About::SoldOut { position };
            return Ok(Notification { at, coupon, about });
        };
        let of = self.issued.get(&(issued.coupon, issued.position));
        let of = of.ok_or_else(|| StoreError::lasting(format!("{id} is of no issued coupon")))?;
        let issued = Box::new(self.present(of));
        let news = news(id, self.uses.history(issued.id()));
        let news = news.ok_or_else(|| StoreError::lasting(format!("{id} is of no step")))?;
        Ok(Notification {
            at,
            coupon,
            about: About::IssuedCoupon { issued, news },
        })
    }

    fn everyone(&self) -> Vec<IssuedCoupon> {
        self.issued.values().map(|record| self.present(record)).collect()
    }
}

fn news(id: NotificationId, history: &[HistoryEntry]) -> Option<News> {
    let step = |number: u32| history.iter().find(|entry| entry.number == number);
    Some(match id {
        NotificationId::Issued(_) => News::Issued,
        NotificationId::Expired(_) => News::Expired,
        NotificationId::Revoked(_) => News::Revoked,
        NotificationId::Expiring { days, .. } => News::Expiring { days },
        NotificationId::Redeemed { number, .. } => match &step(number)?.step {
            Step::Redeemed { order, discount } => News::Redeemed {
                number,
                order: order.clone(),
                discount: *discount,
            },
            Step::Cancelled { .. } | Step::Revoked => return None,
        },
        NotificationId::RedemptionCancelled { number, .. } => match &step(number)?.step {
            Step::Cancelled { order } => News::RedemptionCancelled {
                number,
                order: order.clone(),
            },
            Step::Redeemed { .. } | Step::Revoked => return None,
        },
        NotificationId::SoldOut { .. } => return None,
    })
}

#[async_trait]
impl NotificationOutbox for MemoryStore {
    async fn take_new(
        &self,
        now: Timestamp,
        lease: Span,
        limit: usize,
    ) -> Result<Vec<Notification>, StoreError> {
        let mut books = self.books();
        let taken = books.notices.take_new(now, lease, limit);
        taken.into_iter().map(|(id, at)| books.told(id, at)).collect()
    }

    async fn plan(&self, plans: &[Plan], now: Timestamp) -> Result<(), StoreError> {
        self.books().notices.plan(plans, now);
        Ok(())
    }

    async fn take_due(
        &self,
        channels: &[&str],
        now: Timestamp,
        lease: Span,
        limit: usize,
    ) -> Result<Vec<Taken>, StoreError> {
        let mut books = self.books();
        let taken = books.notices.take_due(channels, now, lease, limit);
        let tell = |(id, at, delivery, attempt)| {
            Ok(Taken {
                delivery,
                attempt,
                notification: books.told(id, at)?,
            })
        };
        taken.into_iter().map(tell).collect()
    }

    async fn settle(&self, settled: &[Settled], now: Timestamp) -> Result<(), StoreError> {
        self.books().notices.settle(settled, now);
        Ok(())
    }

    async fn deliveries(
        &self,
        state: Option<DeliveryState>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        Ok(self.books().notices.deliveries(state, after, limit))
    }

    async fn replay(
        &self,
        delivery: &DeliveryId,
        now: Timestamp,
        origin: &Origin,
    ) -> Result<bool, StoreError> {
        let mut books = self.books();
        let Some(before) = books.notices.replay(delivery, now) else {
            return Ok(false);
        };
        let matter = AuditedMatter::of_delivery(delivery, before);
        books.log.matter(now, origin, matter);
        Ok(true)
    }

    async fn tally(&self) -> Result<OutboxTally, StoreError> {
        Ok(self.books().notices.tally())
    }

    async fn forget(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        Ok(self.books().notices.forget(before, limit))
    }
}

#[async_trait]
impl FailedDeliveries for MemoryStore {
    async fn failed(
        &self,
        channel: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<FailedDelivery>, StoreError> {
        Ok(self.books().notices.failed(channel, after, limit))
    }

    async fn look_after(
        &self,
        channel: &str,
        through: u64,
        remedy: Remedy,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        Ok(self.books().notices.look_after(channel, through, remedy, now))
    }
}

#[async_trait]
impl Calendar for MemoryStore {
    async fn expire(&self, now: Timestamp, limit: usize) -> Result<Passed, StoreError> {
        let mut books = self.books();
        let began = Instant::now();
        let mut passed = Passed::default();
        for one in books.everyone() {
            let (id, end) = (one.id(), one.grant.expires_at);
            let unused = one.redemption.is_none() && one.revoked_at.is_none();
            if !unused || now < end || books.notices.expired.contains(&id) {
                continue;
            }
            if passed.written >= u64::try_from(limit).unwrap_or(u64::MAX) {
                passed.more = true;
                break;
            }
            books.notices.expired.insert(id);
            books.notices.write(NotificationId::Expired(id), end);
            passed.written += 1;
        }
        passed.held = began.elapsed();
        Ok(passed)
    }

    async fn remind(
        &self,
        reminders: &Reminders,
        now: Timestamp,
        limit: usize,
    ) -> Result<Passed, StoreError> {
        let mut books = self.books();
        let began = Instant::now();
        let mut passed = Passed::default();
        if !books.notices.wants(NotificationKind::Expiring) {
            return Ok(passed);
        }
        for one in books.everyone() {
            let issued = one.id();
            if one.redemption.is_some() || one.revoked_at.is_some() {
                continue;
            }
            let Some(zone) = books
                .coupons
                .get(&one.coupon)
                .map(|coupon| &coupon.terms.time_zone)
            else {
                continue;
            };
            let mut zoned = reminders.in_zone(zone);
            let end = one.grant.expires_at;
            let reminded = books.notices.reminded.get(&issued).copied();
            let of_it = zoned.of(end).iter().copied();
            let Some(due) = decide_reminder(one.grant.issued_at, end, reminded, of_it, now).due else {
                continue;
            };
            if passed.written >= u64::try_from(limit).unwrap_or(u64::MAX) {
                passed.more = true;
                break;
            }
            let days = due.days;
            books.notices.reminded.insert(issued, days);
            books
                .notices
                .write(NotificationId::Expiring { issued, days }, due.at);
            passed.written += 1;
        }
        passed.held = began.elapsed();
        Ok(passed)
    }

    async fn announce(&self, limit: usize) -> Result<Passed, StoreError> {
        let mut books = self.books();
        let began = Instant::now();
        let mut passed = Passed::default();
        let wanted = books.notices.wants(NotificationKind::Issued);
        for one in books.everyone() {
            let id = one.id();
            if books.notices.announced.contains(&id) {
                continue;
            }
            if passed.written >= u64::try_from(limit).unwrap_or(u64::MAX) {
                passed.more = true;
                break;
            }
            books.notices.announced.insert(id);
            books
                .notices
                .write(NotificationId::Issued(id), one.grant.issued_at);
            passed.written += u64::from(wanted);
        }
        passed.held = began.elapsed();
        Ok(passed)
    }
}

#[async_trait]
impl JobBook for MemoryStore {
    async fn take_job(
        &self,
        name: &str,
        owner: &str,
        now: Timestamp,
        lease: Span,
    ) -> Result<bool, StoreError> {
        Ok(self.books().notices.take_job(name, owner, now, lease))
    }

    async fn end_job(&self, name: &str, owner: &str, run: &JobRun) -> Result<(), StoreError> {
        self.books().notices.end_job(name, owner, run);
        Ok(())
    }

    async fn jobs(&self) -> Result<Vec<JobRecord>, StoreError> {
        Ok(self.books().notices.jobs())
    }
}
