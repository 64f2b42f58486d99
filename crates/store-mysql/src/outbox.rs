//! The outbox of notifications: planning, handing out, settling, forgetting.
//!
//! Notifications are locked before their deliveries, in the order of their keys. Whoever hands out passes over what
//! somebody else has locked: it is being handed out.

use crate::audit;
use crate::error::Failure;
use crate::limits;
use crate::notices::{self, IDENTITY, Told};
use crate::query::limit_of;
use crate::row;
use crate::script::Script;
use crate::store::Reader;
use crate::teller;
use crate::transaction::{Transaction, until_done};
use coupon_app::{
    AuditedMatter, DeliveryId, DeliveryRecord, DeliveryState, Notification, Origin, OutboxTally, Plan,
    Recipient, Report, Settled, Taken, Verdict,
};
use coupon_core::{Span, Timestamp};
use sqlx::mysql::MySqlRow;
use std::collections::{BTreeSet, HashMap};

/// Writes numbers of rows into a list.
pub(crate) fn numbers(script: &mut Script, numbers: &[u64]) {
    script.sql(" IN (");
    for (index, number) in numbers.iter().enumerate() {
        script.sql(if index == 0 { "" } else { ", " }).number(*number);
    }
    script.sql(")");
}

/// Takes notifications that nobody has planned.
pub(crate) async fn take_new(
    reader: &Reader,
    now: Timestamp,
    lease: Span,
    limit: usize,
) -> Result<Vec<Notification>, Failure> {
    until_done!(reader, try_take_new(reader, now, lease, limit))
}

async fn try_take_new(
    reader: &Reader,
    now: Timestamp,
    lease: Span,
    limit: usize,
) -> Result<Vec<Notification>, Failure> {
    let mut transaction = Transaction::begin(reader).await?;
    let mut script = Script::new();
    script
        .statement("SELECT ")
        .sql(IDENTITY)
        .sql(", n.number FROM notifications n FORCE INDEX (new_at) WHERE n.new_at <= ")
        .number(now.as_micros())
        .sql(" ORDER BY n.new_at, n.number LIMIT ")
        .number(limit_of(limit))
        .sql(" FOR UPDATE SKIP LOCKED");
    let found = transaction.ask_one(script).await?.rows;
    if found.is_empty() {
        transaction.roll_back().await?;
        return Ok(Vec::new());
    }
    let mut told = Vec::with_capacity(found.len());
    let mut taken = Vec::with_capacity(found.len());
    for found in &found {
        told.push(Told {
            id: notices::id(found, 0)?,
            at: row::timestamp(found, 4)?,
        });
        taken.push(row::unsigned(found, 5)?);
    }
    let notifications = teller::tell(&mut transaction, &told).await?;
    for some in taken.chunks(limits::MAX_NUMBERED) {
        let mut script = Script::new();
        script
            .statement("UPDATE notifications SET new_at = ")
            .number(now.saturating_add(lease).as_micros())
            .sql(" WHERE number");
        numbers(&mut script, some);
        transaction.ask(script).await?;
    }
    transaction.commit().await?;
    Ok(notifications)
}

/// Writes down who is to be told.
pub(crate) async fn plan(reader: &Reader, plans: &[Plan], now: Timestamp) -> Result<(), Failure> {
    let mut plans: Vec<&Plan> = plans.iter().collect();
    // In this order, by whichever worker: so nobody waits in a circle.
    plans.sort_by_key(|plan| plan.notification);
    until_done!(reader, try_plan(reader, &plans, now))
}

async fn try_plan(reader: &Reader, plans: &[&Plan], now: Timestamp) -> Result<(), Failure> {
    let mut transaction = Transaction::begin(reader).await?;
    for some in plans.chunks(limits::MAX_SETTLED) {
        let mut script = Script::new();
        for plan in some {
            script.statement("SELECT n.number FROM notifications n WHERE ");
            notices::named(&mut script, plan.notification);
            script.sql(" AND n.new_at IS NOT NULL FOR UPDATE");
        }
        let locked = transaction.ask(script).await?;
        let mut seen = BTreeSet::new();
        let mut script = Script::new();
        for (plan, answered) in some.iter().zip(&locked) {
            let Some(found) = answered.rows.first() else {
                continue;
            };
            let number = row::unsigned(found, 0)?;
            if !seen.insert(number) {
                continue;
            }
            if script.len() > limits::MAX_SCRIPT_BYTES {
                transaction.ask(std::mem::take(&mut script)).await?;
            }
            write_plan(&mut script, plan, number, now);
        }
        if script.statements() > 0 {
            transaction.ask(script).await?;
        }
    }
    transaction.commit().await
}

