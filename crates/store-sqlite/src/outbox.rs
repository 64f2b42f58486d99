//! The outbox of notifications: planning, handing out, settling, forgetting.

use crate::audit;
use crate::error::Failure;
use crate::notices::{IDENTITY, Teller, id, key};
use crate::row::{optional_timestamp, sum, timestamp};
use coupon_app::{
    AuditedMatter, DeliveryId, DeliveryRecord, DeliveryState, Notification, Origin, OutboxTally, Plan,
    Recipient, Report, Settled, Taken, Verdict,
};
use coupon_core::{Span, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params_from_iter};

/// Takes notifications that nobody has planned.
pub(crate) fn take_new(
    connection: &mut Connection,
    now: Timestamp,
    lease: Span,
    limit: usize,
) -> Result<Vec<Notification>, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut taken = Vec::new();
    {
        let mut statement = transaction.prepare_cached(&format!(
            "SELECT n.number, {IDENTITY} FROM notifications n WHERE n.new_at <= ?1 ORDER BY n.new_at, n.number LIMIT ?2"
        ))?;
        let mut rows = statement.query((now.as_micros(), count(limit)))?;
        let mut numbers = Vec::new();
        let mut teller = Teller::default();
        while let Some(row) = rows.next()? {
            numbers.push(row.get::<_, i64>(0)?);
            let id = id(
                row.get(1)?,
                row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?,
                row.get(3)?,
            )?;
            taken.push(teller.tell(&transaction, id, row.get(4)?)?);
        }
        let until = now.saturating_add(lease).as_micros();
        let mut lease =
            transaction.prepare_cached("UPDATE notifications SET new_at = ?2 WHERE number = ?1")?;
        for number in numbers {
            lease.execute((number, until))?;
        }
    }
    if taken.is_empty() {
        transaction.rollback()?;
    } else {
        transaction.commit()?;
    }
    Ok(taken)
}

