//! The book of jobs.

use crate::error::Failure;
use crate::row::{optional_timestamp, sum, timestamp};
use coupon_app::{JobRecord, JobRun};
use coupon_core::{Span, Timestamp, lease_is_free};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior};

/// Takes a job, or takes it for longer.
pub(crate) fn take(
    connection: &mut Connection,
    name: &str,
    owner: &str,
    now: Timestamp,
    lease: Span,
) -> Result<bool, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let held: Option<(Option<String>, Option<i64>)> = transaction
        .prepare_cached("SELECT owner, leased_until FROM jobs WHERE name = ?1")?
        .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let held = match &held {
        Some((Some(owner), Some(until))) => Some((owner.as_str(), timestamp(*until)?)),
        Some(_) | None => None,
    };
    if !lease_is_free(held, owner, now) {
        return Ok(false);
    }
    transaction
        .prepare_cached(
            "INSERT INTO jobs (name, owner, leased_until) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, leased_until = excluded.leased_until",
        )?
        .execute((name, owner, now.saturating_add(lease).as_micros()))?;
    transaction.commit()?;
    Ok(true)
}

/// Ends a run.
pub(crate) fn end(connection: &Connection, name: &str, owner: &str, run: &JobRun) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "UPDATE jobs SET owner = NULL, leased_until = NULL, began_at = ?3, ended_at = ?4, done = ?5, error = ?6
             WHERE name = ?1 AND owner = ?2",
        )?
        .execute((
            name,
            owner,
            run.began_at.as_micros(),
            run.ended_at.as_micros(),
            i64::try_from(run.done).unwrap_or(i64::MAX),
            run.error.as_deref(),
        ))?;
    Ok(())
}

/// Every job, by name.
pub(crate) fn all(connection: &Connection) -> Result<Vec<JobRecord>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT name, owner, leased_until, began_at, ended_at, done, error FROM jobs ORDER BY name",
    )?;
    let mut rows = statement.query([])?;
    let mut jobs = Vec::new();
    while let Some(row) = rows.next()? {
        jobs.push(record(row)?);
    }
    Ok(jobs)
}

fn record(row: &Row<'_>) -> Result<JobRecord, Failure> {
    let lease = match (
        row.get::<_, Option<Box<str>>>(1)?,
        optional_timestamp(row.get(2)?)?,
    ) {
        (Some(owner), Some(until)) => Some((owner, until)),
        (None, _) | (_, None) => None,
    };
    let last = match (optional_timestamp(row.get(3)?)?, optional_timestamp(row.get(4)?)?) {
        (Some(began_at), Some(ended_at)) => Some(JobRun {
            began_at,
            ended_at,
            done: sum(row.get::<_, Option<i64>>(5)?.unwrap_or(0))?,
            error: row.get(6)?,
        }),
        (None, _) | (_, None) => None,
    };
    Ok(JobRecord {
        name: row.get(0)?,
        lease,
        last,
    })
}