fn write_plan(script: &mut Script, plan: &Plan, number: u64, now: Timestamp) {
    let done = plan.deliveries.is_empty().then(|| now.as_micros());
    script
        .statement("UPDATE notifications SET new_at = NULL, done_at = ")
        .optional(done)
        .sql(" WHERE number = ")
        .number(number);
    for some in plan.deliveries.chunks(limits::MAX_INSERT_ROWS) {
        script.statement(
            "INSERT INTO notification_deliveries \
             (notification, channel, recipient, state, attempts, due_at, report) VALUES (",
        );
        for (index, (channel, recipient)) in some.iter().enumerate() {
            script
                .sql(if index == 0 { "" } else { ", (" })
                .number(number)
                .sql(", ")
                .bytes(channel.as_bytes())
                .sql(", ")
                .bytes(recipient.as_str().as_bytes())
                .sql(", 'waiting', 0, ")
                .number(now.as_micros())
                .sql(", '')");
        }
        script.sql(" ON DUPLICATE KEY UPDATE number = notification_deliveries.number");
    }
}

/// Takes deliveries that are due.
pub(crate) async fn take_due(
    reader: &Reader,
    channels: &[String],
    now: Timestamp,
    lease: Span,
    limit: usize,
) -> Result<Vec<Taken>, Failure> {
    if channels.is_empty() {
        return Ok(Vec::new());
    }
    until_done!(reader, try_take_due(reader, channels, now, lease, limit))
}

async fn try_take_due(
    reader: &Reader,
    channels: &[String],
    now: Timestamp,
    lease: Span,
    limit: usize,
) -> Result<Vec<Taken>, Failure> {
    let mut transaction = Transaction::begin(reader).await?;
    let mut script = Script::new();
    script
        .statement(
            "SELECT number, notification, channel, recipient, attempts \
             FROM notification_deliveries FORCE INDEX (due_at) WHERE due_at <= ",
        )
        .number(now.as_micros())
        .sql(" AND channel IN (");
    for (index, channel) in channels.iter().enumerate() {
        script
            .sql(if index == 0 { "" } else { ", " })
            .bytes(channel.as_bytes());
    }
    script
        .sql(") ORDER BY due_at, number LIMIT ")
        .number(limit_of(limit))
        .sql(" FOR UPDATE SKIP LOCKED");
    let found = transaction.ask_one(script).await?.rows;
    if found.is_empty() {
        transaction.roll_back().await?;
        return Ok(Vec::new());
    }
    let told = told_of(&mut transaction, &found).await?;
    let notifications = teller::tell(&mut transaction, &told).await?;
    let (mut taken, mut leased) = (Vec::new(), Vec::new());
    for ((found, told), notification) in found.iter().zip(told).zip(notifications) {
        leased.push(row::unsigned(found, 0)?);
        taken.push(Taken {
            delivery: DeliveryId {
                notification: told.id,
                channel: row::text(found, 2)?.into(),
                recipient: recipient(found, 3)?,
            },
            attempt: row::small(found, 4)?.saturating_add(1),
            notification,
        });
    }
    for some in leased.chunks(limits::MAX_NUMBERED) {
        let mut script = Script::new();
        script
            .statement("UPDATE notification_deliveries SET attempts = attempts + 1, due_at = ")
            .number(now.saturating_add(lease).as_micros())
            .sql(" WHERE number");
        numbers(&mut script, some);
        transaction.ask(script).await?;
    }
    transaction.commit().await?;
    Ok(taken)
}

/// The notifications of deliveries, whose numbers stand in the second column, in their order.
async fn told_of(transaction: &mut Transaction, found: &[MySqlRow]) -> Result<Vec<Told>, Failure> {
    let wanted: Vec<u64> = found
        .iter()
        .map(|found| row::unsigned(found, 1))
        .collect::<Result<_, _>>()?;
    let mut known = HashMap::new();
    for some in wanted.chunks(limits::MAX_NUMBERED) {
        let mut script = Script::new();
        script
            .statement("SELECT ")
            .sql(IDENTITY)
            .sql(", n.number FROM notifications n WHERE n.number");
        numbers(&mut script, some);
        for found in &transaction.ask_one(script).await?.rows {
            let told = Told {
                id: notices::id(found, 0)?,
                at: row::timestamp(found, 4)?,
            };
            known.insert(row::unsigned(found, 5)?, told);
        }
    }
    let missing = |number: &u64| Failure::Damaged(format!("the notification {number} of a delivery"));
    wanted
        .iter()
        .map(|number| known.get(number).copied().ok_or_else(|| missing(number)))
        .collect()
}

fn recipient(found: &MySqlRow, column: usize) -> Result<Recipient, Failure> {
    Recipient::parse(row::text(found, column)?)
        .map_err(|_not_one| Failure::Damaged("a recipient that cannot be one".to_owned()))
}

