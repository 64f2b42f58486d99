//! Applying entries: one transaction for all of them, the applied number in it.

use crate::careful::{self, Careful, Place};
use crate::error::Failure;
use crate::fold::{self, Plan, Step};
use crate::notices::write_sold_out;
use crate::revise::{Revised, prune_tokens, revise};
use crate::row::{seq_column, sum};
use crate::store::SqliteOptions;
use crate::swift::{self, Swift};
use crate::tail::{Tail, TailRow};
use coupon_app::{Applied, Entry, IssuedRecord, NotificationKind, NotificationKinds, Record, Seq};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::sync::{Mutex, PoisonError, RwLock};

/// The tail may be this part of all issued coupons.
const LARGEST_TAIL: u64 = 32;

/// A fold that is under way goes on with each application by so many times the rows that this writes: so it is done
/// before the tail has grown by half.
const FOLDED_FOR_ONE: usize = 2;

/// In a quiet moment a step takes so many times the rows that it takes at least, because each of them costs a sync.
const QUIET_STEPS: usize = 8;

/// What of the index of users is in memory only.
#[derive(Debug)]
pub(crate) struct Unindexed {
    pub(crate) tail: RwLock<Tail>,
    /// What the fold under way has yet to do, as of the last transaction that was committed; `None` when that is to be
    /// found out. Taken by whoever holds the writer.
    plan: Mutex<Option<Plan>>,
}

impl Unindexed {
    pub(crate) fn new(tail: Tail) -> Self {
        Self {
            tail: RwLock::new(tail),
            plan: Mutex::new(None),
        }
    }

    /// Leaves none behind: a transaction that fails makes the next one look again.
    fn take_plan(&self) -> Option<Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What a committed step of the fold has left.
    fn stepped(&self, step: Step) {
        match step {
            Step::Idle => {}
            Step::UnderWay(plan) => {
                *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Some(plan);
            }
            Step::Finished(reach) => {
                let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
                tail.folded(&reach);
            }
        }
    }
}

/// The last applied entry.
pub(crate) fn applied_seq(connection: &Connection) -> Result<Seq, Failure> {
    let seq = connection
        .prepare_cached("SELECT applied_seq FROM meta")?
        .query_row([], |row| row.get(0))?;
    sum(seq)
}

/// Writes entries as `RecordStore::apply` demands.
///
/// First the swift way; when it meets anything that is not new and right, the transaction is undone and everything is
/// gone through carefully. A fold goes a step further. `options` say how long the tail may grow and what is told of. The
/// tail changes after the commit only, and a query that reads it before its own snapshot of the file therefore misses
/// nothing.
pub(crate) fn apply(
    connection: &mut Connection,
    unindexed: &Unindexed,
    options: &SqliteOptions,
    entries: &[Entry],
) -> Result<Applied, Failure> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let applied = applied_seq(&transaction)?;
    let new = new_entries(applied, entries)?;
    let Some(last) = new.last() else {
        return Ok(Applied {
            seq: applied,
            ..Applied::default()
        });
    };
    let mut plan = unindexed.take_plan();
    if refresh(&transaction, &unindexed.tail, applied)? {
        plan = None;
    }
    let known = unindexed.tail.read().unwrap_or_else(PoisonError::into_inner);
    let mut work = Work::new(&known, options.notifications);
    if work.swiftly(&transaction, new)? == Swift::Clash {
        transaction.rollback()?;
        transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if applied_seq(&transaction)? != applied {
            return Err(Failure::Damaged(
                "another process applies entries to this store".into(),
            ));
        }
        work = Work::new(&known, options.notifications);
        work.carefully(&transaction, new)?;
    }
    let Work {
        fresh,
        indexed,
        behind_fold,
        mut done,
        tokens,
        ..
    } = work;
    if tokens {
        prune_tokens(&transaction)?;
    }
    done.seq = last.seq;
    transaction
        .prepare_cached("UPDATE meta SET applied_seq = ?1")?
        .execute([seq_column(last.seq)?])?;
    // In a large index a user has few neighbours, and only more of them at once make a page worth its writing.
    let large = usize::try_from(known.stored / LARGEST_TAIL).unwrap_or(usize::MAX);
    let folds = known.len() + fresh.len() >= options.fold_rows.max(large);
    if behind_fold {
        plan = None;
    }
    let rows = options.fold_step.max(FOLDED_FOR_ONE * fresh.len());
    let step = fold::step(&transaction, plan, folds, rows)?;
    transaction.commit()?;
    drop(known);
    let mut tail = unindexed.tail.write().unwrap_or_else(PoisonError::into_inner);
    for row in indexed {
        tail.note_indexed(row);
    }
    tail.take_in(&fresh);
    tail.stored += done.written;
    tail.applied = last.seq;
    drop(tail);
    unindexed.stepped(step);
    Ok(done)
}

