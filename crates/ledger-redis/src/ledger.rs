//! The ledger port over Redis.

use crate::engine::Engine;
use crate::error::RedisTrouble;
use crate::identity::{Identity, Sighting};
use crate::limits::MAX_CALL_USERS;
use crate::news;
use crate::options::RedisOptions;
use crate::plan::{Step, steps};
use async_trait::async_trait;
use coupon_app::{
    Answer, Board, CouponIds, Epoch, Epochs, FactsOfRecord, Health, IssueLedger, IssueRequest, LedgerError,
    Look, PendingIssue, PendingIssues, Reason, Reply, Request, Seen,
};
use coupon_core::{CouponId, Grant, IssuedCouponId, UserId};
use futures_util::future::join_all;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// The ledger of many servers: a script in Redis decides, Redis's append-only file makes it durable.
///
/// With `appendfsync always` a reply leaves Redis only after the file was synced with everything that was executed
/// before it; that is the durability of an answer, of a refusal and of a reading alike. It survives the end of this
/// Redis, not its loss.
///
/// It can be shared: several tasks may call `commit` at once, as long as each coupon's requests come from one.
pub struct RedisLedger {
    pub(crate) engine: Arc<Engine>,
    /// Where the connection lives. Whoever calls `commit` may have a runtime of his own, and end it.
    pub(crate) handle: Handle,
}

impl std::fmt::Debug for RedisLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisLedger").finish_non_exhaustive()
    }
}

impl RedisLedger {
    /// Connects, looks at the servers, and posts every coupon that Redis has. All I/O is done on `handle`, whose
    /// runtime must have time and I/O.
    ///
    /// Servers that are configured too weakly, or are not the expected ones, are no error here: the ledger is then
    /// not ready, and answers `Unavailable`.
    pub async fn open(
        options: RedisOptions,
        handle: Handle,
        board: Arc<Board>,
        ids: Arc<dyn CouponIds>,
        record: Option<Arc<dyn FactsOfRecord>>,
    ) -> Result<Self, RedisTrouble> {
        let engine = Arc::new(Engine::new(options, board, ids, record));
        let first = Arc::clone(&engine);
        let opened = handle.spawn(async move {
            first.link.wire().await?;
            match first.refresh().await {
                // Told by `health`.
                Err(RedisTrouble::Doubt(_)) => Ok(()),
                refreshed => refreshed,
            }
        });
        opened
            .await
            .map_err(|_ended| RedisTrouble::Nonsense("the runtime has ended"))??;
        let (probe_every, refresh_every) = {
            let options = engine.link.options();
            (options.probe_every, options.refresh_every)
        };
        handle.spawn(keep_looking(
            Arc::downgrade(&engine),
            probe_every,
            async |engine| engine.link.probe().await,
        ));
        handle.spawn(keep_looking(
            Arc::downgrade(&engine),
            refresh_every,
            async |engine| engine.refresh().await,
        ));
        if let Some(news) = engine.link.news() {
            handle.spawn(news::follow(Arc::downgrade(&engine), news));
        }
        Ok(Self { engine, handle })
    }

    /// Brings the board up to date with what other servers did. It is done regularly anyway; this is for whoever has
    /// been told that something changed.
    pub async fn refresh(&self) -> Result<(), RedisTrouble> {
        let engine = Arc::clone(&self.engine);
        let refreshed = self.handle.spawn(async move { engine.refresh().await });
        refreshed
            .await
            .map_err(|_ended| RedisTrouble::Nonsense("the runtime has ended"))?
    }

    /// The servers that were found, again whenever that changes.
    pub fn sightings(&self) -> watch::Receiver<Option<Sighting>> {
        self.engine.link.sightings()
    }

    /// Trusts these servers from now on: whoever calls this has made sure that nothing is lost, or has reconciled what
    /// was. Until then a ledger that finds others than it expects answers nothing.
    pub fn accept(&self, identity: Identity) {
        self.engine.link.accept(identity);
    }
}

