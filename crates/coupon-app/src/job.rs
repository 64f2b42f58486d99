//! The port of jobs: which worker runs one, and what the last run did.

use crate::StoreError;
use async_trait::async_trait;
use coupon_core::{Span, Timestamp};

/// Gives a job to one worker at a time, and keeps what became of it.
///
/// Every implementation MUST keep these, and `contract::notices` examines each:
///
/// 1. **One.** Of all who ask for a job, one has it, until it ends the run or until its lease is over by the clock that
///    the others pass; whoever has it may ask again and has it for longer.
/// 2. **What the lease is not.** Workers' clocks differ, and one may be paused beyond its lease: two may then run a job at
///    once. What jobs write is right all the same (see [`crate::Calendar`] and [`crate::NotificationOutbox`]); the lease
///    only saves work.
/// 3. **Durable** when a method returns.
#[async_trait]
pub trait JobBook: Send + Sync + 'static {
    /// Takes a job for `owner`, or takes it for longer; says whether `owner` has it. A name is 1 to 64 bytes.
    async fn take_job(
        &self,
        name: &str,
        owner: &str,
        now: Timestamp,
        lease: Span,
    ) -> Result<bool, StoreError>;

    /// Ends a run, if `owner` still has it, and keeps its record.
    async fn end_job(&self, name: &str, owner: &str, run: &JobRun) -> Result<(), StoreError>;

    /// Every job that ever ran or was taken, by name.
    async fn jobs(&self) -> Result<Vec<JobRecord>, StoreError>;
}

/// One run of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRun {
    /// When it began, by its worker's clock.
    pub began_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How many things it did.
    pub done: u64,
    /// Why it ended before it was done; at most [`JobRun::MAX_ERROR`] bytes.
    pub error: Option<Box<str>>,
}

impl JobRun {
    /// Most bytes of an error.
    pub const MAX_ERROR: usize = 500;

    /// An error cut to its length, between two characters.
    pub fn error(error: &dyn std::fmt::Display) -> Box<str> {
        let text = error.to_string();
        let mut end = text.len().min(Self::MAX_ERROR);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text[..end].into()
    }
}

/// A job as it is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRecord {
    /// Its name.
    pub name: Box<str>,
    /// Who has it, and until when.
    pub lease: Option<(Box<str>, Timestamp)>,
    /// The last run that ended.
    pub last: Option<JobRun>,
}