/// Writes down what became of attempts.
pub(crate) async fn settle(reader: &Reader, settled: &[Settled], now: Timestamp) -> Result<(), Failure> {
    let mut settled: Vec<&Settled> = settled.iter().collect();
    settled.sort_by_key(|one| one.delivery.notification);
    until_done!(reader, try_settle(reader, &settled, now))
}

async fn try_settle(reader: &Reader, settled: &[&Settled], now: Timestamp) -> Result<(), Failure> {
    let mut transaction = Transaction::begin(reader).await?;
    for some in settled.chunks(limits::MAX_SETTLED) {
        let mut script = Script::new();
        for one in some {
            script.statement("SELECT n.number FROM notifications n WHERE ");
            notices::named(&mut script, one.delivery.notification);
            script.sql(" FOR UPDATE");
        }
        let locked = transaction.ask(script).await?;
        let mut script = Script::new();
        for (one, answered) in some.iter().zip(&locked) {
            if let Some(found) = answered.rows.first() {
                write_verdict(&mut script, one, row::unsigned(found, 0)?, now);
            }
        }
        if script.statements() > 0 {
            transaction.ask(script).await?;
        }
    }
    transaction.commit().await
}

fn write_verdict(script: &mut Script, one: &Settled, notification: u64, now: Timestamp) {
    let due_at = match one.verdict {
        Verdict::Again(at) => Some(at.as_micros()),
        Verdict::Delivered | Verdict::Dead | Verdict::Undeliverable => None,
    };
    script
        .statement("UPDATE notification_deliveries SET state = '")
        .sql(one.verdict.state().name())
        .sql("', due_at = ")
        .optional(due_at)
        .sql(", status = ")
        .optional(one.report.status)
        .sql(", report = ")
        .text(&one.report.text);
    which(script, notification, &one.delivery);
    script.sql(" AND state = 'waiting'");
    if one.verdict != Verdict::Delivered {
        script.sql(" AND attempts = ").number(one.attempt);
    }
    if due_at.is_none() {
        // The notification is locked: nobody settles another of its deliveries meanwhile.
        script
            .statement("UPDATE notifications SET done_at = ")
            .number(now.as_micros())
            .sql(" WHERE number = ")
            .number(notification)
            .sql(
                " AND new_at IS NULL AND done_at IS NULL AND NOT EXISTS (SELECT 1 FROM notification_deliveries d \
                 WHERE d.state IN ('waiting', 'dead', 'undeliverable') AND d.notification = ",
            )
            .number(notification)
            .sql(")");
    }
}

/// Names a delivery, in a condition.
fn which(script: &mut Script, notification: u64, delivery: &DeliveryId) {
    script
        .sql(" WHERE notification = ")
        .number(notification)
        .sql(" AND channel = ")
        .bytes(delivery.channel.as_bytes())
        .sql(" AND recipient = ")
        .bytes(delivery.recipient.as_str().as_bytes());
}

/// Has a delivery in a final state tried again.
pub(crate) async fn replay(
    reader: &Reader,
    delivery: &DeliveryId,
    now: Timestamp,
    origin: &Origin,
) -> Result<bool, Failure> {
    until_done!(reader, try_replay(reader, delivery, now, origin))
}

async fn try_replay(
    reader: &Reader,
    delivery: &DeliveryId,
    now: Timestamp,
    origin: &Origin,
) -> Result<bool, Failure> {
    let mut transaction = Transaction::begin(reader).await?;
    let mut script = Script::new();
    script.statement("SELECT n.number FROM notifications n WHERE ");
    notices::named(&mut script, delivery.notification);
    script.sql(" FOR UPDATE");
    let locked = transaction.ask_one(script).await?;
    let Some(found) = locked.rows.first() else {
        transaction.roll_back().await?;
        return Ok(false);
    };
    let number = row::unsigned(found, 0)?;
    let mut script = Script::new();
    script.statement("SELECT state FROM notification_deliveries");
    which(&mut script, number, delivery);
    script.sql(" FOR UPDATE");
    let standing = transaction.ask_one(script).await?;
    let Some(found) = standing.rows.first() else {
        transaction.roll_back().await?;
        return Ok(false);
    };
    let before = row::text(found, 0)?;
    let before = DeliveryState::parse(&before)
        .ok_or_else(|| Failure::Damaged(format!("a delivery whose state is {before:?}")))?;
    let mut script = Script::new();
    script
        .statement(
            "UPDATE notification_deliveries SET state = 'waiting', attempts = 0, letter = NULL, due_at = ",
        )
        .number(now.as_micros());
    which(&mut script, number, delivery);
    script.sql(" AND state <> 'waiting'");
    if transaction.ask_one(script).await?.affected == 0 {
        transaction.roll_back().await?;
        return Ok(false);
    }
    let mut script = Script::new();
    script
        .statement("UPDATE notifications SET done_at = NULL WHERE number = ")
        .number(number);
    let matter = AuditedMatter::of_delivery(delivery, before);
    audit::matter(&mut script, now, origin, &matter)?;
    transaction.ask(script).await?;
    transaction.commit().await?;
    Ok(true)
}

