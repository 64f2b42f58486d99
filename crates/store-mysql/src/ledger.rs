//! The ledger of the strategies `database` and `redis-lock`: the database decides, and COMMIT makes durable.
//!
//! A batch is grouped by coupon, and each group is one transaction of three round trips: lock and read, write, commit.
//! Groups of different coupons are carried out beside each other, each on a session of its own. Nothing is answered,
//! refusals neither, but from what was read as committed, and no win before COMMIT has been answered.

mod command;
mod group;
mod look;
mod poster;
mod session;
mod turns;

pub use turns::{NoTurn, Turn, Turns};

use crate::connection::{Connector, pause};
use crate::error::{Failure, OpenError, indeterminate, unavailable};
use crate::script::Script;
use crate::settings::{Declared, Settings, weaknesses};
use crate::{limits, migrations, row, settings};
use async_trait::async_trait;
use coupon_app::{
    Answer, Board, Clock, CommandRequest, Health, IssueLedger, LedgerError, Look, Reason, Reply, Request,
};
use coupon_core::{Coupon, CouponId, Timestamp};
use group::{Group, Guard};
use poster::{Poster, Reach};
use session::{Ended, Session, SessionRules};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    poster: Poster,
    rules: Arc<SessionRules>,
    sessions: tokio::sync::Mutex<Vec<Session>>,
    /// The fencing token of the turn that was last taken for a coupon.
    tokens: Mutex<HashMap<CouponId, (Turn, u64)>>,
    closed: AtomicBool,
}

/// Whether the server is configured strongly enough, as last seen.
#[derive(Debug, Default)]
struct Condition(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// Too weak: nothing is decided.
    weak: Option<String>,
    /// Could not be asked: readiness says so, and whoever tries may be luckier.
    unreachable: Option<String>,
}

impl Condition {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a server says of itself, and refuses one that is too weak.
    fn judge(&self, settings: &Settings, declared: &Declared) -> Result<(), Failure> {
        let weak = weaknesses(settings, declared);
        *self.seen() = Seen {
            weak: weak.clone(),
            unreachable: None,
        };
        weak.map_or(Ok(()), |weak| Err(Failure::Weak(weak)))
    }

    fn weak(&self) -> Option<String> {
        self.seen().weak.clone()
    }
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
            poster: Poster::new(board),
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

/// Why a transaction gave no answer.
enum Trouble {
    /// Nothing happened.
    Nothing(Failure),
    /// It may have.
    Perhaps(Failure),
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

    async fn attempt_in_turn(
        &self,
        session: &mut Session,
        group: &Group,
        turns: &dyn Turns,
    ) -> Result<Vec<Reply>, Trouble> {
        let no_turn = |cause| Trouble::Nothing(Failure::NoTurn(cause));
        let turn = turns.take(group.coupon).await.map_err(no_turn)?;
        let ended = self.attempt_under(session, group, turn).await;
        if matches!(&ended, Err(Trouble::Nothing(Failure::Fenced))) {
            self.tokens().remove(&group.coupon);
            turns.lost(group.coupon, turn).await;
        }
        turns.done(group.coupon, turn).await;
        ended
    }

