//! Writing to `issued_coupons`, and to the sums that go with it.

use crate::error::Failure;
use crate::fold::Extent;
use crate::row::{key_bits, packed};
use coupon_app::{IssuedRecord, Reminders};
use coupon_core::{CouponId, Timestamp};
use rusqlite::{CachedStatement, OptionalExtension, Transaction};

/// A block is so many positions: 2^12.
pub(crate) const BLOCK_BITS: u32 = 12;

/// What the application of issues must know of a coupon.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// Its last revision.
    pub(crate) revision: u32,
    /// The highest position that has a row.
    pub(crate) last_position: u32,
    /// Which of its rows are in `holders`.
    pub(crate) extent: Extent,
}

/// The facts of a coupon; `None` when the store does not know it.
pub(crate) fn facts(transaction: &Transaction<'_>, coupon: CouponId) -> Result<Option<Facts>, Failure> {
    let mut statement = transaction.prepare_cached(
        "SELECT revision, last_position, indexed_through, folding_through FROM coupons WHERE id = ?1",
    )?;
    let facts = statement.query_row([coupon.get()], |row| {
        Ok(Facts {
            revision: row.get(0)?,
            last_position: row.get(1)?,
            extent: Extent {
                indexed_through: row.get(2)?,
                folding_through: row.get(3)?,
            },
        })
    });
    Ok(facts.optional()?)
}

/// The hard limit: counts `count` more issues of a coupon, the highest at `position`; says whether the quantity allows
/// them. The embedded store has one epoch, 0.
pub(crate) fn raise(
    transaction: &Transaction<'_>,
    coupon: CouponId,
    count: u32,
    position: u32,
) -> Result<bool, Failure> {
    let mut statement = transaction.prepare_cached(
        "UPDATE coupons SET issued = issued + ?2, last_position = max(last_position, ?3)
         WHERE id = ?1 AND epoch = 0 AND (quantity IS NULL OR issued + ?2 <= quantity)",
    )?;
    Ok(statement.execute((coupon.get(), count, position))? == 1)
}

/// The statement that writes one row; for use many times with [`insert`].
pub(crate) fn insertion<'a>(transaction: &'a Transaction<'_>) -> Result<CachedStatement<'a>, Failure> {
    Ok(transaction.prepare_cached(
        "INSERT INTO issued_coupons (id, user_id, issued_at, expires_at, key_hash, coupon_revision)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?)
}

/// Writes one row.
pub(crate) fn insert(
    statement: &mut CachedStatement<'_>,
    record: &IssuedRecord,
    revision: u32,
) -> Result<(), Failure> {
    statement.execute((
        packed(record.coupon, record.grant.position.get()),
        record.user.as_bytes(),
        record.grant.issued_at.as_micros(),
        record.grant.expires_at.as_micros(),
        key_bits(record.key),
        revision,
    ))?;
    Ok(())
}

/// The sums of one block of positions.
#[derive(Clone, Copy, Debug)]
struct Block {
    number: u32,
    count: u32,
    first_expiry: Timestamp,
    last_expiry: Timestamp,
}

/// The reminders that `reminder_due` of every block was worked out for; `None`: not yet for any.
fn last_reminders(transaction: &Transaction<'_>) -> Result<Option<Reminders>, Failure> {
    let mut statement = transaction.prepare_cached("SELECT reminders FROM meta")?;
    let mut rows = statement.query([])?;
    let row = rows
        .next()?
        .ok_or_else(|| Failure::Damaged("meta is empty".into()))?;
    let name = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
    if name.is_empty() {
        return Ok(None);
    }
    Reminders::named(name)
        .map(Some)
        .map_err(|_not_one| Failure::Damaged(format!("{name} is no list of reminders")))
}

/// Adds new rows of one coupon, in order of position, to the sums of their blocks.
pub(crate) fn add_to_blocks<'a>(
    transaction: &Transaction<'_>,
    coupon: CouponId,
    records: impl Iterator<Item = &'a IssuedRecord>,
) -> Result<(), Failure> {
    let reminders = last_reminders(transaction)?;
    // A block whose first reminder is far away is not to be looked at each time that rows are added to it.
    let reminder_due = |first_expiry: Timestamp| match &reminders {
        Some(reminders) => reminders.none_before(first_expiry).map(Timestamp::as_micros),
        None => Some(0),
    };
    let mut statement = transaction.prepare_cached(
        "INSERT INTO issued_blocks (coupon_id, block, held, unused, first_expiry, last_expiry, expiry_due, reminder_due)
         VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?4, ?6)
         ON CONFLICT (coupon_id, block) DO UPDATE SET
             held = held + excluded.held,
             unused = unused + excluded.unused,
             first_expiry = min(first_expiry, excluded.first_expiry),
             last_expiry = max(last_expiry, excluded.last_expiry),
             expiry_due = min(ifnull(expiry_due, excluded.expiry_due), excluded.expiry_due),
             reminder_due = min(ifnull(reminder_due, excluded.reminder_due), ifnull(excluded.reminder_due, reminder_due))",
    )?;
    let mut write = |block: Block| {
        statement.execute((
            coupon.get(),
            block.number,
            block.count,
            block.first_expiry.as_micros(),
            block.last_expiry.as_micros(),
            reminder_due(block.first_expiry),
        ))
    };
    let mut open: Option<Block> = None;
    for record in records {
        let number = record.grant.position.get() >> BLOCK_BITS;
        let expiry = record.grant.expires_at;
        match &mut open {
            Some(block) if block.number == number => {
                block.count += 1;
                block.first_expiry = block.first_expiry.min(expiry);
                block.last_expiry = block.last_expiry.max(expiry);
            }
            _ => {
                let started = Block {
                    number,
                    count: 1,
                    first_expiry: expiry,
                    last_expiry: expiry,
                };
                if let Some(full) = open.replace(started) {
                    write(full)?;
                }
            }
        }
    }
    if let Some(last) = open {
        write(last)?;
    }
    Ok(())
}

/// Has whoever reminds look through the block of this position from its beginning.
pub(crate) fn look_again(
    transaction: &Transaction<'_>,
    coupon: CouponId,
    position: u32,
) -> Result<(), Failure> {
    transaction
        .prepare_cached("UPDATE issued_blocks SET reminder_due = 0 WHERE coupon_id = ?1 AND block = ?2")?
        .execute((coupon.get(), position >> BLOCK_BITS))?;
    Ok(())
}
