//! The redeemer: turns concurrent requests to redeem into batches in front of the store.
//!
//! While one batch is being committed the next one gathers, in one bounded queue in the order of arrival. One owner
//! thread takes everything that waits and has the store decide it in one transaction. A request that finds nobody else
//! waiting is decided at once.
//!
//! The store follows the ledger at a distance, so an issued coupon may not have arrived there yet. On one server alone
//! whoever asks for one waits until the follower has brought it, and asks the follower to hurry. Where many servers
//! share a store, no server's memory says what has arrived: an issued coupon that the store does not know is looked for
//! in the ledger, brought from there, and asked for again.

mod marks;
mod memory;
mod queue;

use crate::bringing::Brought;
use crate::redemption::{Redeemable, RedemptionOutcome, RedemptionRequest, RedemptionStore};
use crate::{Board, Bringing, Clock, Health, LedgerError, Reason, StoreError, limits};
use coupon_core::{
    Amount, HistoryEntry, IssuedCoupon, IssuedCouponId, RedemptionRefusal, UserId, may_use, quote,
};
use marks::Marks;
use memory::Memory;
use queue::{Job, Queue};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The one way to redeem, in front of one store.
pub struct Redeemer {
    queue: Arc<Queue>,
    memory: Arc<Memory>,
    store: Arc<dyn RedemptionStore>,
    company: Company,
    clock: Arc<dyn Clock>,
    owner: Mutex<Option<JoinHandle<()>>>,
}

/// How what is on its way gets into the store.
#[derive(Debug)]
enum Company {
    /// By this server's own follower, as its board says.
    Alone(Arc<Board>),
    /// By any worker, or from the ledger by whoever needs it.
    Shared(Bringing),
}

/// The redeemer cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RedeemerError {
    /// The store does not say what has been used.
    #[error("cannot read which issued coupons have been used: {0}")]
    Store(#[from] StoreError),
    /// No thread or runtime can be had.
    #[error("cannot start the thread that redeems: {0}")]
    Thread(#[from] std::io::Error),
}

/// What an order would get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The issued coupon as it is.
    pub issued: IssuedCoupon,
    /// What the order would get; `None` when the coupon does not say.
    pub discount: Option<Amount>,
}

