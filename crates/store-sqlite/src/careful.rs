//! The careful way to apply issues: one by one, telling redeliveries from alarms.

use crate::error::Failure;
use crate::fold::Cursor;
use crate::issued_table::{add_to_blocks, facts, insert, insertion, look_again, raise};
use crate::quarantine::{Suspicion, keep_issued};
use crate::row::packed;
use crate::tail::{Tail, TailRow};
use coupon_app::{IssuedRecord, Seq};
use coupon_core::{CouponId, UserId};
use rusqlite::{OptionalExtension, Transaction};

/// Where the user of a written row is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the tail.
    Tail,
    /// In the tail, of which the fold under way takes this row too and may have gathered without it.
    TailBehindFold,
    /// In the index, because folds have passed the gap that the row fills.
    Index,
}

/// What became of one issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Careful {
    /// It was written.
    Written(TailRow, Place),
    /// The same user has the same position: it was there already.
    Redelivered,
    /// It went to quarantine.
    Quarantined,
}

/// Writes one issue, or finds it written, or keeps it in quarantine.
pub(crate) fn issue(
    transaction: &Transaction<'_>,
    tail: &Tail,
    fresh: &Tail,
    seq: Seq,
    record: &IssuedRecord,
) -> Result<Careful, Failure> {
    let quarantine = |suspicion| {
        keep_issued(transaction, seq, suspicion, record)?;
        Ok(Careful::Quarantined)
    };
    let coupon = record.coupon;
    let position = record.grant.position.get();
    let id = packed(coupon, position);
    match user_at(transaction, id)? {
        Some(user) if user == record.user.as_bytes() => return Ok(Careful::Redelivered),
        Some(_) => return quarantine(Suspicion::PositionTaken),
        None => {}
    }
    let Some(facts) = facts(transaction, coupon)? else {
        return quarantine(Suspicion::UnknownCoupon);
    };
    if holds(transaction, tail, fresh, &record.user, coupon)? {
        return quarantine(Suspicion::AlreadyHeld);
    }
    if !raise(transaction, coupon, 1, position)? {
        return quarantine(Suspicion::QuantityExceeded);
    }
    insert(&mut insertion(transaction)?, record, facts.revision)?;
    add_to_blocks(transaction, coupon, std::iter::once(record))?;
    if position < facts.last_position {
        // A job may be beyond it in the middle of its block.
        look_again(transaction, coupon, position)?;
    }
    let row = TailRow {
        user: tail.hash(&record.user),
        id,
    };
    let extent = facts.extent;
    if position > extent.indexed_through.max(extent.folding_through) {
        return Ok(Careful::Written(row, Place::Tail));
    }
    let cursor = Cursor::read(transaction)?;
    if !extent.has(position, record.user.as_bytes(), coupon.get(), cursor.as_ref()) {
        return Ok(Careful::Written(row, Place::TailBehindFold));
    }
    transaction
        .prepare_cached("INSERT INTO holders (user_id, coupon_id, position) VALUES (?1, ?2, ?3)")?
        .execute((record.user.as_bytes(), coupon.get(), position))?;
    Ok(Careful::Written(row, Place::Index))
}

/// The user of a row, if there is one.
fn user_at(transaction: &Transaction<'_>, id: i64) -> Result<Option<Vec<u8>>, Failure> {
    let mut statement = transaction.prepare_cached("SELECT user_id FROM issued_coupons WHERE id = ?1")?;
    Ok(statement.query_row([id], |row| row.get(0)).optional()?)
}

/// Whether the user holds the coupon, at any position.
fn holds(
    transaction: &Transaction<'_>,
    tail: &Tail,
    fresh: &Tail,
    user: &UserId,
    coupon: CouponId,
) -> Result<bool, Failure> {
    let hash = tail.hash(user);
    let candidates = tail.rows(hash).chain(fresh.rows(hash));
    for row in candidates.filter(|row| row.is_of(coupon)) {
        if user_at(transaction, row.id)?.is_some_and(|other| other == user.as_bytes()) {
            return Ok(true);
        }
    }
    let held: Option<u32> = transaction
        .prepare_cached("SELECT position FROM holders WHERE user_id = ?1 AND coupon_id = ?2")?
        .query_row((user.as_bytes(), coupon.get()), |row| row.get(0))
        .optional()?;
    Ok(held.is_some())
}
