//! A ledger behind a gate: while it is shut, a batch is being committed and does not come to an end.

use crate::{Answer, Health, IssueLedger, LedgerError, Request};
use async_trait::async_trait;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::watch;

pub(super) struct GatedLedger {
    inner: Arc<dyn IssueLedger>,
    shut: watch::Sender<bool>,
    /// Sizes of the batches that have come to the gate.
    arrived: watch::Sender<Vec<usize>>,
    last_arrival: Mutex<Instant>,
    accident: Mutex<Accident>,
    largest: usize,
}

/// What befalls the next batch that passes the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accident {
    None,
    /// The ledger panics before it decides.
    Panic,
    /// The ledger forgets to answer the last request.
    OneAnswerShort,
}

impl GatedLedger {
    /// A gate before a ledger, for batches of so many requests at most.
    pub(super) fn before(inner: Arc<dyn IssueLedger>, largest: usize) -> Self {
        Self {
            largest,
            inner,
            shut: watch::Sender::new(false),
            arrived: watch::Sender::new(Vec::new()),
            last_arrival: Mutex::new(Instant::now()),
            accident: Mutex::new(Accident::None),
        }
    }

    pub(super) fn shut(&self) {
        self.shut.send_replace(true);
    }

    pub(super) fn open(&self) {
        self.shut.send_replace(false);
    }

    pub(super) fn will_meet(&self, accident: Accident) {
        *self.accident.lock().unwrap_or_else(PoisonError::into_inner) = accident;
    }

    /// The sizes of the batches so far.
    pub(super) fn batches(&self) -> Vec<usize> {
        self.arrived.borrow().clone()
    }

    /// When the last batch came to the gate.
    pub(super) fn last_arrival(&self) -> Instant {
        *self.last_arrival.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until so many batches have come to the gate.
    pub(super) async fn arrived(&self, batches: usize) {
        let mut arrived = self.arrived.subscribe();
        arrived.wait_for(|sizes| sizes.len() >= batches).await.unwrap();
    }
}

#[async_trait]
impl IssueLedger for GatedLedger {
    async fn commit(&self, requests: &mut Vec<Request>, answers: &mut Vec<Answer>) {
        *self.last_arrival.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        let size = requests.len();
        self.arrived.send_modify(|sizes| sizes.push(size));
        let mut shut = self.shut.subscribe();
        shut.wait_for(|shut| !shut).await.unwrap();
        let accident = {
            let mut next = self.accident.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *next, Accident::None)
        };
        assert_ne!(accident, Accident::Panic, "an accident that was ordered");
        self.inner.commit(requests, answers).await;
        if accident == Accident::OneAnswerShort {
            answers.pop();
        }
    }

    fn largest_batch(&self) -> usize {
        self.largest
    }

    fn health(&self) -> Health {
        self.inner.health()
    }

    async fn close(&self) -> Result<(), LedgerError> {
        self.inner.close().await
    }
}
