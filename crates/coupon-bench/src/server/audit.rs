//! Whether what was answered is what happened.

use super::Admin;
use crate::users;
use anyhow::ensure;
use std::collections::HashSet;

/// Holds a coupon against the load that it had: exactly `issued` users from number `first` on, each once, on positions
/// 1, 2, 3 and so on.
pub(crate) fn audit(admin: &Admin, coupon: u64, first: u64, issued: u64) -> anyhow::Result<()> {
    let counts = admin.counts(coupon)?;
    ensure!(
        counts.issued == issued,
        "{issued} requests were answered with 201, but {} coupons are issued",
        counts.issued
    );
    let mut asked: HashSet<_> = (first..first + issued).map(users::user).collect();
    let mut due = 1;
    admin.each_issued(coupon, |position, user| {
        ensure!(position == due, "position {due} is missing, {position} came");
        due += 1;
        let user = coupon_core::UserId::parse(user)?;
        ensure!(
            asked.remove(&user),
            "position {position} belongs to somebody who did not ask, or has another one"
        );
        Ok(())
    })?;
    ensure!(
        asked.is_empty(),
        "{} users were told 201 and hold nothing",
        asked.len()
    );
    Ok(())
}
