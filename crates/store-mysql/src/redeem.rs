//! Redeeming: what becomes of issued coupons is decided in the database, a batch in one transaction.
//!
//! A batch is four round trips at most: lock the rows of the issued coupons and read what belongs to them; read what
//! else a decision needs, which is seldom; write; commit. Rows are locked in the order of coupon and position, so that
//! batches of several servers wait for each other and not in a circle. Nothing is answered but from what was read
//! under these locks, and no step before COMMIT has been answered.

mod batch;
mod notes;
mod offers;
mod statements;
mod write;

use crate::connection::{Connector, pause};
use crate::error::{Failure, OpenError, indeterminate, unavailable};
use crate::history;
use crate::limits;
use crate::script::Script;
use crate::session::{Ended, Session, SessionRules, Trouble};
use crate::settings::Declared;
use crate::store::{MysqlStore, Reader};
use async_trait::async_trait;
use coupon_app::{
    LedgerError, Reason, Redeemable, RedemptionOutcome, RedemptionRequest, RedemptionStore, StoreError,
};
use coupon_core::{CouponId, HistoryEntry, IssuedCouponId, Timestamp};
use offers::Offers;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// How a [`MysqlRedemptions`] decides.
#[derive(Clone, Debug)]
pub struct RedemptionOptions {
    /// How many batches are decided at once, each on a connection of its own. One redeemer asks for one at a time.
    pub connections: usize,
    /// How long a statement waits for a row that another server has locked; whole seconds, at least one.
    pub lock_wait: Duration,
    /// How long the server may take to answer one round trip. Longer than `lock_wait`.
    pub answer_within: Duration,
    /// After so long no further attempt is begun at a batch of which nothing has happened.
    pub decide_within: Duration,
    /// How long the end of a COMMIT whose answer was lost is looked for, before the batch is indeterminate.
    pub find_out_within: Duration,
    /// After so long of silence the database lets go of what a vanished server of ours has locked; whole seconds.
    pub vanished_after: Duration,
    /// How often the server's settings are read again.
    pub check_every: Duration,
    /// Settings that the operator answers for, by their names in the server: they are not judged.
    pub declared: Vec<String>,
}

impl Default for RedemptionOptions {
    fn default() -> Self {
        Self {
            connections: 1,
            lock_wait: Duration::from_secs(2),
            answer_within: Duration::from_secs(5),
            decide_within: Duration::from_secs(5),
            find_out_within: Duration::from_secs(10),
            vanished_after: Duration::from_secs(10),
            check_every: Duration::from_secs(5),
            declared: Vec::new(),
        }
    }
}

/// Decides redemptions in a MySQL or MariaDB database. Any number of servers may do so at once. A database that is
/// configured too weakly decides nothing until it is stronger: everything is then `Unavailable`.
#[derive(Clone, Debug)]
pub struct MysqlRedemptions {
    inner: Arc<Inner>,
    /// Where all SQL is run, whoever calls.
    handle: Handle,
}

#[derive(Debug)]
struct Inner {
    /// For questions that change nothing.
    reader: Reader,
    rules: Arc<SessionRules>,
    decide_within: Duration,
    check_every: Duration,
    /// As many as there may be sessions in use.
    turns: Semaphore,
    idle: Mutex<Vec<Session>>,
    offers: Mutex<Offers>,
    checked_at: Mutex<Option<Instant>>,
    swept_at: Mutex<Option<Instant>>,
}

/// A batch that was decided.
struct Decided {
    outcomes: Vec<RedemptionOutcome>,
    /// Whether anything was written: then the transaction is to be committed, otherwise undone.
    wrote: bool,
    /// Whether idempotency keys are among what was written.
    kept_tokens: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MysqlRedemptions {
    /// Redeems what is in `store`, over connections to the same database. All SQL is run on the runtime that this is
    /// called on.
    pub fn open(url: &str, store: &MysqlStore, options: &RedemptionOptions) -> Result<Self, OpenError> {
        let connector = Connector::new(url, options.lock_wait, options.answer_within)?;
        let rules = SessionRules {
            connector,
            declared: Declared::new(&options.declared)?,
            condition: Arc::default(),
            find_out_within: options.find_out_within,
            vanished_after_s: u32::try_from(options.vanished_after.as_secs())
                .unwrap_or(u32::MAX)
                .max(1),
        };
        let inner = Inner {
            reader: store.reader(),
            rules: Arc::new(rules),
            decide_within: options.decide_within,
            check_every: options.check_every,
            turns: Semaphore::new(options.connections.max(1)),
            idle: Mutex::default(),
            offers: Mutex::default(),
            checked_at: Mutex::default(),
            swept_at: Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
            handle: Handle::current(),
        })
    }

    async fn read<T, W>(&self, work: impl FnOnce(Arc<Inner>) -> W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let task = self.handle.spawn(work(Arc::clone(&self.inner)));
        Ok(task.await.unwrap_or_else(|lost| Err(lost.into()))?)
    }
}