/// Does the same again and again, as long as the ledger is there. Trouble is told by `health` and by whatever is
/// asked next.
async fn keep_looking(
    engine: Weak<Engine>,
    every: Duration,
    look: impl AsyncFn(&Engine) -> Result<(), RedisTrouble>,
) {
    loop {
        tokio::time::sleep(every).await;
        let Some(engine) = engine.upgrade().filter(|it| !it.closed.load(Ordering::Acquire)) else {
            return;
        };
        if let Err(trouble) = look(&engine).await {
            tracing::debug!(%trouble, "Redis could not be looked at");
        }
    }
}

impl Epochs for RedisLedger {
    fn epoch(&self, coupon: CouponId) -> Option<Epoch> {
        let known = self.engine.memory.of(coupon)?;
        (known.epoch > 0).then_some(known.epoch)
    }
}

#[async_trait]
impl PendingIssues for RedisLedger {
    async fn pending(&self, id: IssuedCouponId) -> Result<PendingIssue, LedgerError> {
        let engine = Arc::clone(&self.engine);
        let asking = self.handle.spawn(async move { engine.pending(id).await });
        // The runtime is being shut down under us.
        let ended = |_ended| LedgerError::Unavailable(Reason::Closing);
        asking.await.map_err(ended)?.map_err(RedisTrouble::of_a_reading)
    }
}

#[async_trait]
impl IssueLedger for RedisLedger {
    async fn commit(&self, requests: &mut Vec<Request>, answers: &mut Vec<Answer>) {
        let taken = std::mem::take(requests);
        let asked = taken.len();
        let engine = Arc::clone(&self.engine);
        let turn = self.handle.spawn(async move {
            let told = engine.turn(&taken).await;
            (taken, told)
        });
        match turn.await {
            Ok((taken, told)) => {
                *requests = taken;
                requests.clear();
                answers.extend(told);
            }
            // The runtime is being shut down under us.
            Err(_ended) => {
                let lost = || Err(LedgerError::Indeterminate(Reason::Closing));
                answers.extend(std::iter::repeat_with(lost).take(asked));
            }
        }
    }

    fn health(&self) -> Health {
        if self.engine.closed.load(Ordering::Acquire) {
            return Health::NotReady("closed".to_owned());
        }
        let why_not = self.engine.link.why_not_ready();
        why_not.map_or(Health::Ready, Health::NotReady)
    }

    async fn close(&self) -> Result<(), LedgerError> {
        self.engine.closed.store(true, Ordering::Release);
        Ok(())
    }
}

/// The answers to a batch while it is decided.
struct Turn<'r> {
    requests: &'r [Request],
    answers: Vec<Option<Answer>>,
    /// For each request for what a user holds: what was found of each coupon.
    held: Vec<Vec<Option<Grant>>>,
}

/// What came back from one step.
enum Back {
    Issues(Vec<usize>, Vec<Answer>),
    Holders(Vec<(usize, usize)>, Result<Vec<Option<Grant>>, LedgerError>),
}

impl Engine {
    async fn turn(&self, requests: &[Request]) -> Vec<Answer> {
        if self.closed.load(Ordering::Acquire) {
            let refused = |_request: &Request| Err(LedgerError::Unavailable(Reason::Closing));
            return requests.iter().map(refused).collect();
        }
        let mut turn = Turn::new(requests);
        let mut sent = Vec::new();
        for step in steps(requests, MAX_CALL_USERS) {
            match step {
                Step::Alone(number) => {
                    turn.take(join_all(std::mem::take(&mut sent)).await);
                    turn.answers[number] = Some(self.alone(&requests[number]).await);
                }
                Step::Issues(..) | Step::Holders(..) => sent.push(self.step(requests, step)),
            }
        }
        turn.take(join_all(sent).await);
        turn.answers()
    }

