//! The jobs: which there are, and one run of each.

mod deliver;

use crate::job_books::JobBooks;
use crate::limits::{JOB_LEASE, LONGEST_GIVING_WAY};
use crate::persist::Stop;
use coupon_app::{
    Calendar, Channel, Clock, JobBook, JobRun, NotificationOutbox, Passed, Reminders, StoreError,
};
use coupon_core::{Span, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// A job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Job {
    /// Writes down what has expired.
    Expire,
    /// Writes reminders.
    Remind,
    /// Announces issues, and brings notifications to whom they concern.
    Deliver,
}

impl Job {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Expire, Self::Remind, Self::Deliver];

    /// Its name, in the store, in metrics and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expire => "expire",
            Self::Remind => "remind",
            Self::Deliver => "deliver",
        }
    }

    /// The one with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|job| job.name() == name)
    }
}

/// How jobs are run.
#[derive(Clone, Debug)]
pub struct JobSettings {
    /// How often each is, at least in between.
    pub expire_every: Span,
    /// The same of reminders.
    pub remind_every: Span,
    /// The same of deliveries.
    pub deliver_every: Span,
    /// When holders are reminded.
    pub reminders: Reminders,
    /// Rows that are written in one transaction, about.
    pub batch: usize,
    /// How long a notification of which everything is final is kept.
    pub keep: Span,
}

impl JobSettings {
    pub(crate) const fn every(&self, job: Job) -> Span {
        match job {
            Job::Expire => self.expire_every,
            Job::Remind => self.remind_every,
            Job::Deliver => self.deliver_every,
        }
    }
}

/// What jobs work with.
pub struct JobParts {
    /// What the clock makes due.
    pub calendar: Arc<dyn Calendar>,
    /// What is to be told.
    pub outbox: Arc<dyn NotificationOutbox>,
    /// Who runs which job.
    pub book: Arc<dyn JobBook>,
    /// By which notifications are told.
    pub channels: Vec<Arc<dyn Channel>>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// A name that no other living worker has.
    pub owner: String,
    /// How.
    pub settings: JobSettings,
}

/// Runs jobs, each on one worker at a time. Whatever a run is killed at, the next goes on from there: each batch is one
/// transaction, and what is written once is not written again.
///
/// Those that write by the batch take turns: a batch of one and the pause after it are over before the other has its
/// next. Together they so leave the store to issues and redemptions for half of the time, and the disk to the ledger.
pub struct Jobs {
    pub(crate) parts: JobParts,
    pub(crate) books: JobBooks,
    turn: Mutex<()>,
}

impl Jobs {
    /// With these parts.
    pub fn new(parts: JobParts) -> Self {
        Self {
            parts,
            books: JobBooks::new(),
            turn: Mutex::new(()),
        }
    }

    /// What they have done, for metrics.
    pub fn books(&self) -> &JobBooks {
        &self.books
    }

    /// Runs a job once, to the end of what is due or until it is told to stop. `at` is the time that the job takes it to
    /// be, if not the present. `None`: another worker has the job.
    pub async fn run(
        &self,
        job: Job,
        at: Option<Timestamp>,
        stop: &Stop,
    ) -> Result<Option<JobRun>, StoreError> {
        let began_at = self.parts.clock.now();
        let book = self.parts.book.as_ref();
        let owner = &self.parts.owner;
        if !book.take_job(job.name(), owner, began_at, JOB_LEASE).await? {
            return Ok(None);
        }
        let mut run = Run {
            jobs: self,
            job,
            at,
            stop,
            leased_at: began_at,
            done: 0,
        };
        let ended = match job {
            Job::Expire => run.expire().await,
            Job::Remind => run.remind().await,
            Job::Deliver => run.deliver().await,
        };
        let record = JobRun {
            began_at,
            ended_at: self.parts.clock.now(),
            done: run.done,
            error: ended.as_ref().err().map(|error| JobRun::error(error)),
        };
        self.books.ran(job, &record);
        let noted = book.end_job(job.name(), owner, &record).await;
        ended?;
        noted?;
        Ok(Some(record))
    }
}

/// One run.
struct Run<'j> {
    jobs: &'j Jobs,
    job: Job,
    at: Option<Timestamp>,
    stop: &'j Stop,
    /// When the lease was taken or prolonged.
    leased_at: Timestamp,
    done: u64,
}

impl Run<'_> {
    fn parts(&self) -> &JobParts {
        &self.jobs.parts
    }

    /// What time the job takes it to be.
    fn now(&self) -> Timestamp {
        self.at.unwrap_or_else(|| self.parts().clock.now())
    }

    async fn expire(&mut self) -> Result<(), StoreError> {
        let jobs = self.jobs;
        loop {
            let _turn = jobs.turn.lock().await;
            if !self.keep_lease().await? {
                return Ok(());
            }
            let JobParts {
                calendar, settings, ..
            } = &jobs.parts;
            let passed = calendar.expire(self.now(), settings.batch).await?;
            if !self.goes_on(passed).await? {
                return Ok(());
            }
        }
    }

    async fn remind(&mut self) -> Result<(), StoreError> {
        let jobs = self.jobs;
        loop {
            let _turn = jobs.turn.lock().await;
            if !self.keep_lease().await? {
                return Ok(());
            }
            let JobParts {
                calendar, settings, ..
            } = &jobs.parts;
            let reminding = calendar.remind(&settings.reminders, self.now(), settings.batch);
            let passed = reminding.await?;
            if !self.goes_on(passed).await? {
                return Ok(());
            }
        }
    }

    /// After a batch: whether there is another one, after a pause as long as the batch had the store, so that issues and
    /// redemptions find it free at least half of the time. What the batch waited for the store is no reason to rest.
    async fn goes_on(&mut self, passed: Passed) -> Result<bool, StoreError> {
        self.done = self.done.saturating_add(passed.written);
        if !passed.more || *self.stop.borrow() {
            return Ok(false);
        }
        tokio::time::sleep(passed.held.min(LONGEST_GIVING_WAY)).await;
        self.keep_lease().await
    }

    /// Takes the job for longer when half of the lease is over; says whether this worker has it still.
    async fn keep_lease(&mut self) -> Result<bool, StoreError> {
        let now = self.parts().clock.now();
        let half = Span::from_micros(JOB_LEASE.as_micros() / 2).unwrap_or(Span::ZERO);
        if now < self.leased_at.saturating_add(half) {
            return Ok(true);
        }
        let parts = self.parts();
        let has = parts
            .book
            .take_job(self.job.name(), &parts.owner, now, JOB_LEASE)
            .await?;
        self.leased_at = now;
        Ok(has)
    }
}

/// As a time of the runtime; a negative length is none.
pub(crate) fn duration(span: Span) -> Duration {
    Duration::from_micros(span.as_micros().unsigned_abs())
}
