//! The swift way to apply issues: everything is expected to be new and right, and is only checked to be so.

use crate::error::Failure;
use crate::issued_table::{Facts, add_to_blocks, facts, insert, insertion, raise};
use crate::row::packed;
use crate::tail::{Tail, TailRow};
use coupon_app::IssuedRecord;
use coupon_core::CouponId;
use rusqlite::{OptionalExtension, Transaction};

/// Whether the swift way came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swift {
    /// Everything was written.
    Written,
    /// Something is there already or does not fit: undo the transaction and go the careful way.
    Clash,
}

/// Writes issues that came together. `fresh` takes the new rows of the tail; it and `tail` have the same hash.
pub(crate) fn issue(
    transaction: &Transaction<'_>,
    tail: &Tail,
    fresh: &mut Tail,
    records: &mut [&IssuedRecord],
) -> Result<Swift, Failure> {
    let place = |record: &&IssuedRecord| (record.coupon, record.grant.position);
    if !records.is_sorted_by_key(place) {
        records.sort_unstable_by_key(place);
    }
    for of_one_coupon in records.chunk_by(|one, other| one.coupon == other.coupon) {
        if issue_one_coupon(transaction, tail, fresh, of_one_coupon)? == Swift::Clash {
            return Ok(Swift::Clash);
        }
    }
    Ok(Swift::Written)
}

fn issue_one_coupon(
    transaction: &Transaction<'_>,
    tail: &Tail,
    fresh: &mut Tail,
    records: &[&IssuedRecord],
) -> Result<Swift, Failure> {
    let (Some(first), Some(last)) = (records.first(), records.last()) else {
        return Ok(Swift::Written);
    };
    let coupon = first.coupon;
    let rising = records.is_sorted_by(|one, next| one.grant.position < next.grant.position);
    let (Some(facts), Ok(count)) = (facts(transaction, coupon)?, u32::try_from(records.len())) else {
        return Ok(Swift::Clash);
    };
    if !rising
        || first.grant.position.get() <= facts.last_position
        || !raise(transaction, coupon, count, last.grant.position.get())?
    {
        return Ok(Swift::Clash);
    }
    let mut suspects: Vec<&[u8]> = Vec::new();
    for record in records {
        let user = tail.hash(&record.user);
        if tail.may_hold(user, coupon) || fresh.may_hold(user, coupon) {
            return Ok(Swift::Clash);
        }
        if facts.extent.has_any() && tail.may_be_indexed(user, coupon) {
            suspects.push(record.user.as_bytes());
        }
        let id = packed(coupon, record.grant.position.get());
        fresh.insert(TailRow { user, id });
    }
    if any_holds(transaction, coupon, suspects)? {
        return Ok(Swift::Clash);
    }
    write(transaction, coupon, facts, records)?;
    Ok(Swift::Written)
}

/// Whether any of these users is in `holders` with this coupon. Asked in the order of its key, so that users on one
/// page are found with one reading of it.
fn any_holds(
    transaction: &Transaction<'_>,
    coupon: CouponId,
    mut users: Vec<&[u8]>,
) -> Result<bool, Failure> {
    users.sort_unstable();
    let mut statement =
        transaction.prepare_cached("SELECT position FROM holders WHERE user_id = ?1 AND coupon_id = ?2")?;
    for user in users {
        let held: Option<u32> = statement
            .query_row((user, coupon.get()), |row| row.get(0))
            .optional()?;
        if held.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn write(
    transaction: &Transaction<'_>,
    coupon: CouponId,
    facts: Facts,
    records: &[&IssuedRecord],
) -> Result<(), Failure> {
    let mut statement = insertion(transaction)?;
    for record in records {
        insert(&mut statement, record, facts.revision)?;
    }
    add_to_blocks(transaction, coupon, records.iter().copied())
}