impl Inner {
    async fn decide(
        &self,
        requests: &[RedemptionRequest],
        clock: Timestamp,
    ) -> Result<Vec<RedemptionOutcome>, LedgerError> {
        let Ok(_turn) = self.turns.acquire().await else {
            return Err(LedgerError::Unavailable(Reason::Closing));
        };
        let idle = lock(&self.idle).pop();
        let mut session = match idle {
            Some(session) => session,
            None => Session::new(Arc::clone(&self.rules)).map_err(unavailable)?,
        };
        let decided = self.carry_out(&mut session, requests, clock).await;
        lock(&self.idle).push(session);
        let decided = decided?;
        if decided.kept_tokens {
            self.sweep(clock);
        }
        Ok(decided.outcomes)
    }

    /// One transaction, tried again within bounds as long as nothing has happened.
    async fn carry_out(
        &self,
        session: &mut Session,
        requests: &[RedemptionRequest],
        clock: Timestamp,
    ) -> Result<Decided, LedgerError> {
        let until = Instant::now() + self.decide_within;
        let mut attempt = 0;
        loop {
            match self.attempt(session, requests, clock).await {
                Ok(decided) => return Ok(decided),
                Err(Trouble::Perhaps(failure)) => return Err(indeterminate(failure)),
                Err(Trouble::Nothing(failure)) => {
                    attempt += 1;
                    let last = attempt >= limits::MAX_ATTEMPTS || Instant::now() >= until;
                    if last || !failure.passes() {
                        return Err(unavailable(failure));
                    }
                }
            }
            tokio::time::sleep(pause(attempt)).await;
        }
    }

    async fn attempt(
        &self,
        session: &mut Session,
        requests: &[RedemptionRequest],
        clock: Timestamp,
    ) -> Result<Decided, Trouble> {
        session.open().await.map_err(Trouble::Nothing)?;
        self.check(session).await.map_err(Trouble::Nothing)?;
        let decided = match batch::decide(
            session,
            &self.offers,
            self.reader.notifications(),
            requests,
            clock,
        )
        .await
        {
            Ok(decided) if decided.wrote => decided,
            Ok(decided) => {
                session.roll_back().await;
                return Ok(decided);
            }
            Err(failure) => {
                session.roll_back().await;
                return Err(Trouble::Nothing(failure));
            }
        };
        match session.commit().await {
            Ended::Committed => Ok(decided),
            Ended::Undone(failure) => Err(Trouble::Nothing(failure)),
            Ended::Unknown(failure) => Err(Trouble::Perhaps(failure)),
        }
    }

    /// Makes sure, now and then, that the server is still as strong as when the session was opened.
    async fn check(&self, session: &mut Session) -> Result<(), Failure> {
        let now = Instant::now();
        let due = lock(&self.checked_at).is_none_or(|at| now.duration_since(at) >= self.check_every);
        if due {
            session.check().await?;
            *lock(&self.checked_at) = Some(now);
        }
        Ok(())
    }

    /// Sweeps away idempotency keys whose day is over, beside the batches. Whatever becomes of it, a key that has
    /// outlived its day is not obeyed.
    fn sweep(&self, clock: Timestamp) {
        let now = Instant::now();
        {
            let mut swept_at = lock(&self.swept_at);
            if swept_at.is_some_and(|at| now.duration_since(at) < limits::SWEEP_EVERY) {
                return;
            }
            *swept_at = Some(now);
        }
        let reader = self.reader.clone();
        let before = clock
            .as_micros()
            .saturating_sub(coupon_app::limits::COMMAND_TOKEN_LIFE_US);
        tokio::spawn(async move {
            let script = || {
                let mut script = Script::new();
                script
                    .statement("DELETE FROM redemption_tokens WHERE decided_at <= ")
                    .number(before)
                    .sql(" ORDER BY decided_at LIMIT ")
                    .number(limits::MAX_SWEPT);
                script
            };
            if let Err(failure) = reader.ask_one(script).await {
                tracing::debug!(%failure, "old idempotency keys were not swept away");
            }
        });
    }
}

#[async_trait]
impl RedemptionStore for MysqlRedemptions {
    async fn decide(
        &self,
        requests: &[RedemptionRequest],
        clock: Timestamp,
    ) -> Result<Vec<RedemptionOutcome>, LedgerError> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let (inner, requests) = (Arc::clone(&self.inner), requests.to_vec());
        let deciding = self
            .handle
            .spawn(async move { inner.decide(&requests, clock).await });
        // The runtime was shut down under it, perhaps while COMMIT was on its way.
        let lost = |lost: tokio::task::JoinError| Err(indeterminate(lost.into()));
        deciding.await.unwrap_or_else(lost)
    }

    async fn redeemable(&self, id: IssuedCouponId) -> Result<Option<Redeemable>, StoreError> {
        self.read(move |inner| async move { offers::redeemable(&inner.reader, &inner.offers, id).await })
            .await
    }

    async fn history(
        &self,
        id: IssuedCouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        self.read(move |inner| async move { history::page(&inner.reader, id, after, limit).await })
            .await
    }

    async fn with_history(&self, take: &mut (dyn FnMut(IssuedCouponId) + Send)) -> Result<(), StoreError> {
        let mut last = None;
        loop {
            let after = last;
            let page = self
                .read(move |inner| async move { history::used(&inner.reader, after).await })
                .await?;
            let Some(end) = page.last() else { return Ok(()) };
            last = Some(*end);
            page.into_iter().for_each(&mut *take);
        }
    }

    async fn used_coupons(&self) -> Result<Vec<CouponId>, StoreError> {
        self.read(|inner| async move { history::used_coupons(&inner.reader).await })
            .await
    }
}
