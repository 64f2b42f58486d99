//! What the clock makes due: expiry and reminders, block by block, and the announcement of issues.

use crate::error::Failure;
use crate::issued_table::BLOCK_BITS;
use crate::notices::Teller;
use crate::row::timestamp;
use coupon_app::{NotificationKind, NotificationKinds, Passed, Reminders};
use coupon_core::{CouponId, Reminder, Timestamp, decide_reminder};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::sync::{Mutex, PoisonError};

/// A block that has something due.
struct Block {
    coupon: u32,
    number: u32,
    /// From when it is due.
    due: i64,
    /// The keys of its rows lie between these.
    first: i64,
    last: i64,
    /// Where to begin with them.
    from: i64,
    /// The earliest time that anything before there is due again.
    next: Option<i64>,
}

/// What a visit of a block has come to.
struct Visit {
    /// So many rows were written.
    written: usize,
    /// The earliest time that anything looked at, now or before, is due again.
    next: Option<i64>,
    /// Where to go on, if there was more than there was room for.
    more_from: Option<i64>,
}

/// Where the last pass ran out of room in a block, so that the next one does not look again at what that passed. It only
/// saves work, and stands in memory. Whoever makes anything due that was passed lowers the time of its block, or the end
/// of the block finds it.
#[derive(Debug)]
pub(crate) struct Bookmark {
    coupon: u32,
    number: u32,
    /// From when the block was left due: if it is not so any more, the bookmark is worth nothing.
    due: i64,
    from: i64,
    next: Option<i64>,
}

/// Of both jobs. Taken by whoever holds the writer.
#[derive(Debug, Default)]
pub(crate) struct Bookmarks {
    expiry: Mutex<Option<Bookmark>>,
    reminder: Mutex<Option<Bookmark>>,
}

