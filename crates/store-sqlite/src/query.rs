//! Answers about what has been applied.

use crate::error::Failure;
use crate::row::{ISSUED_COUPON, issued_coupon, packed, sum};
use coupon_app::{StoreTally, WalletFilter};
use coupon_core::{CouponId, IssuedCoupon, IssuedCouponId, Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension};
use std::cmp::Reverse;
use std::collections::HashSet;

/// What a user holds: what `holders` leads to, and the rows of the tail at `recent`, some of which may be another
/// user's or in `holders` meanwhile. All of it is read, because a user holds few; the order has no index.
pub(crate) fn wallet(
    connection: &mut Connection,
    user: &UserId,
    recent: &[i64],
    filter: WalletFilter,
) -> Result<Vec<IssuedCoupon>, Failure> {
    let snapshot = connection.transaction()?;
    let mut held = Vec::new();
    let mut by_user = snapshot.prepare_cached(&wallet_sql())?;
    let mut rows = by_user.query([user.as_bytes()])?;
    while let Some(row) = rows.next()? {
        held.push(issued_coupon(row)?);
    }
    let mut seen: HashSet<CouponId> = held.iter().map(|one| one.coupon).collect();
    let mut by_id = snapshot.prepare_cached(&issued_coupon_sql())?;
    for id in recent {
        let mut rows = by_id.query([id])?;
        if let Some(row) = rows.next()? {
            let one = issued_coupon(row)?;
            if one.user == *user && seen.insert(one.coupon) {
                held.push(one);
            }
        }
    }
    let place = |one: &IssuedCoupon| (one.grant.issued_at, one.coupon);
    held.retain(|one| {
        let asked_state = filter.state.is_none_or(|state| state == one.state(filter.now));
        let asked_page = filter
            .after
            .is_none_or(|after| place(one) < (after.issued_at, after.coupon));
        asked_state && asked_page
    });
    held.sort_unstable_by_key(|one| Reverse(place(one)));
    held.truncate(filter.limit);
    Ok(held)
}

pub(crate) fn wallet_sql() -> String {
    format!(
        "SELECT {ISSUED_COUPON} FROM holders h JOIN issued_coupons i ON i.id = (h.coupon_id << 32) + h.position
         WHERE h.user_id = ?1"
    )
}

/// One issued coupon.
pub(crate) fn one(connection: &Connection, id: IssuedCouponId) -> Result<Option<IssuedCoupon>, Failure> {
    let mut statement = connection.prepare_cached(&issued_coupon_sql())?;
    let mut rows = statement.query([packed(id.coupon, id.position.get())])?;
    match rows.next()? {
        Some(row) => Ok(Some(issued_coupon(row)?)),
        None => Ok(None),
    }
}

pub(crate) fn issued_coupon_sql() -> String {
    format!("SELECT {ISSUED_COUPON} FROM issued_coupons i WHERE i.id = ?1")
}

/// A page of one coupon's issued coupons, by position.
pub(crate) fn page(
    connection: &Connection,
    coupon: CouponId,
    after: u32,
    limit: usize,
) -> Result<Vec<IssuedCoupon>, Failure> {
    let mut statement = connection.prepare_cached(&page_sql())?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query((packed(coupon, after), packed(coupon, u32::MAX), limit))?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        page.push(issued_coupon(row)?);
    }
    Ok(page)
}

pub(crate) fn page_sql() -> String {
    format!(
        "SELECT {ISSUED_COUPON} FROM issued_coupons i WHERE i.id > ?1 AND i.id <= ?2 ORDER BY i.id LIMIT ?3"
    )
}

/// Counts of one coupon: kept sums, and the expired ones by blocks.
pub(crate) fn tally(
    connection: &mut Connection,
    coupon: CouponId,
    now: Timestamp,
) -> Result<StoreTally, Failure> {
    let snapshot = connection.transaction()?;
    let sums = snapshot
        .prepare_cached("SELECT issued, redeemed, revoked, cancelled FROM coupons WHERE id = ?1")?
        .query_row([coupon.get()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((issued, redeemed, revoked, cancelled)) = sums else {
        return Ok(StoreTally::default());
    };
    Ok(StoreTally {
        issued: sum(issued)?,
        redeemed: sum(redeemed)?,
        expired: expired(&snapshot, coupon, now)?,
        revoked: sum(revoked)?,
        cancelled: sum(cancelled)?,
    })
}

/// Blocks that are past as a whole count by their sum. Since what is issued later rarely expires earlier, `now` cuts
/// through one block at a time, and only of such blocks the rows are looked at.
fn expired(snapshot: &Connection, coupon: CouponId, now: Timestamp) -> Result<u64, Failure> {
    let whole: i64 = snapshot
        .prepare_cached(
            "SELECT coalesce(sum(unused), 0) FROM issued_blocks WHERE coupon_id = ?1 AND last_expiry <= ?2",
        )?
        .query_row((coupon.get(), now.as_micros()), |row| row.get(0))?;
    let cut: i64 = snapshot
        .prepare_cached(&cut_sql())?
        .query_row((coupon.get(), now.as_micros()), |row| row.get(0))?;
    Ok(sum(whole)? + sum(cut)?)
}

pub(crate) fn cut_sql() -> String {
    "SELECT count(*) FROM issued_blocks b CROSS JOIN issued_coupons i
     ON i.id BETWEEN (b.coupon_id << 32) + (b.block << 12) AND (b.coupon_id << 32) + (b.block << 12) + 4095
     WHERE b.coupon_id = ?1 AND b.first_expiry <= ?2 AND b.last_expiry > ?2
     AND i.expires_at <= ?2 AND i.redeemed_at IS NULL AND i.revoked_at IS NULL"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::migrate;

    fn plan(sql: &str, parameters: usize) -> Vec<String> {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let parameters = rusqlite::params_from_iter(std::iter::repeat_n(1, parameters));
        let lines = statement
            .query_map(parameters, |row| row.get::<_, String>(3))
            .unwrap();
        lines.map(Result::unwrap).collect()
    }

    #[test]
    fn a_wallet_is_found_by_its_user_and_each_issued_coupon_by_its_key() {
        assert_eq!(
            plan(&wallet_sql(), 1),
            [
                "SEARCH h USING PRIMARY KEY (user_id=?)",
                "SEARCH i USING INTEGER PRIMARY KEY (rowid=?)"
            ]
        );
    }

    #[test]
    fn one_and_a_page_are_found_by_their_key_and_come_in_its_order() {
        assert_eq!(
            plan(&issued_coupon_sql(), 1),
            ["SEARCH i USING INTEGER PRIMARY KEY (rowid=?)"]
        );
        assert_eq!(
            plan(&page_sql(), 3),
            ["SEARCH i USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"]
        );
    }

    #[test]
    fn a_history_is_found_by_its_issued_coupon_and_comes_in_order() {
        assert_eq!(
            plan(&crate::history::further_sql(), 3),
            ["SEARCH redemption_history USING PRIMARY KEY (issued_coupon=? AND number>?)"]
        );
        assert_eq!(
            plan(&crate::history::first_sql(), 1),
            [
                "SEARCH first_steps USING INTEGER PRIMARY KEY (rowid=?)",
                "SCALAR SUBQUERY 1",
                "SEARCH issued_coupons USING INTEGER PRIMARY KEY (rowid=?)"
            ]
        );
    }

    #[test]
    fn expired_ones_are_counted_in_the_blocks_that_now_cuts_through() {
        assert_eq!(
            plan(&cut_sql(), 2),
            [
                "SEARCH b USING PRIMARY KEY (coupon_id=?)",
                "SEARCH i USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"
            ]
        );
    }
}