    /// Sends one call. Calls on one connection are carried out in the order in which they are first polled.
    async fn step(&self, requests: &[Request], step: Step) -> Back {
        match step {
            Step::Issues(coupon, numbers) => {
                let asked: Vec<&IssueRequest> = numbers
                    .iter()
                    .filter_map(|number| issue_of(&requests[*number]))
                    .collect();
                let answers = self.issue(coupon, &asked).await;
                Back::Issues(numbers, answers)
            }
            Step::Holders(coupon, asks) => {
                let users: Vec<&UserId> = asks
                    .iter()
                    .filter_map(|(number, _)| holder_of(&requests[*number]))
                    .collect();
                let held = self.holders(coupon, &users).await;
                Back::Holders(asks, held.map_err(RedisTrouble::of_a_reading))
            }
            Step::Alone(_) => Back::Issues(Vec::new(), Vec::new()),
        }
    }

    async fn alone(&self, request: &Request) -> Answer {
        match request {
            Request::Command(command) => self
                .command(command)
                .await
                .map(|outcome| Reply::Command(Box::new(outcome))),
            Request::Look(look) => {
                let seen = self.look(look).await;
                seen.map(|seen| Reply::Look(Box::new(seen)))
                    .map_err(RedisTrouble::of_a_reading)
            }
            Request::Issue(issue) => {
                let mut answers = self.issue(issue.coupon, &[issue]).await;
                answers.pop().unwrap_or_else(unanswered)
            }
        }
    }
}

impl<'r> Turn<'r> {
    fn new(requests: &'r [Request]) -> Self {
        let held = requests
            .iter()
            .map(|request| vec![None; coupons_of(request).len()]);
        Self {
            requests,
            answers: requests.iter().map(|_| None).collect(),
            held: held.collect(),
        }
    }

    fn take(&mut self, back: Vec<Back>) {
        for back in back {
            match back {
                Back::Issues(numbers, answers) => {
                    for (number, answer) in numbers.into_iter().zip(answers) {
                        self.answers[number] = Some(answer);
                    }
                }
                Back::Holders(asks, Ok(grants)) => {
                    for ((number, place), grant) in asks.into_iter().zip(grants) {
                        self.held[number][place] = grant;
                    }
                }
                Back::Holders(asks, Err(error)) => {
                    for (number, _) in asks {
                        self.answers[number] = Some(Err(error.clone()));
                    }
                }
            }
        }
    }

    fn answers(self) -> Vec<Answer> {
        let all = self.answers.into_iter().zip(self.requests).zip(self.held);
        all.map(|((answer, request), held)| match (answer, holder_of(request)) {
            (Some(answer), _) => answer,
            (None, Some(_)) => {
                let found = coupons_of(request).iter().zip(held);
                let found = found
                    .filter_map(|(coupon, grant)| Some((*coupon, grant?)))
                    .collect();
                Ok(Reply::Look(Box::new(Seen::Holder(found))))
            }
            (None, None) => unanswered(),
        })
        .collect()
    }
}

/// A request that no step has answered: a mistake in this file, told as what it is to the caller.
fn unanswered() -> Answer {
    let trouble = RedisTrouble::Nonsense("a request was left without an answer");
    Err(trouble.of_a_write())
}

fn issue_of(request: &Request) -> Option<&IssueRequest> {
    match request {
        Request::Issue(issue) => Some(issue),
        Request::Command(_) | Request::Look(_) => None,
    }
}

fn holder_of(request: &Request) -> Option<&UserId> {
    match request {
        Request::Look(look) => match look.as_ref() {
            Look::Holder { user, .. } => Some(user),
            Look::Positions { .. } | Look::Coupon(_) => None,
        },
        Request::Issue(_) | Request::Command(_) => None,
    }
}

fn coupons_of(request: &Request) -> &[CouponId] {
    match request {
        Request::Look(look) => match look.as_ref() {
            Look::Holder { coupons, .. } => coupons,
            Look::Positions { .. } | Look::Coupon(_) => &[],
        },
        Request::Issue(_) | Request::Command(_) => &[],
    }
}
