//! The fold: brings the users of the tail into the table `holders`, in the order of its key.
//!
//! It goes in steps, each of so few rows that nobody waits long for the writer in between. What is folded and how far
//! it has come stands in the file, so a fold goes on where it was after any crash, and a row is in `holders` exactly
//! when [`Extent::has`] says so. First the rows are gathered and sorted, in runs, and then the runs are merged.
//! These are only in memory: whoever does not have them gathers again what is not folded yet.

use crate::error::Failure;
use crate::row::unpacked;
use coupon_core::IssuedCouponId;
use rusqlite::{OptionalExtension, Transaction};
use std::collections::BTreeMap;

/// While a step folds one row, it can gather so many: a row is read in half a microsecond (record 0011), and folded in
/// several.
const GATHERED_FOR_ONE: usize = 8;

/// How far the fold that is under way has come: of what it takes, everything up to here is in `holders`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cursor {
    user: Vec<u8>,
    coupon: u32,
}

impl Cursor {
    /// That of the fold under way; `None` when none is.
    pub(crate) fn read(connection: &rusqlite::Connection) -> Result<Option<Self>, Failure> {
        let cursor = connection
            .prepare_cached("SELECT user_id, coupon_id FROM fold")?
            .query_row([], |row| {
                Ok(Self {
                    user: row.get(0)?,
                    coupon: row.get(1)?,
                })
            });
        Ok(cursor.optional()?)
    }

    /// Whether a user's row of a coupon that the fold takes is folded already.
    pub(crate) fn has_passed(&self, user: &[u8], coupon: u32) -> bool {
        (user, coupon) <= (self.user.as_slice(), self.coupon)
    }

    fn write(transaction: &Transaction<'_>, user: &[u8], coupon: u32) -> Result<(), Failure> {
        transaction
            .prepare_cached(
                "INSERT INTO fold (only, user_id, coupon_id) VALUES (1, ?1, ?2)
                 ON CONFLICT DO UPDATE SET user_id = excluded.user_id, coupon_id = excluded.coupon_id",
            )?
            .execute((user, coupon))?;
        Ok(())
    }
}

/// Which rows of a coupon are in `holders`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// All up to this position.
    pub(crate) indexed_through: u32,
    /// Beyond them, up to this position, those that a fold has passed; 0 without a fold.
    pub(crate) folding_through: u32,
}

impl Extent {
    /// Whether any row may be in `holders`.
    pub(crate) fn has_any(self) -> bool {
        self.indexed_through > 0 || self.folding_through > 0
    }

    /// Whether the row of this position, which is a user's, is in `holders`; `cursor` is that of the fold under way.
    pub(crate) fn has(self, position: u32, user: &[u8], coupon: u32, cursor: Option<&Cursor>) -> bool {
        let passed = |cursor: &Cursor| cursor.has_passed(user, coupon);
        position <= self.indexed_through || (position <= self.folding_through && cursor.is_some_and(passed))
    }
}

/// How far a fold reached when it was done: coupons, and up to which position each is in `holders` now.
#[derive(Debug)]
pub(crate) struct Reach(BTreeMap<u32, u32>);

impl Reach {
    /// Whether the row of this key was folded.
    pub(crate) fn has(&self, place: IssuedCouponId) -> bool {
        let through = self.0.get(&place.coupon.get());
        through.is_some_and(|through| place.position.get() <= *through)
    }
}

/// What a step has come to.
#[derive(Debug)]
pub(crate) enum Step {
    /// No fold is under way, and none was to begin.
    Idle,
    /// There is more to do.
    UnderWay(Plan),
    /// It was the last one.
    Finished(Reach),
}

/// Takes the fold further by about `rows` rows, as part of `transaction`; `begins` one if none is under way. `plan` is
/// what the step before left, and nobody's if it was not committed.
pub(crate) fn step(
    transaction: &Transaction<'_>,
    plan: Option<Plan>,
    begins: bool,
    rows: usize,
) -> Result<Step, Failure> {
    let cursor = match Cursor::read(transaction)? {
        Some(cursor) => cursor,
        None if begins => begin(transaction)?,
        None => return Ok(Step::Idle),
    };
    let mut plan = match plan {
        Some(plan) => plan,
        None => Plan::read(transaction)?,
    };
    plan.gather(transaction, &cursor, rows.saturating_mul(GATHERED_FOR_ONE))?;
    if plan.has_gathered() {
        plan.merge(transaction, rows)?;
        if plan.runs.is_empty() {
            return Ok(Step::Finished(finish(transaction)?));
        }
    }
    Ok(Step::UnderWay(plan))
}

/// Every row that is not indexed yet is folded from now on.
fn begin(transaction: &Transaction<'_>) -> Result<Cursor, Failure> {
    transaction
        .prepare_cached(
            "UPDATE coupons SET folding_through = last_position WHERE indexed_through < last_position",
        )?
        .execute([])?;
    // Nobody comes before the empty user id.
    let (user, coupon) = (Vec::new(), 0);
    Cursor::write(transaction, &user, coupon)?;
    Ok(Cursor { user, coupon })
}