/// The blocks that are due by `column`, at most one more than `limit` rows can fill.
fn due(
    transaction: &Transaction<'_>,
    column: &str,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Block>, Failure> {
    // A block writes at least one row, or its due time is put right and it does not come again.
    let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut statement = transaction.prepare_cached(&format!(
        "SELECT coupon_id, block, {column} FROM issued_blocks WHERE {column} <= ?1 LIMIT ?2"
    ))?;
    let mut rows = statement.query((now.as_micros(), most))?;
    let mut blocks = Vec::new();
    while let Some(row) = rows.next()? {
        let (coupon, number): (u32, u32) = (row.get(0)?, row.get(1)?);
        let first = i64::from(coupon) << 32 | i64::from(number) << BLOCK_BITS;
        blocks.push(Block {
            coupon,
            number,
            due: row.get(2)?,
            first,
            last: first | ((1 << BLOCK_BITS) - 1),
            from: first,
            next: None,
        });
    }
    Ok(blocks)
}

const UNUSED: &str = "id BETWEEN ?1 AND ?2 AND redeemed_at IS NULL AND revoked_at IS NULL";
/// What somebody may be reminded of.
const USABLE: &str =
    "id BETWEEN ?1 AND ?2 AND redeemed_at IS NULL AND revoked_at IS NULL AND expires_at > ?3";

/// Goes through due blocks until `limit` rows are written, and commits. `visit` writes at most as many rows of a block as
/// it is told.
fn pass(
    connection: &mut Connection,
    column: &str,
    bookmark: &Mutex<Option<Bookmark>>,
    now: Timestamp,
    limit: usize,
    mut visit: impl FnMut(&Transaction<'_>, &Block, usize) -> Result<Visit, Failure>,
) -> Result<Passed, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut blocks = due(&transaction, column, now, limit)?;
    if blocks.is_empty() {
        return Ok(Passed::default());
    }
    let mut bookmark = bookmark.lock().unwrap_or_else(PoisonError::into_inner);
    let mut left_off = None;
    let mut passed = Passed::default();
    let mut room = limit.max(1);
    // Looking costs about as much as writing.
    let most_looks = (limit >> BLOCK_BITS) + 2;
    for (index, block) in blocks.iter_mut().enumerate() {
        if room == 0 || index >= most_looks {
            passed.more = true;
            break;
        }
        if let Some(bookmark) = &*bookmark {
            block.go_on_at(bookmark);
        }
        let visited = visit(&transaction, block, room)?;
        room = room.saturating_sub(visited.written);
        passed.written += u64::try_from(visited.written).unwrap_or(u64::MAX);
        let next = match visited.more_from {
            Some(from) => {
                left_off = Some(Bookmark {
                    coupon: block.coupon,
                    number: block.number,
                    due: now.as_micros(),
                    from,
                    next: visited.next,
                });
                Some(now.as_micros())
            }
            None => visited.next,
        };
        passed.more |= next.is_some_and(|next| next <= now.as_micros());
        transaction
            .prepare_cached(&format!(
                "UPDATE issued_blocks SET {column} = ?3 WHERE coupon_id = ?1 AND block = ?2"
            ))?
            .execute((block.coupon, block.number, next))?;
    }
    passed.more |= blocks.len() > limit;
    transaction.commit()?;
    *bookmark = left_off;
    Ok(passed)
}

impl Block {
    fn go_on_at(&mut self, bookmark: &Bookmark) {
        let known = (bookmark.coupon, bookmark.number, bookmark.due);
        if known == (self.coupon, self.number, self.due) {
            self.from = bookmark.from;
            self.next = bookmark.next;
        }
    }
}

/// Writes down what has expired unused.
pub(crate) fn expire(
    connection: &mut Connection,
    bookmarks: &Bookmarks,
    kinds: NotificationKinds,
    now: Timestamp,
    limit: usize,
) -> Result<Passed, Failure> {
    let tells = kinds.has(NotificationKind::Expired);
    let visit =
        |transaction: &Transaction<'_>, block: &Block, room| expire_in(transaction, block, tells, now, room);
    pass(connection, "expiry_due", &bookmarks.expiry, now, limit, visit)
}

fn expire_in(
    transaction: &Transaction<'_>,
    block: &Block,
    tells: bool,
    now: Timestamp,
    room: usize,
) -> Result<Visit, Failure> {
    let expired = format!("{UNUSED} AND expiry_noted_at IS NULL AND expires_at <= ?3");
    // One more than there is room for, to know whether the block is done.
    let ids: Vec<i64> = transaction
        .prepare_cached(&format!(
            "SELECT id FROM issued_coupons WHERE {expired} ORDER BY id LIMIT ?4"
        ))?
        .query_map(
            (block.from, block.last, now.as_micros(), count(room + 1)),
            |row| row.get(0),
        )?
        .collect::<Result<_, _>>()?;
    let written = ids.len().min(room);
    if let (Some(first), Some(last)) = (ids.first(), ids[..written].last()) {
        let bounds = (first, last, now.as_micros());
        if tells {
            transaction
                .prepare_cached(&format!(
                    "INSERT INTO notifications (subject, kind, detail, at, new_at)
                     SELECT id, 'expired', 0, expires_at, 0 FROM issued_coupons WHERE {expired} ORDER BY id
                     ON CONFLICT (subject, kind, detail) DO NOTHING"
                ))?
                .execute(bounds)?;
        }
        transaction
            .prepare_cached(&format!(
                "UPDATE issued_coupons SET expiry_noted_at = ?3 WHERE {expired}"
            ))?
            .execute(bounds)?;
    }
    if let Some(beyond) = ids.get(room) {
        return Ok(Visit {
            written,
            next: None,
            more_from: Some(*beyond),
        });
    }
    // Of the whole block: what was passed before may be due by now, or have been given back.
    let next: Option<i64> = transaction
        .prepare_cached(&format!(
            "SELECT min(expires_at) FROM issued_coupons WHERE {UNUSED} AND expiry_noted_at IS NULL"
        ))?
        .query_row((block.first, block.last), |row| row.get(0))?;
    Ok(Visit {
        written,
        next,
        more_from: None,
    })
}

/// Writes the reminders that are due.
pub(crate) fn remind(
    connection: &mut Connection,
    bookmarks: &Bookmarks,
    kinds: NotificationKinds,
    reminders: &Reminders,
    now: Timestamp,
    limit: usize,
) -> Result<Passed, Failure> {
    if !kinds.has(NotificationKind::Expiring) {
        return Ok(Passed::default());
    }
    look_again_for(connection, reminders)?;
    let mut teller = Teller::default();
    // Of whom nobody will be reminded any more, whenever it ends.
    let is_done = |reminded: u16| reminders.days().iter().all(|days| *days >= reminded);
    let visit = |transaction: &Transaction<'_>, block: &Block, room: usize| -> Result<Visit, Failure> {
        let coupon = CouponId::new(block.coupon)
            .map_err(|_not_one| Failure::Damaged(format!("{} is no coupon", block.coupon)))?;
        let zone = teller.coupon(transaction, coupon)?.terms.time_zone.clone();
        let mut zoned = reminders.in_zone(&zone);
        let mut rows = transaction.prepare_cached(&format!(
            "SELECT id, issued_at, expires_at, reminded_days FROM issued_coupons WHERE {USABLE} ORDER BY id"
        ))?;
        let mut rows = rows.query((block.from, block.last, now.as_micros()))?;
        let (mut due, mut next, mut more_from) = (Alike::default(), block.next, None);
        while let Some(row) = rows.next()? {
            let reminded: Option<u16> = row.get(3)?;
            if reminded.is_some_and(is_done) {
                due.interrupt();
                continue;
            }
            let expires_at = timestamp(row.get(2)?)?;
            let decided = decide_reminder(
                timestamp(row.get(1)?)?,
                expires_at,
                reminded,
                zoned.of(expires_at).iter().copied(),
                now,
            );
            match decided.due {
                Some(_) if due.count == room => {
                    more_from = Some(row.get(0)?);
                    break;
                }
                Some(one) => due.add(row.get(0)?, expires_at, one),
                None => due.interrupt(),
            }
            if let Some(at) = decided.next.map(Timestamp::as_micros) {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        drop(rows);
        write_reminders(transaction, &due.runs, now)?;
        Ok(Visit {
            written: due.count,
            next,
            more_from,
        })
    };
    pass(connection, "reminder_due", &bookmarks.reminder, now, limit, visit)
}

/// Rows of which the same is to be told, with no other usable row between them: they are written by two statements,
/// which costs a third of two statements for each row.
struct Run {
    first: i64,
    last: i64,
    days: u16,
    /// So many microseconds before its end each reminder is due.
    ahead: i64,
}

/// Gathers runs of rows that come in the order of their keys.
#[derive(Default)]
struct Alike {
    runs: Vec<Run>,
    /// The next row cannot belong to the last run.
    interrupted: bool,
    count: usize,
}

impl Alike {
    fn add(&mut self, id: i64, expires_at: Timestamp, one: Reminder) {
        self.count += 1;
        let (days, ahead) = (one.days, expires_at.as_micros() - one.at.as_micros());
        let interrupted = std::mem::take(&mut self.interrupted);
        match self.runs.last_mut() {
            Some(run) if !interrupted && run.days == days && run.ahead == ahead => run.last = id,
            _ => self.runs.push(Run {
                first: id,
                last: id,
                days,
                ahead,
            }),
        }
    }

    /// There was a row that is not to be written.
    fn interrupt(&mut self) {
        self.interrupted = true;
    }
}

fn write_reminders(transaction: &Transaction<'_>, runs: &[Run], now: Timestamp) -> Result<(), Failure> {
    let mut notify = transaction.prepare_cached(&format!(
        "INSERT INTO notifications (subject, kind, detail, at, new_at)
         SELECT id, 'expiring', ?4, expires_at - ?5, 0 FROM issued_coupons WHERE {USABLE} ORDER BY id
         ON CONFLICT (subject, kind, detail) DO NOTHING"
    ))?;
    let mut mark = transaction.prepare_cached(&format!(
        "UPDATE issued_coupons SET reminded_days = ?4 WHERE {USABLE}"
    ))?;
    let now = now.as_micros();
    for run in runs {
        notify.execute((run.first, run.last, now, run.days, run.ahead))?;
        mark.execute((run.first, run.last, now, run.days))?;
    }
    Ok(())
}

/// When other reminders are asked for than before, every block has to be looked at again.
fn look_again_for(connection: &mut Connection, reminders: &Reminders) -> Result<(), Failure> {
    let name = reminders.name();
    let known: String = connection
        .prepare_cached("SELECT reminders FROM meta")?
        .query_row([], |row| row.get(0))?;
    if known != name {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("UPDATE issued_blocks SET reminder_due = 0", [])?;
        transaction.execute("UPDATE meta SET reminders = ?1", [&name])?;
        transaction.commit()?;
    }
    Ok(())
}

/// Announces issues that have arrived: they stand in the order of their positions, and none comes in between.
pub(crate) fn announce(
    connection: &mut Connection,
    kinds: NotificationKinds,
    limit: usize,
) -> Result<Passed, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let waiting: Vec<(u32, u32, u32)> = transaction
        .prepare_cached(
            "SELECT c.id, ifnull(a.through, 0), c.last_position FROM coupons c
             LEFT JOIN announcements a ON a.coupon_id = c.id WHERE c.last_position > ifnull(a.through, 0) ORDER BY c.id",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    if waiting.is_empty() {
        return Ok(Passed::default());
    }
    let mut passed = Passed::default();
    let limit = u64::try_from(limit.max(1)).unwrap_or(u64::MAX);
    for (coupon, through, last) in waiting {
        let mut end = last;
        if kinds.has(NotificationKind::Issued) {
            let room = limit - passed.written;
            if room == 0 {
                passed.more = true;
                break;
            }
            let reach = u64::from(through).saturating_add(room);
            if reach < u64::from(last) {
                end = u32::try_from(reach).unwrap_or(last);
                passed.more = true;
            }
            let key = |position: u32| i64::from(coupon) << 32 | i64::from(position);
            let written = transaction
                .prepare_cached(
                    "INSERT INTO notifications (subject, kind, detail, at, new_at)
                     SELECT id, 'issued', 0, issued_at, 0 FROM issued_coupons
                     WHERE id > ?1 AND id <= ?2 ORDER BY id ON CONFLICT (subject, kind, detail) DO NOTHING",
                )?
                .execute((key(through), key(end)))?;
            passed.written += u64::try_from(written).unwrap_or(u64::MAX);
        }
        transaction
            .prepare_cached(
                "INSERT INTO announcements (coupon_id, through) VALUES (?1, ?2)
                 ON CONFLICT (coupon_id) DO UPDATE SET through = excluded.through",
            )?
            .execute((coupon, end))?;
        if passed.more {
            break;
        }
    }
    transaction.commit()?;
    Ok(passed)
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