impl Redeemer {
    /// Starts the owner thread, named `name`, in front of a store that nobody else redeems in. What is on its way there
    /// is told by `board`.
    pub async fn start(
        name: &str,
        store: Arc<dyn RedemptionStore>,
        board: Arc<Board>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RedeemerError> {
        let mut marks = Marks::default();
        store.with_history(&mut |id| marks.put(id)).await?;
        Self::open(name, store, Memory::Each(marks), Company::Alone(board), clock)
    }

    /// Starts the owner thread, named `name`, in front of a store that other servers redeem in too. What they have
    /// used is to be learned now and then: [`Redeemer::learn`].
    pub async fn start_shared(
        name: &str,
        store: Arc<dyn RedemptionStore>,
        bringing: Bringing,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RedeemerError> {
        let redeemer = Self::open(
            name,
            store,
            Memory::of_coupons(),
            Company::Shared(bringing),
            clock,
        )?;
        redeemer.learn().await?;
        Ok(redeemer)
    }

    fn open(
        name: &str,
        store: Arc<dyn RedemptionStore>,
        memory: Memory,
        company: Company,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RedeemerError> {
        let memory = Arc::new(memory);
        let queue = Arc::new(Queue::default());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let owner = Owner {
            queue: Arc::clone(&queue),
            memory: Arc::clone(&memory),
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
        };
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || owner.run(&runtime))?;
        Ok(Self {
            queue,
            memory,
            store,
            company,
            clock,
            owner: Mutex::new(Some(thread)),
        })
    }

    /// Redeems, gives back or takes away.
    pub async fn ask(&self, request: RedemptionRequest) -> Result<RedemptionOutcome, LedgerError> {
        match &self.company {
            Company::Alone(board) => {
                arrival(board, request.id).await?;
                self.submit(request).await
            }
            Company::Shared(bringing) => {
                // Almost everything has arrived; so the store is asked first, and the ledger only for what it misses.
                let told = self.submit(request.clone()).await?;
                let missed = told == RedemptionOutcome::Refused(RedemptionRefusal::UnknownIssuedCoupon);
                if missed && self.bring(bringing, request.id, request.user.as_ref()).await? {
                    return self.submit(request).await;
                }
                Ok(told)
            }
        }
    }

    async fn submit(&self, request: RedemptionRequest) -> Result<RedemptionOutcome, LedgerError> {
        let (answer, answered) = oneshot::channel();
        self.queue.submit(Job { request, answer })?;
        // Whoever takes the answer's other end and goes without a word has failed in the middle.
        let lost = |_closed| Err(LedgerError::Indeterminate(Reason::Poisoned));
        answered.await.unwrap_or_else(lost)
    }

    /// What an order of this amount would get from an issued coupon of `user`, or of anyone. Changes nothing.
    pub async fn quote(
        &self,
        id: IssuedCouponId,
        user: Option<&UserId>,
        amount: Amount,
    ) -> Result<Result<Quote, RedemptionRefusal>, crate::DeskError> {
        let found = match &self.company {
            Company::Alone(board) => {
                arrival(board, id).await?;
                self.store.redeemable(id).await?
            }
            Company::Shared(bringing) => match self.store.redeemable(id).await? {
                None if self.bring(bringing, id, user).await? => self.store.redeemable(id).await?,
                found => found,
            },
        };
        let now = self.clock.now();
        let Some(Redeemable { issued, offer, trail }) = found.filter(|found| may_use(&found.issued, user))
        else {
            return Ok(Err(RedemptionRefusal::UnknownIssuedCoupon));
        };
        let quoted = quote(&issued, &offer, trail, amount, now);
        Ok(quoted.map(|discount| Quote { issued, discount }))
    }

    /// A page of the history of an issued coupon, after entry number `after` (0 for the beginning).
    pub async fn history(
        &self,
        id: IssuedCouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        // A server among many does not know what was used a moment ago elsewhere.
        if matches!(self.company, Company::Alone(_)) && !self.has_history(id) {
            return Ok(Vec::new());
        }
        self.store.history(id, after, limit).await
    }

    /// Whether any step can have been taken with an issued coupon, from memory: so that whoever knows only its issue can
    /// tell whether that is all there is to know. Sees every step that was answered by this server before, and those of
    /// other servers as of the last [`Redeemer::learn`].
    pub fn has_history(&self, id: IssuedCouponId) -> bool {
        self.memory.may_have(id)
    }

    /// Learns of which coupons other servers have used any.
    pub async fn learn(&self) -> Result<(), StoreError> {
        if matches!(self.company, Company::Shared(_)) {
            let used = self.store.used_coupons().await?;
            self.memory.note_coupons(used.into_iter());
        }
        Ok(())
    }

    /// How many requests wait or are being decided.
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Whether it takes requests. It does until it is closed, or its thread has ended by a defect.
    pub fn health(&self) -> Health {
        if self.queue.is_open() {
            Health::Ready
        } else {
            Health::NotReady("nothing is redeemed any more; restart".to_owned())
        }
    }

    /// Refuses new requests, and returns when those that wait have been answered. A second call returns at once.
    pub fn close(&self) {
        self.queue.close();
        let owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner).take();
        if owner.map(JoinHandle::join).is_some_and(|ended| ended.is_err()) {
            tracing::error!("the thread that redeems did not end cleanly");
        }
    }

    /// Has an issue that the store did not know brought there. False when there is nothing to bring; true means that the
    /// store has it now.
    async fn bring(
        &self,
        bringing: &Bringing,
        id: IssuedCouponId,
        user: Option<&UserId>,
    ) -> Result<bool, LedgerError> {
        let patience = match bringing.bring(id, user).await? {
            Brought::Nothing => return Ok(false),
            // If the store would not have it, it never will.
            Brought::Delivered => Duration::ZERO,
            Brought::OnItsWay => limits::LONGEST_BRINGING,
        };
        let until = Instant::now() + patience;
        let mut pause = limits::FIRST_ARRIVAL_PAUSE;
        loop {
            let found = self.store.redeemable(id).await;
            let found = found.map_err(|error| LedgerError::Unavailable(Reason::adapter(error)))?;
            if found.is_some() {
                return Ok(true);
            }
            if Instant::now() + pause > until {
                return Err(LedgerError::Unavailable(Reason::StoreBehind));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(limits::LONGEST_ARRIVAL_PAUSE);
        }
    }
}

/// Waits until the store has the issue, if it is on its way.
async fn arrival(board: &Board, id: IssuedCouponId) -> Result<(), LedgerError> {
    let position = id.position.get();
    if !board.is_pending(id.coupon, position) {
        return Ok(());
    }
    let arrived = board.until_stored(id.coupon, position);
    let late = |_elapsed| LedgerError::Unavailable(Reason::StoreBehind);
    tokio::time::timeout(limits::LONGEST_BRINGING, arrived)
        .await
        .map_err(late)
}

impl fmt::Debug for Redeemer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redeemer")
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

impl Drop for Redeemer {
    fn drop(&mut self) {
        self.close();
    }
}

struct Owner {
    queue: Arc<Queue>,
    memory: Arc<Memory>,
    store: Arc<dyn RedemptionStore>,
    clock: Arc<dyn Clock>,
}

impl Owner {
    fn run(self, runtime: &Runtime) {
        let mut requests = Vec::new();
        let mut answers = Vec::new();
        while self.queue.gather(&mut requests, &mut answers) {
            let decided = runtime.block_on(self.store.decide(&requests, self.clock.now()));
            self.deliver(&requests, decided, &mut answers);
            requests.clear();
        }
    }

    fn deliver(
        &self,
        requests: &[RedemptionRequest],
        decided: Result<Vec<RedemptionOutcome>, LedgerError>,
        answers: &mut Vec<oneshot::Sender<Result<RedemptionOutcome, LedgerError>>>,
    ) {
        match decided {
            Ok(outcomes) => {
                // Before anybody hears of a step, everybody can know that there is one.
                self.memory
                    .note(outcomes.iter().filter_map(|outcome| match outcome {
                        RedemptionOutcome::Done {
                            issued,
                            replayed: false,
                            ..
                        } => Some(issued.id()),
                        RedemptionOutcome::Done { .. }
                        | RedemptionOutcome::Refused(_)
                        | RedemptionOutcome::TokenReused => None,
                    }));
                for (answer, outcome) in answers.drain(..).zip(outcomes) {
                    // Whoever does not wait any more asks again.
                    let _heard = answer.send(Ok(outcome));
                }
            }
            Err(error) => {
                if matches!(error, LedgerError::Indeterminate(_)) {
                    // Perhaps they have a history now. To look for one that is not there costs little.
                    self.memory.note(requests.iter().map(|request| request.id));
                }
                for answer in answers.drain(..) {
                    let _heard = answer.send(Err(error.clone()));
                }
            }
        }
    }
}

impl Drop for Owner {
    /// However the thread ends, nobody comes in any more, and nobody waits for ever.
    fn drop(&mut self) {
        self.queue.abandon();
    }
}