fn finish(transaction: &Transaction<'_>) -> Result<Reach, Failure> {
    let reach = transaction
        .prepare_cached("SELECT id, folding_through FROM coupons WHERE folding_through > 0")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    transaction
        .prepare_cached(
            "UPDATE coupons SET indexed_through = folding_through, folding_through = 0 WHERE folding_through > 0",
        )?
        .execute([])?;
    transaction.prepare_cached("DELETE FROM fold")?.execute([])?;
    Ok(Reach(reach))
}

/// What a fold has yet to do, in memory.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Keys of rows that were not looked at yet: each range without its first and with its last.
    unread: Vec<(i64, i64)>,
    /// Sorted runs of what was gathered, none of them at its end, in the order of their next rows.
    runs: Vec<Run>,
}

impl Plan {
    fn read(transaction: &Transaction<'_>) -> Result<Self, Failure> {
        let unread = transaction
            .prepare_cached(
                "SELECT (id << 32) + indexed_through, (id << 32) + folding_through FROM coupons
                 WHERE folding_through > 0 ORDER BY id DESC",
            )?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let runs = Vec::new();
        Ok(Self { unread, runs })
    }

    fn has_gathered(&self) -> bool {
        self.unread.is_empty()
    }

    /// Gathers a run of at most `most` rows; those that the cursor has passed count, but are left out.
    fn gather(
        &mut self,
        transaction: &Transaction<'_>,
        cursor: &Cursor,
        mut most: usize,
    ) -> Result<(), Failure> {
        let mut run = Run::default();
        let mut statement = transaction.prepare_cached(
            "SELECT id, user_id FROM issued_coupons WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
        )?;
        while let Some((after, through)) = self.unread.pop() {
            let limit = i64::try_from(most).unwrap_or(i64::MAX);
            let (mut last, mut taken) = (after, 0);
            let mut rows = statement.query((after, through, limit))?;
            while let Some(row) = rows.next()? {
                last = row.get(0)?;
                taken += 1;
                let user = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
                if !cursor.has_passed(user, unpacked(last)?.coupon.get()) {
                    run.push(user, last)?;
                }
            }
            most -= taken;
            if most == 0 {
                self.unread.push((last, through));
                break;
            }
        }
        if run.sort() {
            self.runs.push(run);
            self.runs.rotate_right(1);
            self.settle_first();
        }
        Ok(())
    }

    /// Writes the next `rows` rows of all runs to `holders`, and how far that is.
    ///
    /// A user who stands there twice is damage: the statement fails, and nothing of the transaction stays.
    fn merge(&mut self, transaction: &Transaction<'_>, rows: usize) -> Result<(), Failure> {
        let mut insertion = transaction
            .prepare_cached("INSERT INTO holders (user_id, coupon_id, position) VALUES (?1, ?2, ?3)")?;
        for left in (0..rows).rev() {
            let Some(first) = self.runs.first_mut() else { break };
            let Some((user, id)) = first.next() else { break };
            let id = unpacked(id)?;
            insertion.execute((user, id.coupon.get(), id.position.get()))?;
            if left == 0 {
                Cursor::write(transaction, user, id.coupon.get())?;
            }
            first.done += 1;
            if first.next().is_none() {
                self.runs.remove(0);
            } else {
                self.settle_first();
            }
        }
        Ok(())
    }

    /// Puts the first run, whose next row may be any, where it belongs.
    fn settle_first(&mut self) {
        let Some((first, others)) = self.runs.split_first() else {
            return;
        };
        let before = others.partition_point(|other| other.next() < first.next());
        if let Some(moved) = self.runs.get_mut(..=before) {
            moved.rotate_left(1);
        }
    }
}

/// Some of the rows, in the order of `holders`.
#[derive(Debug, Default)]
struct Run {
    /// User ids, one after the other.
    users: Vec<u8>,
    rows: Vec<RunRow>,
    /// So many rows are written.
    done: usize,
}

/// Where a row's user is among the bytes of its run, and its key.
#[derive(Clone, Copy, Debug)]
struct RunRow {
    start: u32,
    length: u8,
    id: i64,
}

impl Run {
    fn push(&mut self, user: &[u8], id: i64) -> Result<(), Failure> {
        let (Ok(start), Ok(length)) = (u32::try_from(self.users.len()), u8::try_from(user.len())) else {
            return Err(Failure::Damaged("a user id of more than 255 bytes".into()));
        };
        self.users.extend_from_slice(user);
        self.rows.push(RunRow { start, length, id });
        Ok(())
    }

    /// Sorts the rows; says whether there are any. Keys of rows are in the order of their coupons.
    fn sort(&mut self) -> bool {
        let users = std::mem::take(&mut self.users);
        self.rows
            .sort_unstable_by(|one, other| (one.user(&users), one.id).cmp(&(other.user(&users), other.id)));
        self.users = users;
        !self.rows.is_empty()
    }

    /// The next row: its user and its key. `None` at the end.
    fn next(&self) -> Option<(&[u8], i64)> {
        let row = self.rows.get(self.done)?;
        Some((row.user(&self.users), row.id))
    }
}

impl RunRow {
    fn user(self, users: &[u8]) -> &[u8] {
        let start = self.start as usize;
        users
            .get(start..start + usize::from(self.length))
            .unwrap_or_default()
    }
}