/// A page of deliveries.
pub(crate) async fn deliveries(
    reader: &Reader,
    state: Option<DeliveryState>,
    after: u64,
    limit: usize,
) -> Result<Vec<DeliveryRecord>, Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement("SELECT ")
            .sql(IDENTITY)
            .sql(RECORD)
            .sql(
                " FROM notification_deliveries d JOIN notifications n ON n.number = d.notification \
                 WHERE d.number > ",
            )
            .number(after);
        if let Some(state) = state {
            script.sql(" AND d.state = '").sql(state.name()).sql("'");
        }
        script.sql(" ORDER BY d.number LIMIT ").number(limit_of(limit));
        script
    };
    reader.ask_one(script).await?.rows.iter().map(record).collect()
}

/// The columns that [`record`] reads behind those of [`IDENTITY`].
pub(crate) const RECORD: &str =
    ", d.number, d.channel, d.recipient, d.attempts, d.state, d.due_at, d.status, d.report";

pub(crate) fn record(found: &MySqlRow) -> Result<DeliveryRecord, Failure> {
    let state = row::text(found, 9)?;
    let status = row::optional_unsigned(found, 11)?;
    Ok(DeliveryRecord {
        number: row::unsigned(found, 5)?,
        delivery: DeliveryId {
            notification: notices::id(found, 0)?,
            channel: row::text(found, 6)?.into(),
            recipient: recipient(found, 7)?,
        },
        at: row::timestamp(found, 4)?,
        state: DeliveryState::parse(&state)
            .ok_or_else(|| Failure::Damaged(format!("{state} is no state of a delivery")))?,
        attempts: row::small(found, 8)?,
        due_at: row::optional_timestamp(found, 10)?,
        report: Report {
            status: status
                .map(u16::try_from)
                .transpose()
                .map_err(|_out_of_range| Failure::Damaged("a status of a delivery".to_owned()))?,
            text: row::text(found, 12)?.into(),
        },
    })
}

/// What is in it.
pub(crate) async fn tally(reader: &Reader) -> Result<OutboxTally, Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement("SELECT COUNT(*), MIN(at) FROM notifications WHERE new_at IS NOT NULL")
            .statement(
                "SELECT COUNT(*), MIN(n.at) FROM notification_deliveries d \
                 JOIN notifications n ON n.number = d.notification WHERE d.due_at IS NOT NULL",
            )
            .statement("SELECT COUNT(*), NULL FROM notification_deliveries WHERE state = 'dead'")
            .statement("SELECT COUNT(*), NULL FROM notification_deliveries WHERE state = 'undeliverable'");
        script
    };
    let answered = reader.ask(script).await?;
    let one = |index: usize| {
        let found = answered.get(index).and_then(|one| one.rows.first());
        found.ok_or_else(|| Failure::Damaged("a count without a row".to_owned()))
    };
    let oldest = [
        row::optional_timestamp(one(0)?, 1)?,
        row::optional_timestamp(one(1)?, 1)?,
    ];
    Ok(OutboxTally {
        new: row::unsigned(one(0)?, 0)?,
        waiting: row::unsigned(one(1)?, 0)?,
        oldest: oldest.into_iter().flatten().min(),
        dead: row::unsigned(one(2)?, 0)?,
        undeliverable: row::unsigned(one(3)?, 0)?,
    })
}

/// Removes what has been final for a while.
pub(crate) async fn forget(reader: &Reader, before: Timestamp, limit: usize) -> Result<u64, Failure> {
    until_done!(reader, try_forget(reader, before, limit))
}

async fn try_forget(reader: &Reader, before: Timestamp, limit: usize) -> Result<u64, Failure> {
    let mut transaction = Transaction::begin(reader).await?;
    let mut script = Script::new();
    script
        .statement("SELECT number FROM notifications FORCE INDEX (done_at) WHERE done_at < ")
        .number(before.as_micros())
        .sql(" ORDER BY done_at, number LIMIT ")
        .number(limit_of(limit))
        .sql(" FOR UPDATE SKIP LOCKED");
    let found = transaction.ask_one(script).await?.rows;
    let old: Vec<u64> = found
        .iter()
        .map(|found| row::unsigned(found, 0))
        .collect::<Result<_, _>>()?;
    for some in old.chunks(limits::MAX_NUMBERED) {
        let mut script = Script::new();
        script.statement("DELETE FROM notification_deliveries WHERE notification");
        numbers(&mut script, some);
        script.statement("DELETE FROM notifications WHERE number");
        numbers(&mut script, some);
        transaction.ask(script).await?;
    }
    transaction.commit().await?;
    Ok(u64::try_from(old.len()).unwrap_or(u64::MAX))
}