    async fn attempt_under(
        &self,
        session: &mut Session,
        group: &Group,
        turn: Turn,
    ) -> Result<Vec<Reply>, Trouble> {
        let token = self
            .token(session, group.coupon, turn)
            .await
            .map_err(Trouble::Nothing)?;
        let prepared = group.prepare(self, session, Guard::Token(token)).await;
        let overtaken = matches!(&prepared, Err(Failure::Overtaken(_)));
        let ended = self.end(session, prepared).await;
        if overtaken
            && self
                .is_fenced(session, group.coupon, token)
                .await
                .unwrap_or(false)
        {
            return Err(Trouble::Nothing(Failure::Fenced));
        }
        ended
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<CouponId, (Turn, u64)>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fencing token of a turn: handed out by the database once for each acquisition.
    async fn token(&self, session: &mut Session, coupon: CouponId, turn: Turn) -> Result<u64, Failure> {
        if let Some((taken, token)) = self.tokens().get(&coupon)
            && *taken == turn
        {
            return Ok(*token);
        }
        let mut script = Script::new();
        script
            .statement("UPDATE coupons SET fence_given = LAST_INSERT_ID(fence_given + 1) WHERE id = ")
            .number(coupon.get());
        let answered = session.ask(script).await?;
        let token = answered
            .first()
            .filter(|one| one.affected == 1)
            .map_or(0, |one| one.last_id);
        let mut tokens = self.tokens();
        if tokens.len() >= limits::MAX_REMEMBERED_COUPONS {
            tokens.clear();
        }
        tokens.insert(coupon, (turn, token));
        Ok(token)
    }

    /// Whether a later token than this has written.
    async fn is_fenced(&self, session: &mut Session, coupon: CouponId, token: u64) -> Result<bool, Failure> {
        let mut script = Script::new();
        script
            .statement("SELECT fence FROM coupons WHERE id = ")
            .number(coupon.get());
        let answered = session.ask(script).await?;
        let fence = answered.first().and_then(|one| one.rows.first());
        Ok(fence.map_or(Ok(0), |found| row::unsigned(found, 0))? > token)
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
            let mut line = crate::connection::Line::new(self.rules.connector.clone());
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

    /// Posts every coupon as the database has it, on a connection of its own.
    async fn refresh(&self) -> Result<(), Failure> {
        let mut line = crate::connection::Line::new(self.rules.connector.clone());
        let mut after = 0;
        loop {
            let mut script = Script::new();
            script
                .statement(
                    "SELECT id, revision, issued, first_issued_at, last_issued_at FROM coupons WHERE id > ",
                )
                .number(after)
                .sql(" ORDER BY id LIMIT ")
                .number(limits::BOARD_PAGE);
            let page = line.ask_one(script).await?.rows;
            let Some(last) = page.last() else { break };
            after = row::small(last, 0)?;
            let changed = page
                .iter()
                .map(|found| Ok((row::coupon_id(found, 0)?, row::revision(found, 1)?)));
            let changed: Vec<_> = changed.collect::<Result<_, Failure>>()?;
            let mut script = Script::new();
            script.statement("SELECT coupon FROM coupons WHERE id IN (0");
            for (coupon, _) in changed
                .iter()
                .filter(|(coupon, revision)| self.poster.known_revision(*coupon) < *revision)
            {
                script.sql(", ").number(coupon.get());
            }
            script.sql(")");
            for found in &line.ask_one(script).await?.rows {
                self.poster
                    .post(&Arc::new(row::coupon(&row::text(found, 0)?)?), None);
            }
            for found in &page {
                let Some(coupon) = self.poster.known(row::coupon_id(found, 0)?) else {
                    continue;
                };
                let ends = row::optional_timestamp(found, 3)?.zip(row::optional_timestamp(found, 4)?);
                let issued = row::small(found, 2)?;
                let reach = ends.map(
                    |(first_issued_at, last_issued_at): (Timestamp, Timestamp)| Reach {
                        issued,
                        first_issued_at,
                        last_issued_at,
                    },
                );
                self.poster.post(&coupon, reach);
            }
        }
        line.close().await;
        Ok(())
    }
}

/// Neighbours in a batch that can be decided together.
enum Run {
    Issues(Vec<Group>),
    Command(usize, Box<CommandRequest>),
    Looks(Vec<usize>, Vec<Look>),
}

/// Cuts a batch into runs: a command sees everything before it and nothing after it.
fn runs(requests: &mut Vec<Request>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut group_of: HashMap<CouponId, usize> = HashMap::new();
    for (place, request) in requests.drain(..).enumerate() {
        match request {
            Request::Issue(request) => {
                if !matches!(runs.last(), Some(Run::Issues(_))) {
                    runs.push(Run::Issues(Vec::new()));
                    group_of.clear();
                }
                let Some(Run::Issues(groups)) = runs.last_mut() else {
                    continue;
                };
                let index = *group_of.entry(request.coupon).or_insert_with(|| {
                    groups.push(Group::of(request.coupon));
                    groups.len() - 1
                });
                groups[index].places.push(place);
                groups[index].requests.push(request);
            }
            Request::Command(request) => runs.push(Run::Command(place, request)),
            Request::Look(look) => {
                if !matches!(runs.last(), Some(Run::Looks(..))) {
                    runs.push(Run::Looks(Vec::new(), Vec::new()));
                }
                let Some(Run::Looks(places, looks)) = runs.last_mut() else {
                    continue;
                };
                places.push(place);
                looks.push(*look);
            }
        }
    }
    runs
}

/// Lays the answers of one transaction into their places.
fn spread(places: &[usize], answered: Result<Vec<Reply>, LedgerError>, answers: &mut [Option<Answer>]) {
    match answered {
        Ok(replies) => {
            for (place, reply) in places.iter().zip(replies) {
                answers[*place] = Some(Ok(reply));
            }
        }
        Err(error) => {
            for place in places {
                answers[*place] = Some(Err(error.clone()));
            }
        }
    }
}

/// Nobody is answered.
fn none(requests: &mut Vec<Request>, error: &LedgerError) -> Vec<Answer> {
    requests.drain(..).map(|_request| Err(error.clone())).collect()
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
