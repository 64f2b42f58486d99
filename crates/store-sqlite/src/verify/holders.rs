//! The index of users: in order, each once, and the same as the rows that it stands for.

use super::coupon::Kept;
use super::rows::Indexed;
use super::{Difference, Findings};
use crate::error::Failure;
use crate::row::count;
use rusqlite::Connection;
use std::collections::BTreeMap;

/// Holds `holders` against what the indexed rows add up to.
pub(super) fn check(
    snapshot: &Connection,
    coupons: &BTreeMap<u32, Kept>,
    indexed: &Indexed,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let mut found: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    let mut last: Option<(Vec<u8>, u32, u32)> = None;
    let mut statement = snapshot.prepare(
        "SELECT user_id, coupon_id, position FROM holders NOT INDEXED ORDER BY user_id, coupon_id",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let user = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        let (coupon, position) = (count(row.get(1)?)?, count(row.get(2)?)?);
        if let Some((last_user, last_coupon, other)) = &last
            && (last_user.as_slice(), *last_coupon) == (user, coupon)
        {
            findings.add(Difference::IssuedTwice {
                coupon,
                position,
                other: *other,
            });
        }
        let (entries, digest) = found.entry(coupon).or_default();
        *entries += 1;
        *digest = digest.wrapping_add(indexed.digest(user, coupon, position));
        let (last_user, ..) = last.get_or_insert_default();
        last_user.clear();
        last_user.extend_from_slice(user);
        if let Some((_, last_coupon, last_position)) = &mut last {
            (*last_coupon, *last_position) = (coupon, position);
        }
    }
    let numbers: std::collections::BTreeSet<u32> = coupons.keys().chain(found.keys()).copied().collect();
    for coupon in numbers {
        let in_index = found.get(&coupon).copied().unwrap_or_default();
        let in_rows = indexed.of.get(&coupon).copied().unwrap_or_default();
        if in_index != in_rows {
            findings.add(Difference::Holders {
                coupon,
                through: coupons.get(&coupon).map_or(0, |kept| kept.extent.indexed_through),
                indexed: in_index.0,
                rows: in_rows.0,
            });
        }
    }
    Ok(())
}
