//! The ledger of the strategies `database` and `redis-lock`: the database decides, and COMMIT makes durable.
//!
//! A batch is grouped by coupon, and each group is one transaction of three round trips: lock and read, write, commit.
//! Groups of different coupons are carried out beside each other, each on a session of its own. Nothing is answered,
//! refusals neither, but from what was read as committed, and no win before COMMIT has been answered.

mod command;
mod fenced;
mod group;
mod look;
mod newcomers;
mod poster;
mod refresh;
mod runs;
mod turns;

pub use turns::{NoTurn, Turn, Turns};

use crate::connection::{Connector, Line, pause};
use crate::error::{Failure, OpenError, indeterminate, unavailable};
use crate::session::{Ended, Session, SessionRules, Trouble};
use crate::settings::Declared;
use crate::telling::Telling;
use crate::{limits, migrations, settings};
use async_trait::async_trait;
use coupon_app::{
    Answer, Board, Clock, CommandRequest, Health, IssueLedger, LedgerError, Look, NotificationKinds, Reason,
    Reply, Request,
};
use coupon_core::{Coupon, CouponId};
use group::{Group, Guard};
use newcomers::Newcomers;
use poster::{Poster, Reach};
use runs::{Run, none, runs, spread};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Whose clock judges windows.
#[derive(Clone)]
pub enum LedgerClock {
    /// The database's, read after the row lock is held: all servers open at the same instant.
    Database,
    /// This one, read at the same point. For tests, which move it; several servers would not agree.
    Given(Arc<dyn Clock>),
}

impl fmt::Debug for LedgerClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "Database",
            Self::Given(_) => "Given",
        })
    }
}

/// How two servers are kept from deciding one coupon at once.
#[derive(Clone)]
pub enum Contention {
    /// By the lock of the coupon's row: the strategy `database`.
    RowLock,
    /// By a lock elsewhere, which only lowers contention, and by a fencing token: the strategy `redis-lock`.
    Turns(Arc<dyn Turns>),
}

impl fmt::Debug for Contention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RowLock => "RowLock",
            Self::Turns(_) => "Turns",
        })
    }
}

/// How a [`DatabaseLedger`] decides.
#[derive(Clone, Debug)]
pub struct LedgerOptions {
    /// How contention is kept low.
    pub contention: Contention,
    /// Whose clock judges.
    pub clock: LedgerClock,
    /// How many coupons are decided at once, each on a connection of its own.
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
    /// The kinds of notification that are written; of these the ledger knows
    /// [`coupon_app::NotificationKind::SoldOut`].
    pub notifications: Telling,
}

impl Default for LedgerOptions {
    fn default() -> Self {
        Self {
            contention: Contention::RowLock,
            clock: LedgerClock::Database,
            connections: 4,
            lock_wait: Duration::from_secs(2),
            answer_within: Duration::from_secs(5),
            decide_within: Duration::from_secs(5),
            find_out_within: Duration::from_secs(10),
            vanished_after: Duration::from_secs(10),
            check_every: Duration::from_secs(5),
            declared: Vec::new(),
            notifications: NotificationKinds::NONE.into(),
        }
    }
}

/// The ledger in a MySQL or MariaDB database.
#[derive(Debug)]
pub struct DatabaseLedger {
    inner: Arc<Inner>,
    /// Where all SQL is run, whoever calls.
    handle: Handle,
    checking: JoinHandle<()>,
}

#[derive(Debug)]
struct Inner {
    clock: LedgerClock,
    contention: Contention,
    decide_within: Duration,
    telling: Telling,
    poster: Poster,
    newcomers: Newcomers,
    rules: Arc<SessionRules>,
    sessions: tokio::sync::Mutex<Vec<Session>>,
    /// The fencing token of the turn that was last taken for a coupon.
    tokens: Mutex<HashMap<CouponId, (Turn, u64)>>,
    closed: AtomicBool,
}

