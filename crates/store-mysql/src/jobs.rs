//! The book of jobs.

use crate::error::Failure;
use crate::row;
use crate::script::Script;
use crate::store::Reader;
use crate::transaction::{Transaction, Tries};
use coupon_app::{JobRecord, JobRun};
use coupon_core::{Span, Timestamp, lease_is_free};
use sqlx::mysql::MySqlRow;

/// Takes a job, or takes it for longer.
pub(crate) async fn take(
    reader: &Reader,
    name: &str,
    owner: &str,
    now: Timestamp,
    lease: Span,
) -> Result<bool, Failure> {
    let mut tries = Tries::default();
    loop {
        match try_take(reader, name, owner, now, lease).await {
            Ok(taken) => return Ok(taken),
            Err(failure) => tries.after(reader, failure).await?,
        }
    }
}

async fn try_take(
    reader: &Reader,
    name: &str,
    owner: &str,
    now: Timestamp,
    lease: Span,
) -> Result<bool, Failure> {
    let mut transaction = Transaction::begin(reader).await?;
    let mut script = Script::new();
    script
        .statement("INSERT INTO jobs (name) VALUES (")
        .bytes(name.as_bytes())
        // It locks the row either way.
        .sql(") ON DUPLICATE KEY UPDATE name = jobs.name")
        .statement("SELECT owner, leased_until FROM jobs WHERE name = ")
        .bytes(name.as_bytes())
        .sql(" FOR UPDATE");
    let answered = transaction.ask_one(script).await?;
    let found = answered.rows.first();
    let held = found.map(lease_of).transpose()?.flatten();
    let held = held.as_ref().map(|(owner, until)| (&**owner, *until));
    if !lease_is_free(held, owner, now) {
        transaction.roll_back().await?;
        return Ok(false);
    }
    let mut script = Script::new();
    script
        .statement("UPDATE jobs SET owner = ")
        .bytes(owner.as_bytes())
        .sql(", leased_until = ")
        .number(now.saturating_add(lease).as_micros())
        .sql(" WHERE name = ")
        .bytes(name.as_bytes());
    transaction.ask(script).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Ends a run.
pub(crate) async fn end(reader: &Reader, name: &str, owner: &str, run: &JobRun) -> Result<(), Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement("UPDATE jobs SET owner = NULL, leased_until = NULL, began_at = ")
            .number(run.began_at.as_micros())
            .sql(", ended_at = ")
            .number(run.ended_at.as_micros())
            .sql(", done = ")
            .number(run.done)
            .sql(", error = ")
            .optional_text(run.error.as_deref())
            .sql(" WHERE name = ")
            .bytes(name.as_bytes())
            .sql(" AND owner = ")
            .bytes(owner.as_bytes());
        script
    };
    reader.ask_one(script).await.map(drop)
}

/// Every job, by name.
pub(crate) async fn all(reader: &Reader) -> Result<Vec<JobRecord>, Failure> {
    let script = || {
        let mut script = Script::new();
        script.statement(
            "SELECT owner, leased_until, began_at, ended_at, done, error, name FROM jobs ORDER BY name",
        );
        script
    };
    reader.ask_one(script).await?.rows.iter().map(record).collect()
}

/// Who has it, and until when, in the first two columns.
fn lease_of(found: &MySqlRow) -> Result<Option<(Box<str>, Timestamp)>, Failure> {
    let owner = row::optional_text(found, 0)?;
    Ok(owner.map(Into::into).zip(row::optional_timestamp(found, 1)?))
}

fn record(found: &MySqlRow) -> Result<JobRecord, Failure> {
    let ends = (
        row::optional_timestamp(found, 2)?,
        row::optional_timestamp(found, 3)?,
    );
    let last = match ends {
        (Some(began_at), Some(ended_at)) => Some(JobRun {
            began_at,
            ended_at,
            done: row::optional_unsigned(found, 4)?.unwrap_or(0),
            error: row::optional_text(found, 5)?.map(Into::into),
        }),
        (None, _) | (_, None) => None,
    };
    Ok(JobRecord {
        name: row::text(found, 6)?.into(),
        lease: lease_of(found)?,
        last,
    })
}
