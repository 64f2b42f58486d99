//! Notifications as rows: their key, and writing them beside what they tell of.

use crate::error::Failure;
use crate::history;
use crate::row;
use crate::script::Script;
use coupon_app::NotificationId;
use coupon_core::{CouponId, HistoryEntry, IssuedCouponId, Timestamp};
use sqlx::mysql::MySqlRow;

/// The columns that [`id`] reads, of the table `n`, with the time after them.
pub(crate) const IDENTITY: &str = "n.coupon_id, n.position, n.kind, n.detail, n.at";

/// A notification and the time of what it tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) id: NotificationId,
    pub(crate) at: Timestamp,
}

impl Told {
    /// What a step of an issued coupon is told as.
    pub(crate) fn of_step(issued: IssuedCouponId, entry: &HistoryEntry) -> Self {
        Self {
            id: NotificationId::of_step(issued, entry),
            at: entry.at,
        }
    }
}

/// The notification whose key stands in four columns from `column`.
pub(crate) fn id(found: &MySqlRow, column: usize) -> Result<NotificationId, Failure> {
    let issued = history::id(found, column)?;
    let kind = row::text(found, column + 2)?;
    let detail = row::small(found, column + 3)?;
    NotificationId::from_key(issued, &kind, detail)
        .map_err(|_no_id| Failure::Damaged(format!("{kind} {detail} is no notification")))
}

/// Names one by its key, in a condition on the table `n`.
pub(crate) fn named(script: &mut Script, id: NotificationId) {
    let key = id.key();
    script
        .sql("n.coupon_id = ")
        .number(key.issued.coupon.get())
        .sql(" AND n.position = ")
        .number(key.issued.position.get())
        .sql(" AND n.kind = '")
        .sql(key.word)
        .sql("' AND n.detail = ")
        .number(key.detail);
}

const INSERT: &str = "INSERT INTO notifications (coupon_id, position, kind, detail, at, new_at) ";
/// One that is there already stays as it is.
const UNLESS_THERE: &str = " ON DUPLICATE KEY UPDATE number = notifications.number";

/// Writes these, at least one, unless they are there. One statement.
pub(crate) fn insert(script: &mut Script, told: &[Told]) {
    script.statement(INSERT);
    for (index, one) in told.iter().enumerate() {
        let key = one.id.key();
        script
            .sql(if index == 0 { "VALUES (" } else { ", (" })
            .number(key.issued.coupon.get())
            .sql(", ")
            .number(key.issued.position.get())
            .sql(", '")
            .sql(key.word)
            .sql("', ")
            .number(key.detail)
            .sql(", ")
            .number(one.at.as_micros())
            .sql(", 0)");
    }
    script.sql(UNLESS_THERE);
}

/// Writes that a coupon, whose row is locked, is sold out, if what was just counted has taken the last.
pub(crate) fn write_sold_out(script: &mut Script, coupon: CouponId) {
    script
        .statement(INSERT)
        .sql(
            "SELECT id, highest_position, 'sold-out', 0, last_issued_at, 0 FROM coupons \
             WHERE issued = quantity AND id = ",
        )
        .number(coupon.get())
        .sql(UNLESS_THERE);
}
