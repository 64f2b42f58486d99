//! A door that several combiners' ledger is closed behind: by the last one out.

use crate::{Answer, Health, IssueLedger, LedgerError, Request};
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(super) struct Shared {
    door: Arc<dyn IssueLedger>,
    all: Arc<[Arc<dyn IssueLedger>]>,
    open: Arc<AtomicUsize>,
}

impl Shared {
    pub(super) fn of(doors: &[Arc<dyn IssueLedger>]) -> Vec<Self> {
        let open = Arc::new(AtomicUsize::new(doors.len()));
        let all: Arc<[Arc<dyn IssueLedger>]> = doors.into();
        let shared = |door: &Arc<dyn IssueLedger>| Self {
            door: Arc::clone(door),
            all: Arc::clone(&all),
            open: Arc::clone(&open),
        };
        doors.iter().map(shared).collect()
    }
}

#[async_trait]
impl IssueLedger for Shared {
    async fn commit(&self, requests: &mut Vec<Request>, answers: &mut Vec<Answer>) {
        self.door.commit(requests, answers).await;
    }

    fn largest_batch(&self) -> usize {
        self.door.largest_batch()
    }

    fn health(&self) -> Health {
        self.door.health()
    }

    async fn close(&self) -> Result<(), LedgerError> {
        let mut closed = Ok(());
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            for door in self.all.iter() {
                closed = closed.and(door.close().await);
            }
        }
        closed
    }
}