/// Writes down who is to be told.
pub(crate) fn plan(connection: &mut Connection, plans: &[Plan], now: Timestamp) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for plan in plans {
        let number: Option<i64> = transaction
            .prepare_cached(
                "UPDATE notifications SET new_at = NULL, done_at = CASE WHEN ?5 THEN ?4 END
                 WHERE subject = ?1 AND kind = ?2 AND detail = ?3 AND new_at IS NOT NULL RETURNING number",
            )?
            .query_row(
                {
                    let (subject, kind, detail) = key(plan.notification);
                    (subject, kind, detail, now.as_micros(), plan.deliveries.is_empty())
                },
                |row| row.get(0),
            )
            .optional()?;
        let Some(number) = number else { continue };
        let mut statement = transaction.prepare_cached(
            "INSERT INTO notification_deliveries (notification, channel, recipient, state, attempts, due_at, report)
             VALUES (?1, ?2, ?3, 'waiting', 0, ?4, '') ON CONFLICT (notification, channel, recipient) DO NOTHING",
        )?;
        for (channel, recipient) in &plan.deliveries {
            statement.execute((number, &**channel, recipient.as_str(), now.as_micros()))?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Takes deliveries that are due.
pub(crate) fn take_due(
    connection: &mut Connection,
    channels: &[String],
    now: Timestamp,
    lease: Span,
    limit: usize,
) -> Result<Vec<Taken>, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut taken = Vec::new();
    {
        let marks = vec!["?"; channels.len()].join(", ");
        let mut statement = transaction.prepare_cached(&format!(
            "SELECT d.number, {IDENTITY}, d.channel, d.recipient, d.attempts
             FROM notification_deliveries d JOIN notifications n ON n.number = d.notification
             WHERE d.due_at <= ? AND d.channel IN ({marks}) ORDER BY d.due_at, d.number LIMIT ?"
        ))?;
        let mut values = vec![Value::from(now.as_micros())];
        values.extend(channels.iter().cloned().map(Value::from));
        values.push(Value::from(count(limit)));
        let mut rows = statement.query(params_from_iter(values))?;
        let mut numbers = Vec::new();
        let mut teller = Teller::default();
        while let Some(row) = rows.next()? {
            numbers.push(row.get::<_, i64>(0)?);
            let delivery = delivery(row, 1)?;
            taken.push(Taken {
                notification: teller.tell(&transaction, delivery.notification, row.get(4)?)?,
                delivery,
                attempt: row.get::<_, u32>(7)?.saturating_add(1),
            });
        }
        let until = now.saturating_add(lease).as_micros();
        let mut lease = transaction.prepare_cached(
            "UPDATE notification_deliveries SET attempts = ?3, due_at = ?2 WHERE number = ?1",
        )?;
        for (number, taken) in numbers.into_iter().zip(&taken) {
            lease.execute((number, until, taken.attempt))?;
        }
    }
    if taken.is_empty() {
        transaction.rollback()?;
    } else {
        transaction.commit()?;
    }
    Ok(taken)
}

/// Writes down what became of attempts.
pub(crate) fn settle(
    connection: &mut Connection,
    settled: &[Settled],
    now: Timestamp,
) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for one in settled {
        let Some((number, notification)) = find(&transaction, &one.delivery)? else {
            continue;
        };
        let due_at = match one.verdict {
            Verdict::Again(at) => Some(at.as_micros()),
            Verdict::Delivered | Verdict::Dead | Verdict::Undeliverable => None,
        };
        let changed = transaction
            .prepare_cached(
                "UPDATE notification_deliveries SET state = ?2, due_at = ?3, status = ?4, report = ?5
                 WHERE number = ?1 AND state = 'waiting' AND (attempts = ?6 OR ?2 = 'delivered')",
            )?
            .execute((
                number,
                one.verdict.state().name(),
                due_at,
                one.report.status,
                &*one.report.text,
                one.attempt,
            ))?;
        if changed == 1 && due_at.is_none() {
            note_end(&transaction, notification, now)?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Notes that nothing of a notification is left to be brought or seen, if so.
pub(crate) fn note_end(
    transaction: &Transaction<'_>,
    notification: i64,
    now: Timestamp,
) -> Result<(), Failure> {
    transaction
        .prepare_cached(
            "UPDATE notifications SET done_at = ?2 WHERE number = ?1 AND NOT EXISTS (
                 SELECT 1 FROM notification_deliveries
                 WHERE notification = ?1 AND state IN ('waiting', 'dead', 'undeliverable'))",
        )?
        .execute((notification, now.as_micros()))?;
    Ok(())
}

/// Has a delivery in a final state tried again.
pub(crate) fn replay(
    connection: &mut Connection,
    delivery: &DeliveryId,
    now: Timestamp,
    origin: &Origin,
) -> Result<bool, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Some((number, notification)) = find(&transaction, delivery)? else {
        return Ok(false);
    };
    let before: String = transaction
        .prepare_cached("SELECT state FROM notification_deliveries WHERE number = ?1")?
        .query_row([number], |row| row.get(0))?;
    let before = DeliveryState::parse(&before)
        .ok_or_else(|| Failure::Damaged(format!("a delivery whose state is {before:?}")))?;
    let changed = transaction.execute(
        "UPDATE notification_deliveries SET state = 'waiting', attempts = 0, due_at = ?2, letter = NULL
         WHERE number = ?1 AND state <> 'waiting'",
        (number, now.as_micros()),
    )?;
    transaction.execute(
        "UPDATE notifications SET done_at = NULL WHERE number = ?1",
        [notification],
    )?;
    if changed == 1 {
        let matter = AuditedMatter::of_delivery(delivery, before);
        audit::matter(&transaction, now, origin, &matter)?;
        transaction.commit()?;
    }
    Ok(changed == 1)
}

fn find(transaction: &Transaction<'_>, id: &DeliveryId) -> Result<Option<(i64, i64)>, Failure> {
    let (subject, kind, detail) = key(id.notification);
    let found = transaction
        .prepare_cached(
            "SELECT d.number, n.number FROM notifications n JOIN notification_deliveries d ON d.notification = n.number
             WHERE n.subject = ?1 AND n.kind = ?2 AND n.detail = ?3 AND d.channel = ?4 AND d.recipient = ?5",
        )?
        .query_row((subject, kind, detail, &*id.channel, id.recipient.as_str()), |row| {
            Ok((row.get(0)?, row.get(1)?))
        });
    Ok(found.optional()?)
}

/// A page of deliveries.
pub(crate) fn deliveries(
    connection: &Connection,
    state: Option<DeliveryState>,
    after: u64,
    limit: usize,
) -> Result<Vec<DeliveryRecord>, Failure> {
    let of_state = match state {
        // Word by word, so that the index of failures is found.
        Some(DeliveryState::Dead) => "AND d.state = 'dead'",
        Some(DeliveryState::Undeliverable) => "AND d.state = 'undeliverable'",
        Some(DeliveryState::Waiting) => "AND d.state = 'waiting'",
        Some(DeliveryState::Delivered) => "AND d.state = 'delivered'",
        Some(DeliveryState::Dismissed) => "AND d.state = 'dismissed'",
        None => "",
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {RECORD} FROM notification_deliveries d JOIN notifications n ON n.number = d.notification
         WHERE d.number > ?1 {of_state} ORDER BY d.number LIMIT ?2"
    ))?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let mut rows = statement.query((after, count(limit)))?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        page.push(record(row)?);
    }
    Ok(page)
}

