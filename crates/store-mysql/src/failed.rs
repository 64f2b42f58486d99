//! Deliveries that came to nothing: numbered when they are shown, replayed, dismissed.

use crate::error::Failure;
use crate::limits;
use crate::notices::{self, IDENTITY};
use crate::outbox::{RECORD, numbers, record};
use crate::query::limit_of;
use crate::row;
use crate::script::Script;
use crate::store::Reader;
use crate::transaction::{Transaction, until_done};
use coupon_app::{FailedDelivery, Remedy};
use coupon_core::Timestamp;
use sqlx::mysql::MySqlRow;

/// The two states of a failure. Each is a range of the index, in order.
const STATES: [&str; 2] = ["dead", "undeliverable"];

/// A page of them. Those that nobody has seen yet get their numbers.
pub(crate) async fn failed(
    reader: &Reader,
    channel: &str,
    after: u64,
    limit: usize,
) -> Result<Vec<FailedDelivery>, Failure> {
    let script = || {
        // First what has no number: what gets one right now is on the page then.
        let mut script = Script::new();
        ask_new(&mut script, channel, 1);
        ask_shown(&mut script, channel, (after, u64::MAX), limit);
        script
    };
    let mut answered = reader.ask(script).await?;
    let page = answered.pop().unwrap_or_default().rows;
    let new = answered.pop().unwrap_or_default().rows;
    if new.is_empty() || page.len() >= limit {
        return page.iter().map(listed).collect();
    }
    until_done!(reader, try_number(reader, channel, after, limit))
}

/// Gives numbers to as many as the page has room for, unless they are to be shown behind a number that nothing has.
/// Whoever gives them holds the counter to the end: what has a smaller number is on the list before.
async fn try_number(
    reader: &Reader,
    channel: &str,
    after: u64,
    limit: usize,
) -> Result<Vec<FailedDelivery>, Failure> {
    let mut transaction = Transaction::begin(reader).await?;
    let mut script = Script::new();
    script.statement("SELECT last_letter FROM meta FOR UPDATE");
    let counter = transaction.ask_one(script).await?.rows;
    let counter = counter
        .first()
        .ok_or_else(|| Failure::Damaged("the table meta is empty".to_owned()))?;
    let last = row::unsigned(counter, 0)?;
    let page = |script: &mut Script| ask_shown(script, channel, (after, u64::MAX), limit);
    let mut script = Script::new();
    page(&mut script);
    let shown = transaction.ask_one(script).await?.rows.len();
    if after <= last && shown < limit {
        let mut script = Script::new();
        ask_new(&mut script, channel, limit - shown);
        let new = transaction.ask_one(script).await?.rows;
        let mut letter = last;
        for some in new.chunks(limits::MAX_SETTLED) {
            let mut script = Script::new();
            for found in some {
                letter += 1;
                script
                    .statement("UPDATE notification_deliveries SET letter = ")
                    .number(letter)
                    .sql(" WHERE state IN ('dead', 'undeliverable') AND letter IS NULL AND number = ")
                    .number(row::unsigned(found, 0)?);
            }
            script.statement("UPDATE meta SET last_letter = ").number(letter);
            transaction.ask(script).await?;
        }
    }
    let mut script = Script::new();
    page(&mut script);
    let found = transaction.ask_one(script).await?.rows;
    transaction.commit().await?;
    found.iter().map(listed).collect()
}

fn listed(found: &MySqlRow) -> Result<FailedDelivery, Failure> {
    Ok(FailedDelivery {
        letter: row::unsigned(found, 13)?,
        record: record(found)?,
    })
}

/// Asks for those with numbers behind the first of the range, through its second.
fn ask_shown(script: &mut Script, channel: &str, range: (u64, u64), limit: usize) {
    let (after, through) = range;
    for (index, state) in STATES.into_iter().enumerate() {
        if index == 0 {
            script.statement("(SELECT ");
        } else {
            script.sql(" UNION ALL (SELECT ");
        }
        script
            .sql(IDENTITY)
            .sql(RECORD)
            .sql(
                ", d.letter FROM notification_deliveries d FORCE INDEX (letters) \
                 JOIN notifications n ON n.number = d.notification WHERE d.state = '",
            )
            .sql(state)
            .sql("' AND d.channel = ")
            .bytes(channel.as_bytes())
            .sql(" AND d.letter > ")
            .number(after)
            .sql(" AND d.letter <= ")
            .number(through)
            .sql(" ORDER BY d.letter LIMIT ")
            .number(limit_of(limit))
            .sql(")");
    }
    script.sql(" ORDER BY letter LIMIT ").number(limit_of(limit));
}

