//! Deliveries that came to nothing: numbered when they are shown, replayed, dismissed.

use crate::error::Failure;
use crate::outbox::{RECORD, count, note_end, record};
use crate::row::sum;
use coupon_app::{FailedDelivery, Remedy};
use coupon_core::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

/// Deliveries that are looked after in one transaction; others write in between.
pub(crate) const AT_ONCE: usize = 1_000;

/// In the very words of the index.
const FAILED: &str = "channel = ?1 AND state IN ('dead', 'undeliverable')";

/// A page of them. Those that nobody has seen yet get their numbers.
pub(crate) fn failed(
    connection: &mut Connection,
    channel: &str,
    after: u64,
    limit: usize,
) -> Result<Vec<FailedDelivery>, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let mut page = shown(&transaction, channel, after, limit)?;
    if page.len() < limit && number(&transaction, channel, after, limit - page.len())? {
        page = shown(&transaction, channel, after, limit)?;
        transaction.commit()?;
    }
    Ok(page)
}

fn shown(
    transaction: &Transaction<'_>,
    channel: &str,
    after: i64,
    limit: usize,
) -> Result<Vec<FailedDelivery>, Failure> {
    let mut statement = transaction.prepare_cached(&format!(
        "SELECT {RECORD}, d.letter FROM notification_deliveries d JOIN notifications n ON n.number = d.notification
         WHERE {FAILED} AND letter > ?2 ORDER BY letter LIMIT ?3"
    ))?;
    let mut rows = statement.query((channel, after, count(limit)))?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        page.push(FailedDelivery {
            letter: sum(row.get(12)?)?,
            record: record(row)?,
        });
    }
    Ok(page)
}

/// Gives so many the next numbers, unless they are to be shown behind a number that nothing has; says whether any got
/// one.
fn number(transaction: &Transaction<'_>, channel: &str, after: i64, limit: usize) -> Result<bool, Failure> {
    let last: i64 = transaction
        .prepare_cached("SELECT last_letter FROM meta")?
        .query_row([], |row| row.get(0))?;
    if after > last {
        return Ok(false);
    }
    let mut statement = transaction.prepare_cached(&format!(
        "SELECT number FROM notification_deliveries WHERE {FAILED} AND letter IS NULL ORDER BY number LIMIT ?2"
    ))?;
    let new = statement.query_map((channel, count(limit)), |row| row.get(0))?;
    let new: Vec<i64> = new.collect::<Result<_, _>>()?;
    let mut give =
        transaction.prepare_cached("UPDATE notification_deliveries SET letter = ?2 WHERE number = ?1")?;
    for (number, letter) in new.iter().zip(last + 1..) {
        give.execute((number, letter))?;
    }
    transaction
        .prepare_cached("UPDATE meta SET last_letter = last_letter + ?1")?
        .execute([count(new.len())])?;
    Ok(!new.is_empty())
}

/// Replays or dismisses those through a number, at most [`AT_ONCE`]; says how many.
pub(crate) fn look_after(
    connection: &mut Connection,
    channel: &str,
    through: u64,
    remedy: Remedy,
    now: Timestamp,
) -> Result<usize, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let due_at = (remedy == Remedy::Replay).then(|| now.as_micros());
    let notifications: Vec<i64> = {
        let mut statement = transaction.prepare_cached(&format!(
            "UPDATE notification_deliveries
             SET state = ?4, letter = NULL, due_at = ?5, attempts = CASE WHEN ?5 IS NULL THEN attempts ELSE 0 END
             WHERE number IN (SELECT number FROM notification_deliveries WHERE {FAILED} AND letter <= ?2
                              ORDER BY letter LIMIT ?3)
             RETURNING notification"
        ))?;
        let through = i64::try_from(through).unwrap_or(i64::MAX);
        let which = (channel, through, count(AT_ONCE), remedy.state().name(), due_at);
        statement
            .query_map(which, |row| row.get(0))?
            .collect::<Result<_, _>>()?
    };
    for notification in &notifications {
        note_end(&transaction, *notification, now)?;
    }
    if !notifications.is_empty() {
        transaction.commit()?;
    }
    Ok(notifications.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::migrate;

    #[test]
    fn failures_are_found_in_order_by_an_index_of_their_own() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        for (wanted, order) in [
            ("letter > 7", "letter"),
            ("letter <= 7", "letter"),
            ("letter IS NULL", "number"),
        ] {
            let sql = format!(
                "EXPLAIN QUERY PLAN SELECT number FROM notification_deliveries WHERE {FAILED} AND {wanted}
                 ORDER BY {order} LIMIT 9"
            );
            let mut statement = connection.prepare(&sql).unwrap();
            let lines = statement.query_map(["mail"], |row| row.get::<_, String>(3));
            let plan: Vec<String> = lines.unwrap().map(Result::unwrap).collect();
            assert!(
                plan[0].contains("notification_deliveries_letters"),
                "{wanted}: {plan:?}"
            );
            assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE")), "{plan:?}");
        }
    }
}
