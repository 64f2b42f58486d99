//! A source and a store that fail as a test wishes.

use async_trait::async_trait;
use coupon_app::memory::MemoryDeliveries;
use coupon_app::{
    Backlog, Delivered, Delivery, DeliverySink, DeliverySource, DeliveryStore, Health, Quarantined,
    StoreError, Ticket,
};
use coupon_core::CouponId;
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Hands out what is in it, a few at a time, and what was not called done again and again.
#[derive(Default)]
pub(crate) struct Stream {
    pub(crate) entries: Mutex<VecDeque<(Ticket, Delivery)>>,
    pub(crate) done: Mutex<Vec<Ticket>>,
    pub(crate) aside: Mutex<Vec<(Ticket, String)>>,
    /// So many calls fail first.
    pub(crate) failures: Mutex<u32>,
}

pub(crate) fn ticket(coupon: CouponId, number: usize) -> Ticket {
    Ticket {
        coupon,
        entry: number.to_string().into(),
    }
}

impl Stream {
    pub(crate) fn of(deliveries: &[Delivery]) -> Arc<Self> {
        let stream = Self::default();
        let tickets = deliveries.iter().enumerate();
        let entries = tickets.map(|(number, delivery)| (ticket(delivery.coupon, number), delivery.clone()));
        stream.entries.lock().unwrap().extend(entries);
        Arc::new(stream)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.lock().unwrap().is_empty()
    }

    fn forget(&self, tickets: &[Ticket]) {
        let gone: HashSet<&Ticket> = tickets.iter().collect();
        self.entries
            .lock()
            .unwrap()
            .retain(|(ticket, _)| !gone.contains(ticket));
    }

    fn fails(&self) -> Result<(), StoreError> {
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err(StoreError::passing("the stream is away"));
        }
        Ok(())
    }
}

#[async_trait]
impl DeliverySource for Stream {
    async fn next(&self, max_records: usize) -> Result<Vec<(Ticket, Delivery)>, StoreError> {
        if self.is_empty() {
            // As every source does while there is nothing; a clock that stands still would wait for ever otherwise.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.fails()?;
        let entries = self.entries.lock().unwrap();
        let mut records = 0;
        let within = |(_, delivery): &&(Ticket, Delivery)| {
            let fits = records < max_records;
            records += delivery.records.len();
            fits
        };
        Ok(entries.iter().take_while(within).cloned().collect())
    }

    async fn done(&self, tickets: &[Ticket]) -> Result<(), StoreError> {
        self.fails()?;
        self.done.lock().unwrap().extend_from_slice(tickets);
        self.forget(tickets);
        Ok(())
    }

    async fn set_aside(&self, ticket: &Ticket, why: &str) -> Result<(), StoreError> {
        self.fails()?;
        self.aside.lock().unwrap().push((ticket.clone(), why.to_owned()));
        self.forget(std::slice::from_ref(ticket));
        Ok(())
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        Ok(Backlog::default())
    }
}

/// The reference store behind a door that sticks.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) inner: MemoryDeliveries,
    /// So many deliveries fail in a way that passes.
    pub(crate) passing: Mutex<u32>,
    /// Whatever holds a delivery of this coupon fails in a way that does not.
    pub(crate) poison: Mutex<Option<CouponId>>,
    pub(crate) calls: Mutex<u32>,
}

#[async_trait]
impl DeliveryStore for Store {
    async fn deliver(&self, deliveries: &[Delivery]) -> Result<Delivered, StoreError> {
        *self.calls.lock().unwrap() += 1;
        {
            let mut passing = self.passing.lock().unwrap();
            if *passing > 0 {
                *passing -= 1;
                return Err(StoreError::passing("the store is away"));
            }
        }
        let poison = *self.poison.lock().unwrap();
        if deliveries.iter().any(|delivery| Some(delivery.coupon) == poison) {
            return Err(StoreError::lasting("this cannot be written"));
        }
        self.inner.deliver(deliveries).await
    }

    async fn quarantine(&self, after: u64, limit: usize) -> Result<Vec<Quarantined>, StoreError> {
        self.inner.quarantine(after, limit).await
    }
}

/// Keeps what is published, in memory.
#[derive(Default)]
pub(crate) struct Feed {
    pub(crate) published: Mutex<Vec<Delivery>>,
    /// So many calls fail first.
    pub(crate) failures: Mutex<u32>,
}

#[async_trait]
impl DeliverySink for Feed {
    async fn publish(&self, deliveries: &[Delivery]) -> Result<(), StoreError> {
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err(StoreError::passing("the feed is away"));
        }
        self.published.lock().unwrap().extend_from_slice(deliveries);
        Ok(())
    }

    async fn health(&self) -> Health {
        Health::Ready
    }
}
