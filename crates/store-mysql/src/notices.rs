//! Notifications as rows: their key, and writing them beside what they tell of.

use crate::error::Failure;
use crate::history;
use crate::row;
use crate::script::Script;
use coupon_app::NotificationId;
use coupon_core::{CouponId, HistoryEntry, IssuedCouponId, Step, Timestamp};
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
        let number = entry.number;
        let id = match entry.step {
            Step::Redeemed { .. } => NotificationId::Redeemed { issued, number },
            Step::Cancelled { .. } => NotificationId::RedemptionCancelled { issued, number },
            Step::Revoked => NotificationId::Revoked(issued),
        };
        Self { id, at: entry.at }
    }
}

/// The columns of the unique key.
struct Key {
    coupon: u32,
    position: u32,
    kind: &'static str,
    detail: u32,
}

fn key(id: NotificationId) -> Key {
    let of = |issued: IssuedCouponId, kind, detail| Key {
        coupon: issued.coupon.get(),
        position: issued.position.get(),
        kind,
        detail,
    };
    match id {
        NotificationId::Issued(issued) => of(issued, "issued", 0),
        NotificationId::Expiring { issued, days } => of(issued, "expiring", u32::from(days)),
        NotificationId::Redeemed { issued, number } => of(issued, "redeemed", number),
        NotificationId::RedemptionCancelled { issued, number } => of(issued, "redemption-cancelled", number),
        NotificationId::Expired(issued) => of(issued, "expired", 0),
        NotificationId::Revoked(issued) => of(issued, "revoked", 0),
        NotificationId::SoldOut { coupon, position } => {
            of(IssuedCouponId { coupon, position }, "sold-out", 0)
        }
    }
}

/// The notification whose key stands in four columns from `column`.
pub(crate) fn id(found: &MySqlRow, column: usize) -> Result<NotificationId, Failure> {
    let issued = history::id(found, column)?;
    let kind = row::text(found, column + 2)?;
    let detail = row::small(found, column + 3)?;
    let wrong = || Failure::Damaged(format!("{kind} {detail} is no notification"));
    Ok(match kind.as_str() {
        "issued" => NotificationId::Issued(issued),
        "expired" => NotificationId::Expired(issued),
        "revoked" => NotificationId::Revoked(issued),
        "sold-out" => NotificationId::SoldOut {
            coupon: issued.coupon,
            position: issued.position,
        },
        "expiring" => NotificationId::Expiring {
            issued,
            days: u16::try_from(detail).map_err(|_out_of_range| wrong())?,
        },
        "redeemed" => NotificationId::Redeemed {
            issued,
            number: detail,
        },
        "redemption-cancelled" => NotificationId::RedemptionCancelled {
            issued,
            number: detail,
        },
        _ => return Err(wrong()),
    })
}

/// Names one by its key, in a condition on the table `n`.
pub(crate) fn named(script: &mut Script, id: NotificationId) {
    let key = key(id);
    script
        .sql("n.coupon_id = ")
        .number(key.coupon)
        .sql(" AND n.position = ")
        .number(key.position)
        .sql(" AND n.kind = '")
        .sql(key.kind)
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
        let key = key(one.id);
        script
            .sql(if index == 0 { "VALUES (" } else { ", (" })
            .number(key.coupon)
            .sql(", ")
            .number(key.position)
            .sql(", '")
            .sql(key.kind)
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