/// Asks for the numbers of those that nobody has seen.
fn ask_new(script: &mut Script, channel: &str, limit: usize) {
    for (index, state) in STATES.into_iter().enumerate() {
        if index == 0 {
            script.statement("(SELECT ");
        } else {
            script.sql(" UNION ALL (SELECT ");
        }
        script
            .sql("number FROM notification_deliveries FORCE INDEX (letters) WHERE state = '")
            .sql(state)
            .sql("' AND channel = ")
            .bytes(channel.as_bytes())
            .sql(" AND letter IS NULL ORDER BY number LIMIT ")
            .number(limit_of(limit))
            .sql(")");
    }
    script.sql(" ORDER BY number LIMIT ").number(limit_of(limit));
}

/// Replays or dismisses those through a number; says how many. If the answer is lost and it is asked again, those of the
/// first time are not counted.
pub(crate) async fn look_after(
    reader: &Reader,
    channel: &str,
    through: u64,
    remedy: Remedy,
    now: Timestamp,
) -> Result<u64, Failure> {
    let mut done = 0;
    while let Some(some) = look_after_some(reader, channel, through, remedy, now).await? {
        done += some;
    }
    Ok(done)
}

async fn look_after_some(
    reader: &Reader,
    channel: &str,
    through: u64,
    remedy: Remedy,
    now: Timestamp,
) -> Result<Option<u64>, Failure> {
    until_done!(reader, try_look_after(reader, channel, through, remedy, now))
}

/// Looks after the first of them; `None` when there are none.
async fn try_look_after(
    reader: &Reader,
    channel: &str,
    through: u64,
    remedy: Remedy,
    now: Timestamp,
) -> Result<Option<u64>, Failure> {
    let mut transaction = Transaction::begin(reader).await?;
    let mut script = Script::new();
    ask_shown(&mut script, channel, (0, through), limits::MAX_NUMBERED);
    let found = transaction.ask_one(script).await?.rows;
    if found.is_empty() {
        transaction.roll_back().await?;
        return Ok(None);
    }
    let found = found.iter().map(listed);
    let mut found: Vec<FailedDelivery> = found.collect::<Result<_, _>>()?;
    // Notifications before their deliveries, in the order of their keys, as everybody locks them.
    found.sort_by_key(|failed| failed.record.delivery.notification);
    let mut notifications = Vec::with_capacity(found.len());
    for some in found.chunks(limits::MAX_SETTLED) {
        let mut script = Script::new();
        for failed in some {
            script.statement("SELECT n.number FROM notifications n WHERE ");
            notices::named(&mut script, failed.record.delivery.notification);
            script.sql(" FOR UPDATE");
        }
        for locked in transaction.ask(script).await? {
            for found in &locked.rows {
                notifications.push(row::unsigned(found, 0)?);
            }
        }
    }
    let deliveries: Vec<u64> = found.iter().map(|failed| failed.record.number).collect();
    let mut script = Script::new();
    script
        .statement("UPDATE notification_deliveries SET state = '")
        .sql(remedy.state().name())
        .sql("', letter = NULL");
    if remedy == Remedy::Replay {
        script.sql(", attempts = 0, due_at = ").number(now.as_micros());
    }
    script.sql(" WHERE number");
    numbers(&mut script, &deliveries);
    // Somebody else may have looked after it before it was locked, and it may have failed again since.
    script
        .sql(" AND state IN ('dead', 'undeliverable') AND letter <= ")
        .number(through);
    let done = transaction.ask_one(script).await?.affected;
    let mut script = Script::new();
    script
        .statement("UPDATE notifications SET done_at = ")
        .optional((remedy == Remedy::Dismiss).then(|| now.as_micros()));
    script.sql(" WHERE number");
    numbers(&mut script, &notifications);
    if remedy == Remedy::Dismiss {
        script.sql(
            " AND new_at IS NULL AND done_at IS NULL AND NOT EXISTS (SELECT 1 FROM notification_deliveries d \
             WHERE d.state IN ('waiting', 'dead', 'undeliverable') AND d.notification = notifications.number)",
        );
    }
    transaction.ask(script).await?;
    transaction.commit().await?;
    Ok(Some(done))
}
