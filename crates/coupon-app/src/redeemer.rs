//! The redeemer: turns concurrent requests to redeem into batches in front of the store.
//!
//! While one batch is being committed the next one gathers, in one bounded queue in the order of arrival. One owner
//! thread takes everything that waits and has the store decide it in one transaction. A request that finds nobody else
//! waiting is decided at once.
//!
//! The store follows the ledger at a distance, so an issued coupon may not have arrived there yet. Whoever asks for one
//! waits until the follower has brought it, and asks the follower to hurry.

mod marks;
mod queue;

use crate::redemption::{Redeemable, RedemptionOutcome, RedemptionRequest, RedemptionStore};
use crate::{Board, Clock, Health, LedgerError, Reason, StoreError, limits};
use coupon_core::{
    Amount, HistoryEntry, IssuedCoupon, IssuedCouponId, RedemptionRefusal, UserId, may_use, quote,
};
use marks::Marks;
use queue::{Job, Queue};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// The one way to redeem, in front of one store.
pub struct Redeemer {
    queue: Arc<Queue>,
    marks: Arc<Marks>,
    store: Arc<dyn RedemptionStore>,
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
    owner: Mutex<Option<JoinHandle<()>>>,
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
    /// Starts the owner thread, named `name`, in front of `store`.
    pub async fn start(
        name: &str,
        store: Arc<dyn RedemptionStore>,
        board: Arc<Board>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RedeemerError> {
        let mut marks = Marks::default();
        store.with_history(&mut |id| marks.put(id)).await?;
        let marks = Arc::new(marks);
        let queue = Arc::new(Queue::default());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let owner = Owner {
            queue: Arc::clone(&queue),
            marks: Arc::clone(&marks),
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
        };
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || owner.run(&runtime))?;
        Ok(Self {
            queue,
            marks,
            store,
            board,
            clock,
            owner: Mutex::new(Some(thread)),
        })
    }

    /// Redeems, gives back or takes away.
    pub async fn ask(&self, request: RedemptionRequest) -> Result<RedemptionOutcome, LedgerError> {
        self.bring(request.id).await?;
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
        self.bring(id).await?;
        let now = self.clock.now();
        let found = self.store.redeemable(id).await?;
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
        if !self.has_history(id) {
            return Ok(Vec::new());
        }
        self.store.history(id, after, limit).await
    }

    /// Whether any step can have been taken with an issued coupon, from memory: so that whoever knows only its issue can
    /// tell whether that is all there is to know. Sees every step that was answered before.
    pub fn has_history(&self, id: IssuedCouponId) -> bool {
        self.marks.has(id)
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

    /// Waits until the store has the issue, if it is on its way.
    async fn bring(&self, id: IssuedCouponId) -> Result<(), LedgerError> {
        let position = id.position.get();
        if !self.board.is_pending(id.coupon, position) {
            return Ok(());
        }
        let arrived = self.board.until_stored(id.coupon, position);
        let late = |_elapsed| LedgerError::Unavailable(Reason::StoreBehind);
        tokio::time::timeout(limits::LONGEST_BRINGING, arrived)
            .await
            .map_err(late)
    }
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
    marks: Arc<Marks>,
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
                self.marks
                    .put_all(outcomes.iter().filter_map(|outcome| match outcome {
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
                    self.marks.put_all(requests.iter().map(|request| request.id));
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