/// Folds in a quiet moment some of what has gathered, if it is `enough` or was begun; says whether there is more to do.
pub(crate) fn settle(
    connection: &mut Connection,
    unindexed: &Unindexed,
    options: &SqliteOptions,
    enough: usize,
) -> Result<bool, Failure> {
    let (applied, length) = {
        let known = unindexed.tail.read().unwrap_or_else(PoisonError::into_inner);
        (known.applied, known.len())
    };
    if length == 0 {
        return Ok(false);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if applied_seq(&transaction)? != applied {
        // Another process has moved the file; the next application reads the tail again.
        return Ok(false);
    }
    let rows = options.fold_step.saturating_mul(QUIET_STEPS);
    let step = fold::step(&transaction, unindexed.take_plan(), length >= enough, rows)?;
    transaction.commit()?;
    let more = matches!(step, Step::UnderWay(_));
    unindexed.stepped(step);
    Ok(more)
}

/// The entries above the applied number, which must be the next ones without a gap.
fn new_entries(applied: Seq, entries: &[Entry]) -> Result<&[Entry], Failure> {
    let first = entries.iter().take_while(|entry| entry.seq <= applied).count();
    let new = &entries[first..];
    for (due, entry) in (applied + 1..).zip(new) {
        if entry.seq != due {
            return Err(Failure::Gap { due, came: entry.seq });
        }
    }
    Ok(new)
}

/// Reads the tail again when the file has moved without this process; says whether it has.
fn refresh(transaction: &Transaction<'_>, tail: &RwLock<Tail>, applied: Seq) -> Result<bool, Failure> {
    let stale = tail.read().unwrap_or_else(PoisonError::into_inner).applied != applied;
    if stale {
        let read = Tail::read(transaction, applied)?;
        *tail.write().unwrap_or_else(PoisonError::into_inner) = read;
    }
    Ok(stale)
}

/// What one transaction has done so far.
struct Work<'a> {
    tail: &'a Tail,
    kinds: NotificationKinds,
    /// The new rows beyond what is indexed.
    fresh: Tail,
    /// The new rows that went straight into the index.
    indexed: Vec<TailRow>,
    /// Whether one was written that the fold under way is to take and may not have seen.
    behind_fold: bool,
    done: Applied,
    tokens: bool,
}

impl<'a> Work<'a> {
    fn new(tail: &'a Tail, kinds: NotificationKinds) -> Self {
        Self {
            tail,
            kinds,
            fresh: tail.emptied(),
            indexed: Vec::new(),
            behind_fold: false,
            done: Applied::default(),
            tokens: false,
        }
    }

    /// Issues between two revisions are written together: a revision may change the quantity.
    fn swiftly(&mut self, transaction: &Transaction<'_>, entries: &[Entry]) -> Result<Swift, Failure> {
        let mut together: Vec<&IssuedRecord> = Vec::new();
        for entry in entries {
            for record in &entry.records {
                match record {
                    Record::Issued(issued) => together.push(issued),
                    Record::Revised(revised) => {
                        if self.issue(transaction, &mut together)? == Swift::Clash {
                            return Ok(Swift::Clash);
                        }
                        self.tokens |= revised.token.is_some();
                        self.count_revision(revise(transaction, entry.seq, revised)?);
                    }
                }
            }
        }
        self.issue(transaction, &mut together)
    }

    fn issue(
        &mut self,
        transaction: &Transaction<'_>,
        together: &mut Vec<&IssuedRecord>,
    ) -> Result<Swift, Failure> {
        let swift = swift::issue(transaction, self.tail, &mut self.fresh, together)?;
        self.done.written += u64::try_from(together.len()).unwrap_or(u64::MAX);
        if swift == Swift::Written {
            // In order of coupon and position since they were written.
            for of_one_coupon in together.chunk_by(|one, other| one.coupon == other.coupon) {
                self.note_sold_out(transaction, of_one_coupon.last())?;
            }
        }
        together.clear();
        Ok(swift)
    }

    fn carefully(&mut self, transaction: &Transaction<'_>, entries: &[Entry]) -> Result<(), Failure> {
        for entry in entries {
            for record in &entry.records {
                match record {
                    Record::Issued(issued) => {
                        let taken_in =
                            careful::issue(transaction, self.tail, &self.fresh, entry.seq, issued)?;
                        match taken_in {
                            Careful::Written(row, place) => {
                                self.note_sold_out(transaction, Some(&issued))?;
                                self.done.written += 1;
                                match place {
                                    Place::Index => self.indexed.push(row),
                                    Place::Tail => self.fresh.insert(row),
                                    Place::TailBehindFold => {
                                        self.behind_fold = true;
                                        self.fresh.insert(row);
                                    }
                                }
                            }
                            Careful::Redelivered => self.done.redelivered += 1,
                            Careful::Quarantined => self.done.quarantined += 1,
                        }
                    }
                    Record::Revised(revised) => {
                        self.tokens |= revised.token.is_some();
                        self.count_revision(revise(transaction, entry.seq, revised)?);
                    }
                }
            }
        }
        Ok(())
    }

    /// Tells of the issue that has taken the last of a quantity.
    fn note_sold_out(
        &self,
        transaction: &Transaction<'_>,
        last: Option<&&IssuedRecord>,
    ) -> Result<(), Failure> {
        match last {
            Some(last) if self.kinds.has(NotificationKind::SoldOut) => {
                write_sold_out(transaction, last.coupon, last.grant.issued_at)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn count_revision(&mut self, revised: Revised) {
        match revised {
            Revised::Kept => {}
            Revised::Quarantined => self.done.quarantined += 1,
        }
    }
}
