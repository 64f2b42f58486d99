//! Ledgers that wait, fail, or say that they cannot keep their promise.

use async_trait::async_trait;
use coupon_app::{Answer, Health, IssueLedger, LedgerError, Reason, Request};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::sync::watch;

/// Puts a ledger behind another.
pub(crate) type Wrap = Box<dyn FnOnce(Arc<dyn IssueLedger>) -> Arc<dyn IssueLedger>>;

/// A ledger that commits only while its gate is open.
pub(crate) struct Gated {
    behind: Arc<dyn IssueLedger>,
    gate: watch::Receiver<bool>,
    arrived: mpsc::Sender<()>,
}

/// Opens and shuts the gate.
pub(crate) struct Gatekeeper {
    gate: watch::Sender<bool>,
    arrived: mpsc::Receiver<()>,
}

pub(crate) fn gate() -> (Gatekeeper, Wrap) {
    let (gate, behind_gate) = watch::channel(true);
    let (sender, arrived) = mpsc::channel();
    let wrap = move |behind| -> Arc<dyn IssueLedger> {
        Arc::new(Gated {
            behind,
            gate: behind_gate,
            arrived: sender,
        })
    };
    (Gatekeeper { gate, arrived }, Box::new(wrap))
}

impl Gatekeeper {
    pub(crate) fn shut(&self) {
        self.gate.send_replace(false);
        while self.arrived.try_recv().is_ok() {}
    }

    pub(crate) fn open(&self) {
        self.gate.send_replace(true);
    }

    /// Waits until a batch stands at the gate.
    pub(crate) fn somebody_waits(&self) {
        self.arrived.recv_timeout(Duration::from_secs(30)).unwrap();
    }
}

impl Drop for Gatekeeper {
    fn drop(&mut self) {
        self.open();
    }
}

#[async_trait]
impl IssueLedger for Gated {
    async fn commit(&self, requests: &mut Vec<Request>, answers: &mut Vec<Answer>) {
        // The keeper may be gone, and then the gate stays open.
        let _ = self.arrived.send(());
        // A test that fails leaves the gate shut, and the house could not be closed.
        let mut gate = self.gate.clone();
        let _ = tokio::time::timeout(Duration::from_secs(20), gate.wait_for(|open| *open)).await;
        self.behind.commit(requests, answers).await;
    }

    fn health(&self) -> Health {
        self.behind.health()
    }

    async fn close(&self) -> Result<(), LedgerError> {
        self.behind.close().await
    }
}

/// A ledger that fails with the same error while it is told to.
pub(crate) struct Failing {
    behind: Arc<dyn IssueLedger>,
    fails: Arc<AtomicBool>,
    error: LedgerError,
}

pub(crate) fn failing(error: LedgerError) -> (Arc<AtomicBool>, Wrap) {
    let fails = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&fails);
    let wrap = move |behind| -> Arc<dyn IssueLedger> { Arc::new(Failing { behind, fails, error }) };
    (switch, Box::new(wrap))
}

#[async_trait]
impl IssueLedger for Failing {
    async fn commit(&self, requests: &mut Vec<Request>, answers: &mut Vec<Answer>) {
        if self.fails.load(Ordering::SeqCst) {
            answers.extend(requests.drain(..).map(|_| Err(self.error.clone())));
        } else {
            self.behind.commit(requests, answers).await;
        }
    }

    fn health(&self) -> Health {
        if self.fails.load(Ordering::SeqCst) {
            Health::NotReady(self.error.to_string())
        } else {
            self.behind.health()
        }
    }

    async fn close(&self) -> Result<(), LedgerError> {
        self.behind.close().await
    }
}

pub(crate) fn queue_full() -> LedgerError {
    LedgerError::Unavailable(Reason::QueueFull)
}

pub(crate) fn poisoned() -> LedgerError {
    LedgerError::Indeterminate(Reason::Poisoned)
}
