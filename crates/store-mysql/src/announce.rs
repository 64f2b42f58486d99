//! The announcement of issues: the row of an issued coupon is its own notification until a cursor has passed it.

use crate::error::Failure;
use crate::history;
use crate::limits;
use crate::notices::{self, Told};
use crate::row;
use crate::script::Script;
use crate::store::Reader;
use crate::transaction::{Transaction, Tries};
use coupon_app::{NotificationId, NotificationKind, Passed};
use coupon_core::CouponId;
use coupon_core::limits::MAX_COUPON_ID;
use std::collections::BTreeSet;

/// Announces issues that have arrived, in the order of their positions.
pub(crate) async fn announce(reader: &Reader, limit: usize) -> Result<Passed, Failure> {
    let mut tries = Tries::default();
    loop {
        match try_announce(reader, limit).await {
            Ok(passed) => return Ok(passed),
            Err(failure) => tries.after(reader, failure).await?,
        }
    }
}

async fn try_announce(reader: &Reader, limit: usize) -> Result<Passed, Failure> {
    let waiting = || {
        let mut script = Script::new();
        script
            .statement(
                "SELECT c.id FROM coupons c LEFT JOIN announcements a ON a.coupon_id = c.id \
                 WHERE c.highest_position > COALESCE(a.through, 0) ORDER BY c.id LIMIT ",
            )
            .number(MAX_COUPON_ID);
        script
    };
    let waiting = reader.ask_one(waiting).await?.rows;
    let mut passed = Passed::default();
    if waiting.is_empty() {
        return Ok(passed);
    }
    let enough = u64::try_from(limit.max(1)).unwrap_or(u64::MAX);
    let tells = reader.notifications().has(NotificationKind::Issued);
    let mut transaction = Transaction::begin(reader).await?;
    for found in &waiting {
        let room = enough - passed.written;
        if room == 0 {
            passed.more = true;
            break;
        }
        let coupon = row::coupon_id(found, 0)?;
        let written = announce_some(&mut transaction, coupon, tells, room).await?;
        passed.written += written;
        passed.more |= written == room;
    }
    transaction.commit().await?;
    Ok(passed)
}

/// Announces issues of one coupon. Its cursor is locked until the end.
async fn announce_some(
    transaction: &mut Transaction,
    coupon: CouponId,
    tells: bool,
    room: u64,
) -> Result<u64, Failure> {
    let mut script = Script::new();
    script
        .statement("INSERT INTO announcements (coupon_id, through) VALUES (")
        .number(coupon.get())
        .sql(", 0) ON DUPLICATE KEY UPDATE through = announcements.through")
        .statement(
            "SELECT a.through, c.highest_position, c.closed_through, c.epoch \
             FROM announcements a JOIN coupons c ON c.id = a.coupon_id WHERE a.coupon_id = ",
        )
        .number(coupon.get());
    let answered = transaction.ask_one(script).await?;
    let Some(found) = answered.rows.first() else {
        return Ok(0);
    };
    let (through, highest) = (row::small(found, 0)?, row::small(found, 1)?);
    if !tells {
        move_cursor(transaction, coupon, &[], highest.max(through)).await?;
        return Ok(0);
    }
    let (closed, epoch) = (row::small(found, 2)?, row::small(found, 3)?);
    let mut script = Script::new();
    // Whoever holds the coupon by another position will never hold it by this one. Those that wait for a revision
    // may come out of quarantine, and the number of one from another epoch may be given again.
    script
        .statement("SELECT position FROM quarantine WHERE coupon_id = ")
        .number(coupon.get())
        .sql(" AND epoch = ")
        .number(epoch)
        .sql(" AND reason = 'already-held' AND position > ")
        .number(through)
        .sql(" ORDER BY position LIMIT ")
        .number(limits::HISTORY_PAGE)
        .statement(
            "SELECT coupon_id, position, issued_at FROM issued_coupons FORCE INDEX (PRIMARY) WHERE coupon_id = ",
        )
        .number(coupon.get())
        .sql(" AND position > ")
        .number(through)
        .sql(" ORDER BY position LIMIT ")
        .number(room);
    let answered = transaction.ask(script).await?;
    let mut explained = BTreeSet::new();
    let mut told = Vec::new();
    if let [quarantined, rows] = answered.as_slice() {
        for found in &quarantined.rows {
            explained.insert(row::small(found, 0)?);
        }
        for found in &rows.rows {
            told.push(Told {
                id: NotificationId::Issued(history::id(found, 0)?),
                at: row::timestamp(found, 2)?,
            });
        }
    }
    let positions = told
        .iter()
        .filter_map(|one| Some(one.id.issued_coupon()?.position.get()));
    let (count, reached) = reach(through, closed, &explained, positions);
    told.truncate(count);
    if reached > through {
        move_cursor(transaction, coupon, &told, reached).await?;
    }
    Ok(u64::try_from(told.len()).unwrap_or(u64::MAX))
}

async fn move_cursor(
    transaction: &mut Transaction,
    coupon: CouponId,
    told: &[Told],
    through: u32,
) -> Result<(), Failure> {
    for some in told.chunks(limits::MAX_INSERT_ROWS) {
        let mut script = Script::new();
        notices::insert(&mut script, some);
        transaction.ask(script).await?;
    }
    let mut script = Script::new();
    script
        .statement("UPDATE announcements SET through = ")
        .number(through)
        .sql(" WHERE coupon_id = ")
        .number(coupon.get());
    transaction.ask(script).await.map(drop)
}

/// How many of these positions, which stand in order behind the cursor, it may pass, and where it then is. It stops
/// where a position is missing that may still come: neither closed nor `explained`.
fn reach(
    through: u32,
    closed: u32,
    explained: &BTreeSet<u32>,
    positions: impl Iterator<Item = u32>,
) -> (usize, u32) {
    let (mut count, mut at) = (0, through);
    for position in positions {
        at = at.max(closed.min(position - 1));
        while at + 1 < position {
            if !explained.contains(&(at + 1)) {
                return (count, at);
            }
            at += 1;
        }
        at = position;
        count += 1;
    }
    (count, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_stops_at_a_gap_that_may_still_be_filled() {
        for (through, closed, explained, positions, expected) in [
            (0, 0, vec![], vec![], (0, 0)),
            (0, 0, vec![], vec![1, 2, 3], (3, 3)),
            (3, 0, vec![], vec![4, 6], (1, 4)),
            (3, 0, vec![], vec![5], (0, 3)),
            (3, 4, vec![], vec![5], (1, 5)),
            (3, 4, vec![], vec![6], (0, 4)),
            (3, 9, vec![], vec![5, 8, 11], (2, 9)),
            (3, 0, vec![4, 5], vec![6, 7, 9], (2, 7)),
            (3, 0, vec![4], vec![6], (0, 4)),
            (3, 4, vec![5], vec![6], (1, 6)),
            (9, 4, vec![5], vec![10], (1, 10)),
        ] {
            let explained: BTreeSet<u32> = explained.into_iter().collect();
            let reached = reach(through, closed, &explained, positions.iter().copied());
            assert_eq!(
                reached, expected,
                "{positions:?} behind {through}, closed through {closed}, explained {explained:?}"
            );
        }
    }
}
