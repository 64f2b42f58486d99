//! The references as examinees: they must pass their own examination.

use super::addresses::{AddressBook, AddressHarness};
use super::delivery::{DeliveryHarness, Intake};
use super::ledger::{Bench, LedgerHarness};
use super::notices::{NoticeHarness, Office};
use super::redemption::{RedemptionHarness, Till};
use super::store::{Books, StoreHarness};
use crate::memory::{ManualClock, Medium, MemoryAddresses, MemoryDeliveries, MemoryLedger, MemoryStore};
use crate::{Board, NotificationKinds, RecordStore};
use async_trait::async_trait;
use std::sync::Arc;

/// Opens the reference ledger beside the reference store.
#[derive(Debug, Default)]
pub struct ReferenceHarness {
    medium: Arc<Medium>,
    store: MemoryStore,
}

impl ReferenceHarness {
    /// Nothing opened yet.
    pub fn new() -> Self {
        Self::default()
    }

    async fn bench(&self, clock: Arc<ManualClock>) -> Bench {
        let board = Arc::new(Board::new());
        let store: Arc<dyn RecordStore> = Arc::new(self.store.clone());
        let medium = Arc::clone(&self.medium);
        let opened = MemoryLedger::open(medium, store.as_ref(), Arc::clone(&board), clock).await;
        let ledger = Arc::new(opened.unwrap());
        Bench {
            outbox: Arc::clone(&ledger) as _,
            ledger,
            board,
            store,
        }
    }
}

#[async_trait(?Send)]
impl LedgerHarness for ReferenceHarness {
    async fn open(&mut self, clock: Arc<ManualClock>) -> Bench {
        *self = Self::default();
        self.bench(clock).await
    }

    async fn crash_and_reopen(&mut self, bench: Bench, clock: Arc<ManualClock>) -> Bench {
        drop(bench);
        self.bench(clock).await
    }
}

/// Opens the reference store.
#[derive(Debug, Default)]
pub struct ReferenceStoreHarness(MemoryStore);

impl ReferenceStoreHarness {
    /// Nothing opened yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn books(&self) -> Books {
        Books {
            records: Arc::new(self.0.clone()),
            coupons: Arc::new(self.0.clone()),
            keys: Arc::new(self.0.clone()),
            audit: Arc::new(self.0.clone()),
        }
    }

    fn till(&self) -> Till {
        Till {
            books: self.books(),
            redemptions: Arc::new(self.0.clone()),
        }
    }
}

#[async_trait(?Send)]
impl StoreHarness for ReferenceStoreHarness {
    async fn open(&mut self) -> Books {
        *self = Self::default();
        self.books()
    }

    async fn reopen(&mut self, books: Books) -> Books {
        drop(books);
        self.books()
    }
}

#[async_trait(?Send)]
impl RedemptionHarness for ReferenceStoreHarness {
    async fn open(&mut self) -> Till {
        *self = Self::default();
        self.till()
    }

    async fn crash_and_reopen(&mut self, till: Till) -> Till {
        drop(till);
        self.till()
    }
}

impl ReferenceStoreHarness {
    fn office(&self) -> Office {
        let store = Arc::new(self.0.clone());
        Office {
            till: self.till(),
            outbox: Arc::clone(&store) as _,
            failed: Arc::clone(&store) as _,
            calendar: Arc::clone(&store) as _,
            jobs: store,
        }
    }
}

#[async_trait(?Send)]
impl NoticeHarness for ReferenceStoreHarness {
    async fn open(&mut self, kinds: NotificationKinds) -> Office {
        *self = Self(MemoryStore::new().telling(kinds));
        self.office()
    }

    async fn crash_and_reopen(&mut self, office: Office) -> Office {
        drop(office);
        self.0 = std::mem::take(&mut self.0).telling(NotificationKinds::ALL);
        self.office()
    }
}

/// Opens the reference of a store that is filled by deliveries.
#[derive(Debug, Default)]
pub struct ReferenceDeliveryHarness(MemoryDeliveries);

impl ReferenceDeliveryHarness {
    /// Nothing opened yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn intake(&self) -> Intake {
        Intake {
            deliveries: Arc::new(self.0.clone()),
            marks: Arc::new(self.0.clone()),
            ids: Arc::new(self.0.clone()),
        }
    }
}

#[async_trait(?Send)]
impl DeliveryHarness for ReferenceDeliveryHarness {
    async fn open(&mut self) -> Intake {
        *self = Self::default();
        self.intake()
    }

    async fn crash_and_reopen(&mut self, intake: Intake) -> Intake {
        drop(intake);
        self.intake()
    }
}

/// Opens the reference of webhooks and contacts.
#[derive(Debug, Default)]
pub struct ReferenceAddressHarness(MemoryAddresses);

impl ReferenceAddressHarness {
    /// Nothing opened yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn book(&self) -> AddressBook {
        AddressBook {
            webhooks: Arc::new(self.0.clone()),
            contacts: Arc::new(self.0.clone()),
            audit: Arc::new(self.0.clone()),
        }
    }
}

#[async_trait(?Send)]
impl AddressHarness for ReferenceAddressHarness {
    async fn open(&mut self) -> AddressBook {
        *self = Self::default();
        self.book()
    }

    async fn reopen(&mut self, book: AddressBook) -> AddressBook {
        drop(book);
        self.book()
    }
}