impl DatabaseLedger {
    /// Opens the ledger on a database whose tables are up to date, and posts every coupon on the board. All SQL is
    /// run on the runtime that this is called on. A server that is configured too weakly is no error here: the ledger
    /// says so in its health, and decides nothing until it is stronger.
    pub async fn open(url: &str, options: LedgerOptions, board: Arc<Board>) -> Result<Self, OpenError> {
        let connector = Connector::new(url, options.lock_wait, options.answer_within)?;
        let mut first = connector.connect().await.map_err(migrations::unreachable)?;
        migrations::check(&mut first).await?;
        drop(first);
        let rules = Arc::new(SessionRules {
            connector,
            declared: Declared::new(&options.declared)?,
            condition: Arc::default(),
            find_out_within: options.find_out_within,
            vanished_after_s: u32::try_from(options.vanished_after.as_secs())
                .unwrap_or(u32::MAX)
                .max(1),
        });
        let sessions: Result<Vec<Session>, Failure> = (0..options.connections.max(1))
            .map(|_| Session::new(Arc::clone(&rules)))
            .collect();
        let inner = Arc::new(Inner {
            clock: options.clock,
            contention: options.contention,
            decide_within: options.decide_within,
            telling: options.notifications,
            poster: Poster::new(board),
            newcomers: Newcomers::default(),
            rules,
            sessions: tokio::sync::Mutex::new(sessions.map_err(OpenError::Unreadable)?),
            tokens: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        inner.refresh().await.map_err(OpenError::Unreadable)?;
        inner.check().await;
        inner.sweep().await.map_err(OpenError::Unreadable)?;
        let checking = tokio::spawn(check_now_and_then(Arc::downgrade(&inner), options.check_every));
        Ok(Self {
            inner,
            handle: Handle::current(),
            checking,
        })
    }

    /// Reads the server's settings now, as is done every so often anyway.
    pub async fn check_settings(&self) -> Health {
        let inner = Arc::clone(&self.inner);
        // A task that ends without an answer leaves the condition as it was.
        self.handle.spawn(async move { inner.check().await }).await.ok();
        self.health()
    }

    /// Posts on the board what other servers have done since: a server that calls this every so often refuses and
    /// shows coupons from memory no later than that.
    pub async fn refresh_board(&self) -> Result<(), Failure> {
        let inner = Arc::clone(&self.inner);
        self.handle.spawn(async move { inner.refresh().await }).await?
    }
}

impl Drop for DatabaseLedger {
    fn drop(&mut self) {
        self.checking.abort();
    }
}

async fn check_now_and_then(inner: std::sync::Weak<Inner>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(inner) = inner.upgrade() else { return };
        inner.check().await;
    }
}

/// One transaction's worth.
#[derive(Clone, Copy, Debug)]
enum Work<'w> {
    Issues(&'w Group),
    Command(&'w CommandRequest),
}

/// A transaction with everything written, to be committed.
#[derive(Debug)]
struct Prepared {
    replies: Vec<Reply>,
    /// What to post once it is durable; `None` when nothing was written and the transaction has ended.
    news: Option<(Arc<Coupon>, Option<Reach>)>,
}

impl Inner {
    async fn commit(&self, requests: &mut Vec<Request>) -> Vec<Answer> {
        let mut sessions = self.sessions.lock().await;
        if self.closed.load(Ordering::Acquire) {
            return none(requests, &LedgerError::Unavailable(Reason::Closing));
        }
        if let Some(weak) = self.rules.condition.weak() {
            return none(requests, &unavailable(Failure::Weak(weak)));
        }
        let mut answers: Vec<Option<Answer>> = vec![None; requests.len()];
        for run in runs(requests) {
            self.run(&mut sessions, run, &mut answers).await;
        }
        let unanswered = || Err(LedgerError::Unavailable(Reason::Closing));
        answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(unanswered))
            .collect()
    }

    async fn run(&self, sessions: &mut [Session], run: Run, answers: &mut [Option<Answer>]) {
        match run {
            Run::Issues(groups) => {
                for (places, answered) in self.issue(sessions, groups).await {
                    spread(&places, answered, answers);
                }
            }
            Run::Command(place, request) => {
                let Some(session) = sessions.first_mut() else {
                    return;
                };
                let answered = self.carry_out(session, Work::Command(&request)).await;
                spread(&[place], answered, answers);
            }
            Run::Looks(places, looks) => {
                let Some(session) = sessions.first_mut() else {
                    return;
                };
                let answered = self.look(session, &looks).await;
                spread(&places, answered, answers);
            }
        }
    }

    /// Every group, on as many sessions as there are.
    async fn issue(
        &self,
        sessions: &mut [Session],
        groups: Vec<Group>,
    ) -> Vec<(Vec<usize>, Result<Vec<Reply>, LedgerError>)> {
        let waiting = Mutex::new(VecDeque::from(groups));
        let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let workers = sessions.iter_mut().map(|session| async {
            let mut answered = Vec::new();
            while let Some(group) = next() {
                let replies = self.carry_out(session, Work::Issues(&group)).await;
                answered.push((group.places, replies));
            }
            answered
        });
        futures_util::future::join_all(workers)
            .await
            .into_iter()
            .flatten()
            .collect()
    }

    /// One transaction, tried again within bounds as long as nothing has happened.
    async fn carry_out(&self, session: &mut Session, work: Work<'_>) -> Result<Vec<Reply>, LedgerError> {
        let until = Instant::now() + self.decide_within;
        let mut attempt = 0;
        loop {
            match self.attempt(session, work).await {
                Ok(replies) => return Ok(replies),
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

    async fn attempt(&self, session: &mut Session, work: Work<'_>) -> Result<Vec<Reply>, Trouble> {
        session.open().await.map_err(Trouble::Nothing)?;
        match work {
            Work::Command(request) => {
                let prepared = command::prepare(self, session, request).await;
                self.end(session, prepared).await
            }
            Work::Issues(group) => match &self.contention {
                Contention::RowLock => {
                    let prepared = group.prepare(self, session, Guard::RowLock).await;
                    self.end(session, prepared).await
                }
                Contention::Turns(turns) => self.attempt_in_turn(session, group, turns.as_ref()).await,
            },
        }
    }

    /// Commits what was prepared, and posts it.
    async fn end(
        &self,
        session: &mut Session,
        prepared: Result<Prepared, Failure>,
    ) -> Result<Vec<Reply>, Trouble> {
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(failure) => {
                session.roll_back().await;
                return Err(Trouble::Nothing(failure));
            }
        };
        if let Some((coupon, reach)) = prepared.news {
            match session.commit().await {
                Ended::Committed => self.poster.post(&coupon, reach),
                Ended::Undone(failure) => return Err(Trouble::Nothing(failure)),
                Ended::Unknown(failure) => return Err(Trouble::Perhaps(failure)),
            }
        }
        Ok(prepared.replies)
    }

    async fn look(&self, session: &mut Session, looks: &[Look]) -> Result<Vec<Reply>, LedgerError> {
        let mut attempt = 0;
        loop {
            let seen = match session.open().await {
                Ok(()) => look::look(session, looks).await,
                Err(failure) => Err(failure),
            };
            attempt += 1;
            match seen {
                Ok(seen) => return Ok(seen.into_iter().map(|one| Reply::Look(Box::new(one))).collect()),
                // A look changes nothing, whatever becomes of it.
                Err(failure) if attempt >= limits::MAX_ATTEMPTS || !failure.passes() => {
                    return Err(unavailable(failure));
                }
                Err(_) => tokio::time::sleep(pause(attempt)).await,
            }
        }
    }

    /// Reads the server's settings on a connection of its own.
    async fn check(&self) {
        let condition = &self.rules.condition;
        let checked = async {
            let mut line = Line::new(self.rules.connector.clone());
            let answered = line.ask(settings::questions()).await?;
            let read = settings::read(&answered)?;
            line.close().await;
            Ok::<_, Failure>(read)
        };
        match checked.await {
            // Told by `health`, and by every request that is refused for it.
            Ok(read) => drop(condition.judge(&read, &self.rules.declared)),
            Err(failure) => condition.seen().unreachable = Some(failure.to_string()),
        }
    }

    async fn sweep(&self) -> Result<(), Failure> {
        let mut sessions = self.sessions.lock().await;
        let Some(session) = sessions.first_mut() else {
            return Ok(());
        };
        match session.open().await {
            Ok(()) => session.sweep().await,
            // Not now; it is weak, and says so elsewhere.
            Err(Failure::Weak(_)) => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}

#[async_trait]
impl IssueLedger for DatabaseLedger {
    async fn commit(&self, requests: &mut Vec<Request>, answers: &mut Vec<Answer>) {
        let inner = Arc::clone(&self.inner);
        let mut batch = std::mem::take(requests);
        let count = batch.len();
        let deciding = self.handle.spawn(async move {
            let answers = inner.commit(&mut batch).await;
            (batch, answers)
        });
        match deciding.await {
            Ok((emptied, answered)) => {
                *requests = emptied;
                answers.extend(answered);
            }
            // The runtime was shut down under it, perhaps while COMMIT was on its way.
            Err(lost) => {
                let error = indeterminate(lost.into());
                answers.extend((0..count).map(|_| Err(error.clone())));
            }
        }
    }

    fn health(&self) -> Health {
        if self.inner.closed.load(Ordering::Acquire) {
            return Health::NotReady("the ledger is closed".to_owned());
        }
        let seen = self.inner.rules.condition.seen();
        match (&seen.weak, &seen.unreachable) {
            (Some(weak), _) => Health::NotReady(format!("the database is configured too weakly: {weak}")),
            (None, Some(cause)) => Health::NotReady(format!("the database cannot be asked: {cause}")),
            (None, None) => Health::Ready,
        }
    }

    async fn close(&self) -> Result<(), LedgerError> {
        self.inner.closed.store(true, Ordering::Release);
        self.checking.abort();
        let inner = Arc::clone(&self.inner);
        let closing = self.handle.spawn(async move {
            for session in inner.sessions.lock().await.iter_mut() {
                session.close().await;
            }
        });
        // Everything that was answered is committed; how the connections end makes no difference to that.
        closing.await.map_err(|lost| unavailable(lost.into()))
    }
}
