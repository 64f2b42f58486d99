//! The ports of the outbox, of the calendar and of jobs over the store.

use crate::error::Failure;
use crate::store::MysqlStore;
use crate::{announce, calendar, failed, jobs, outbox};
use async_trait::async_trait;
use coupon_app::{
    Calendar, DeliveryId, DeliveryRecord, DeliveryState, FailedDeliveries, FailedDelivery, JobBook,
    JobRecord, JobRun, Notification, NotificationOutbox, Origin, OutboxTally, Passed, Plan, Remedy,
    Reminders, Settled, StoreError, Taken,
};
use coupon_core::{Span, Timestamp};
use std::time::Instant;

#[async_trait]
impl NotificationOutbox for MysqlStore {
    async fn take_new(
        &self,
        now: Timestamp,
        lease: Span,
        limit: usize,
    ) -> Result<Vec<Notification>, StoreError> {
        self.run(move |reader| async move { outbox::take_new(&reader, now, lease, limit).await })
            .await
    }

    async fn plan(&self, plans: &[Plan], now: Timestamp) -> Result<(), StoreError> {
        let plans = plans.to_vec();
        self.run(move |reader| async move { outbox::plan(&reader, &plans, now).await })
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
        self.run(move |reader| async move { outbox::take_due(&reader, &channels, now, lease, limit).await })
            .await
    }

    async fn settle(&self, settled: &[Settled], now: Timestamp) -> Result<(), StoreError> {
        let settled = settled.to_vec();
        self.run(move |reader| async move { outbox::settle(&reader, &settled, now).await })
            .await
    }

    async fn deliveries(
        &self,
        state: Option<DeliveryState>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        self.run(move |reader| async move { outbox::deliveries(&reader, state, after, limit).await })
            .await
    }

    async fn replay(
        &self,
        delivery: &DeliveryId,
        now: Timestamp,
        origin: &Origin,
    ) -> Result<bool, StoreError> {
        let (delivery, origin) = (delivery.clone(), origin.clone());
        self.run(move |reader| async move { outbox::replay(&reader, &delivery, now, &origin).await })
            .await
    }

    async fn tally(&self) -> Result<OutboxTally, StoreError> {
        self.run(|reader| async move { outbox::tally(&reader).await })
            .await
    }

    async fn forget(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.run(move |reader| async move { outbox::forget(&reader, before, limit).await })
            .await
    }
}

#[async_trait]
impl FailedDeliveries for MysqlStore {
    async fn failed(
        &self,
        channel: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<FailedDelivery>, StoreError> {
        let channel = channel.to_owned();
        self.run(move |reader| async move { failed::failed(&reader, &channel, after, limit).await })
            .await
    }

    async fn look_after(
        &self,
        channel: &str,
        through: u64,
        remedy: Remedy,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let channel = channel.to_owned();
        self.run(
            move |reader| async move { failed::look_after(&reader, &channel, through, remedy, now).await },
        )
        .await
    }
}

/// Says of a pass how long it took: what it waits for locks, it waits with others locked.
async fn held(pass: impl Future<Output = Result<Passed, Failure>>) -> Result<Passed, Failure> {
    let began = Instant::now();
    let passed = pass.await?;
    let held = began.elapsed();
    Ok(Passed { held, ..passed })
}

#[async_trait]
impl Calendar for MysqlStore {
    async fn expire(&self, now: Timestamp, limit: usize) -> Result<Passed, StoreError> {
        self.run(move |reader| async move { held(calendar::expire(&reader, now, limit)).await })
            .await
    }

    async fn remind(
        &self,
        reminders: &Reminders,
        now: Timestamp,
        limit: usize,
    ) -> Result<Passed, StoreError> {
        let reminders = reminders.clone();
        self.run(move |reader| async move { held(calendar::remind(&reader, &reminders, now, limit)).await })
            .await
    }

    async fn announce(&self, limit: usize) -> Result<Passed, StoreError> {
        self.run(move |reader| async move { held(announce::announce(&reader, limit)).await })
            .await
    }
}

#[async_trait]
impl JobBook for MysqlStore {
    async fn take_job(
        &self,
        name: &str,
        owner: &str,
        now: Timestamp,
        lease: Span,
    ) -> Result<bool, StoreError> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        self.run(move |reader| async move { jobs::take(&reader, &name, &owner, now, lease).await })
            .await
    }

    async fn end_job(&self, name: &str, owner: &str, run: &JobRun) -> Result<(), StoreError> {
        let (name, owner, run) = (name.to_owned(), owner.to_owned(), run.clone());
        self.run(move |reader| async move { jobs::end(&reader, &name, &owner, &run).await })
            .await
    }

    async fn jobs(&self) -> Result<Vec<JobRecord>, StoreError> {
        self.run(|reader| async move { jobs::all(&reader).await }).await
    }
}
