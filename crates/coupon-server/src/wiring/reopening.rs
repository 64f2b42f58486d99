//! This server's part in taking the state of `redis-script` anew when Redis may have lost it.

use anyhow::Context as _;
use coupon_app::{Passage, Reconciliation, ServerId};
use coupon_core::Strategy;
use coupon_worker::{Reopener, ReopenerBooks, ReopenerParts, SharedReconciliation, stop};
use ledger_redis::RedisLedger;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store_mysql::MysqlStore;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a starting server waits until its coupons are open, before it listens all the same.
const BEGIN_WITHIN: Duration = Duration::from_secs(5);
/// How long a stopping server takes to say goodbye.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// A reopener at work.
pub(crate) struct Reopening {
    books: Arc<ReopenerBooks>,
    ledger: Arc<RedisLedger>,
    passages: Vec<Arc<dyn Passage>>,
    bell: watch::Sender<bool>,
    keeping: JoinHandle<()>,
}

impl Reopening {
    /// Opens the ledger if there is nothing to doubt, and looks after it from then on. `passages` are the ways from the
    /// stream to the store, the stream itself first.
    pub(super) async fn start(
        ledger: &Arc<RedisLedger>,
        passages: Vec<Arc<dyn Passage>>,
        store: &Arc<MysqlStore>,
        despite_loss: bool,
        handle: &Handle,
    ) -> anyhow::Result<Self> {
        let mut server = [0; 16];
        getrandom::fill(&mut server).context("the system gives no random numbers")?;
        let mut reopener = Reopener::new(ReopenerParts {
            state: Arc::clone(ledger) as _,
            strategy: Strategy::RedisScript,
            roll_call: Arc::clone(store) as _,
            marks: Arc::clone(store) as _,
            deliveries: Arc::clone(store) as _,
            passages: passages.clone(),
            server: ServerId(server),
            despite_loss,
        });
        let books = reopener.books();
        let (bell, told) = stop();
        let beginning = handle.spawn(async move {
            reopener.begin(BEGIN_WITHIN).await;
            reopener
        });
        let reopener = beginning
            .await
            .context("comparing Redis with the database ended badly")?;
        let keeping = handle.spawn(reopener.keep(told));
        Ok(Self {
            books,
            ledger: Arc::clone(ledger),
            passages,
            bell,
            keeping,
        })
    }

    /// Compares what the script decides with the store; `others` compares the rest.
    pub(super) fn reconciliation(
        &self,
        store: &Arc<MysqlStore>,
        others: Arc<dyn Reconciliation>,
    ) -> Arc<dyn Reconciliation> {
        Arc::new(SharedReconciliation {
            state: Arc::clone(&self.ledger) as _,
            strategy: Strategy::RedisScript,
            passages: self.passages.clone(),
            marks: Arc::clone(store) as _,
            deliveries: Arc::clone(store) as _,
            reopener: Arc::clone(&self.books),
            others,
            found: Mutex::default(),
        })
    }

    /// Says goodbye to the other servers, so that they need not wait for this one.
    pub(crate) async fn end(self) {
        // It has ended by itself if it does not hear.
        let _heard = self.bell.send(true);
        if tokio::time::timeout(LEAVE_WITHIN, self.keeping).await.is_err() {
            tracing::debug!("the other servers were not told in time that this one ends");
        }
    }
}
