//! The ports of the outbox, of the calendar and of jobs over the store.

use crate::connection::Carry;
use crate::error::Failure;
use crate::store::SqliteStore;
use crate::{calendar, failed, jobs, outbox};
use async_trait::async_trait;
use coupon_app::{
    Calendar, DeliveryId, DeliveryRecord, DeliveryState, FailedDeliveries, FailedDelivery, JobBook,
    JobRecord, JobRun, Notification, NotificationOutbox, Origin, OutboxTally, Passed, Plan, Remedy,
    Reminders, Settled, StoreError, Taken,
};
use coupon_core::{Span, Timestamp};
use std::sync::Arc;
use std::time::Instant;

#[async_trait]
impl NotificationOutbox for SqliteStore {
    async fn take_new(
        &self,
        now: Timestamp,
        lease: Span,
        limit: usize,
    ) -> Result<Vec<Notification>, StoreError> {
        self.write(move |connection| outbox::take_new(connection, now, lease, limit))
            .await
    }

    async fn plan(&self, plans: &[Plan], now: Timestamp) -> Result<(), StoreError> {
        let plans = plans.to_vec();
        self.write(move |connection| outbox::plan(connection, &plans, now))
            .await
    }

    async fn take_due(
        &self,
        channels: &[&str],
        now: Timestamp,
        lease: Span,
        limit: usize,
    ) -> Result<Vec<Taken>, StoreError> {
        let channels: Vec<String> = channels.iter().map(|channel| (*channel).to_owned()).collect();
        self.write(move |connection| outbox::take_due(connection, &channels, now, lease, limit))
            .await
    }

    async fn settle(&self, settled: &[Settled], now: Timestamp) -> Result<(), StoreError> {
        let settled = settled.to_vec();
        self.write(move |connection| outbox::settle(connection, &settled, now))
            .await
    }

    async fn deliveries(
        &self,
        state: Option<DeliveryState>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        self.read(move |connection| outbox::deliveries(connection, state, after, limit))
            .await
    }

    async fn replay(
        &self,
        delivery: &DeliveryId,
        now: Timestamp,
        origin: &Origin,
    ) -> Result<bool, StoreError> {
        let (delivery, origin) = (delivery.clone(), origin.clone());
        self.write(move |connection| outbox::replay(connection, &delivery, now, &origin))
            .await
    }

    async fn tally(&self) -> Result<OutboxTally, StoreError> {
        self.read(|connection| outbox::tally(connection)).await
    }

    async fn forget(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.write(move |connection| outbox::forget(connection, before, limit))
            .await
    }
}

#[async_trait]
impl FailedDeliveries for SqliteStore {
    async fn failed(
        &self,
        channel: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<FailedDelivery>, StoreError> {
        let channel = channel.to_owned();
        self.write(move |connection| failed::failed(connection, &channel, after, limit))
            .await
    }

    async fn look_after(
        &self,
        channel: &str,
        through: u64,
        remedy: Remedy,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut done = 0;
        loop {
            let channel = channel.to_owned();
            let some = self
                .write(move |connection| failed::look_after(connection, &channel, through, remedy, now))
                .await?;
            if some == 0 {
                return Ok(done);
            }
            done += u64::try_from(some).unwrap_or(u64::MAX);
        }
    }
}

/// Says of a pass, which has the writer, how long it had it.
fn held(pass: impl FnOnce() -> Result<Passed, Failure>) -> Result<Passed, Failure> {
    let began = Instant::now();
    let passed = pass()?;
    let held = began.elapsed();
    Ok(Passed { held, ..passed })
}

#[async_trait]
impl Calendar for SqliteStore {
    async fn expire(&self, now: Timestamp, limit: usize) -> Result<Passed, StoreError> {
        let (kinds, bookmarks) = (self.notifications(), Arc::clone(&self.bookmarks));
        self.write_and_carry(Carry::Later, move |connection| {
            held(|| calendar::expire(connection, &bookmarks, kinds, now, limit))
        })
        .await
    }

    async fn remind(
        &self,
        reminders: &Reminders,
        now: Timestamp,
        limit: usize,
    ) -> Result<Passed, StoreError> {
        let (kinds, bookmarks) = (self.notifications(), Arc::clone(&self.bookmarks));
        let reminders = reminders.clone();
        self.write_and_carry(Carry::Later, move |connection| {
            held(|| calendar::remind(connection, &bookmarks, kinds, &reminders, now, limit))
        })
        .await
    }

    async fn announce(&self, limit: usize) -> Result<Passed, StoreError> {
        let kinds = self.notifications();
        self.write_and_carry(Carry::Later, move |connection| {
            held(|| calendar::announce(connection, kinds, limit))
        })
        .await
    }
}

#[async_trait]
impl JobBook for SqliteStore {
    async fn take_job(
        &self,
        name: &str,
        owner: &str,
        now: Timestamp,
        lease: Span,
    ) -> Result<bool, StoreError> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        self.write(move |connection| jobs::take(connection, &name, &owner, now, lease))
            .await
    }

    async fn end_job(&self, name: &str, owner: &str, run: &JobRun) -> Result<(), StoreError> {
        let (name, owner, run) = (name.to_owned(), owner.to_owned(), run.clone());
        self.write(move |connection| jobs::end(connection, &name, &owner, &run))
            .await
    }

    async fn jobs(&self) -> Result<Vec<JobRecord>, StoreError> {
        self.read(|connection| jobs::all(connection)).await
    }
}