/// The columns that [`record`] reads.
pub(crate) const RECORD: &str =
    "d.number, n.subject, n.kind, n.detail, n.at, d.channel, d.recipient, d.attempts,
     d.state, d.due_at, d.status, d.report";

pub(crate) fn record(row: &Row<'_>) -> Result<DeliveryRecord, Failure> {
    let name = row.get_ref(8)?.as_str().map_err(rusqlite::Error::from)?;
    let state = DeliveryState::parse(name);
    Ok(DeliveryRecord {
        number: sum(row.get(0)?)?,
        delivery: delivery(row, 1)?,
        at: timestamp(row.get(4)?)?,
        state: state.ok_or_else(|| Failure::Damaged(format!("{name} is no state of a delivery")))?,
        attempts: row.get(7)?,
        due_at: optional_timestamp(row.get(9)?)?,
        report: Report {
            status: row.get(10)?,
            text: row.get(11)?,
        },
    })
}

/// A delivery from the columns of [`IDENTITY`], which begin at `first`, and the two after them.
fn delivery(row: &Row<'_>, first: usize) -> Result<DeliveryId, Failure> {
    let kind = row.get_ref(first + 1)?.as_str().map_err(rusqlite::Error::from)?;
    let recipient: Box<str> = row.get(first + 5)?;
    Ok(DeliveryId {
        notification: id(row.get(first)?, kind, row.get(first + 2)?)?,
        channel: row.get(first + 4)?,
        recipient: Recipient::parse(recipient)
            .map_err(|_not_one| Failure::Damaged("a recipient that cannot be one".into()))?,
    })
}

/// What is in it.
pub(crate) fn tally(connection: &Connection) -> Result<OutboxTally, Failure> {
    let (new, oldest_new): (i64, Option<i64>) = connection
        .prepare_cached("SELECT count(*), min(at) FROM notifications WHERE new_at IS NOT NULL")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (waiting, oldest_waiting): (i64, Option<i64>) = connection
        .prepare_cached(
            "SELECT count(*), min(n.at) FROM notification_deliveries d JOIN notifications n ON n.number = d.notification
             WHERE d.due_at IS NOT NULL",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let failed = |state: &str| -> Result<u64, Failure> {
        let sql = format!("SELECT count(*) FROM notification_deliveries WHERE state = '{state}'");
        sum(connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?)
    };
    let oldest = match (oldest_new, oldest_waiting) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    Ok(OutboxTally {
        new: sum(new)?,
        waiting: sum(waiting)?,
        oldest: optional_timestamp(oldest)?,
        dead: failed("dead")?,
        undeliverable: failed("undeliverable")?,
    })
}

/// Removes what has been final for a while.
pub(crate) fn forget(connection: &mut Connection, before: Timestamp, limit: usize) -> Result<u64, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let old = "SELECT number FROM notifications WHERE done_at < ?1 ORDER BY done_at, number LIMIT ?2";
    let bounds = (before.as_micros(), count(limit));
    transaction
        .prepare_cached(&format!(
            "DELETE FROM notification_deliveries WHERE notification IN ({old})"
        ))?
        .execute(bounds)?;
    let gone = transaction
        .prepare_cached(&format!("DELETE FROM notifications WHERE number IN ({old})"))?
        .execute(bounds)?;
    if gone > 0 {
        transaction.commit()?;
    }
    Ok(u64::try_from(gone).unwrap_or(u64::MAX))
}

pub(crate) fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
