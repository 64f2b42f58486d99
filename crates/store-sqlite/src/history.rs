//! The history of issued coupons: every step, as it was taken.

use crate::error::Failure;
use crate::row::{amount, count, optional_amount, order_id, packed, timestamp, unpacked};
use coupon_core::{Actor, CouponId, HistoryEntry, IssuedCouponId, Order, OrderId, Step, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction};

const COLUMNS: &str = "number, step, at, actor, order_id, order_amount, discount_amount";

/// Writes one step.
pub(crate) fn add(transaction: &Transaction<'_>, id: i64, entry: &HistoryEntry) -> Result<(), Failure> {
    let (name, order, units, discount) = match &entry.step {
        Step::Redeemed { order, discount } => {
            let units = order.amount.get().cast_signed();
            (
                "redeemed",
                Some(&order.id),
                Some(units),
                discount.map(|discount| discount.get().cast_signed()),
            )
        }
        Step::Cancelled { order } => ("cancelled", Some(order), None, None),
        Step::Revoked => ("revoked", None, None, None),
    };
    let actor = match &entry.actor {
        Actor::Holder => None,
        Actor::Key(key) => Some(&**key),
    };
    transaction
        .prepare_cached(&format!(
            "INSERT INTO redemption_history (issued_coupon, {COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
        ))?
        .execute((
            id,
            entry.number,
            name,
            entry.at.as_micros(),
            actor,
            order.map(OrderId::as_str),
            units,
            discount,
        ))?;
    Ok(())
}

/// A page of one history, after entry number `after`.
pub(crate) fn page(
    connection: &Connection,
    id: IssuedCouponId,
    after: u32,
    limit: usize,
) -> Result<Vec<HistoryEntry>, Failure> {
    let mut statement = connection.prepare_cached(&page_sql())?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query((packed(id.coupon, id.position.get()), after, limit))?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        page.push(entry(row)?);
    }
    Ok(page)
}

pub(crate) fn page_sql() -> String {
    format!(
        "SELECT {COLUMNS} FROM redemption_history WHERE issued_coupon = ?1 AND number > ?2 ORDER BY number LIMIT ?3"
    )
}

/// One step; it is damage when it is not there.
pub(crate) fn one(connection: &Connection, id: i64, number: u32) -> Result<HistoryEntry, Failure> {
    let found = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM redemption_history WHERE issued_coupon = ?1 AND number = ?2"
        ))?
        .query_row((id, number), |row| Ok(entry(row)))
        .optional()?;
    found.unwrap_or_else(|| Err(Failure::Damaged(format!("step {number} of row {id} is missing"))))
}

/// When a step was taken.
pub(crate) fn time(connection: &Connection, id: i64, number: u32) -> Result<Timestamp, Failure> {
    let at: Option<i64> = connection
        .prepare_cached("SELECT at FROM redemption_history WHERE issued_coupon = ?1 AND number = ?2")?
        .query_row((id, number), |row| row.get(0))
        .optional()?;
    timestamp(at.ok_or_else(|| Failure::Damaged(format!("step {number} of row {id} is missing")))?)
}

/// Whether a use on this order was ever given back.
pub(crate) fn was_cancelled(connection: &Connection, id: i64, order: &OrderId) -> Result<bool, Failure> {
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM redemption_history
             WHERE issued_coupon = ?1 AND step = 'cancelled' AND order_id = ?2)",
        )?
        .query_row((id, order.as_str()), |row| row.get(0))?)
}

/// When it was revoked, if that was before entry `number`.
pub(crate) fn revoked_before(
    connection: &Connection,
    id: i64,
    number: u32,
) -> Result<Option<Timestamp>, Failure> {
    let at: Option<i64> = connection
        .prepare_cached(
            "SELECT at FROM redemption_history WHERE issued_coupon = ?1 AND number < ?2 AND step = 'revoked'",
        )?
        .query_row((id, number), |row| row.get(0))
        .optional()?;
    at.map(timestamp).transpose()
}

/// Every issued coupon that has a history.
pub(crate) fn for_each(connection: &Connection, take: &mut dyn FnMut(IssuedCouponId)) -> Result<(), Failure> {
    let mut statement =
        connection.prepare("SELECT issued_coupon FROM redemption_history WHERE number = 1")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take(unpacked(row.get(0)?)?);
    }
    Ok(())
}

/// Every coupon of which an issued coupon has a history.
pub(crate) fn used_coupons(connection: &Connection) -> Result<Vec<CouponId>, Failure> {
    let mut statement = connection
        .prepare_cached("SELECT id FROM coupons WHERE redeemed > 0 OR revoked > 0 OR cancelled > 0")?;
    let mut rows = statement.query([])?;
    let mut used = Vec::new();
    while let Some(row) = rows.next()? {
        let id = CouponId::new(count(row.get(0)?)?);
        used.push(id.map_err(|_not_an_id| Failure::Damaged("a coupon id out of range".to_owned()))?);
    }
    Ok(used)
}

fn entry(row: &Row<'_>) -> Result<HistoryEntry, Failure> {
    let number = count(row.get(0)?)?;
    let order = || -> Result<OrderId, Failure> {
        order_id(row.get_ref(4)?)?.ok_or_else(|| Failure::Damaged(format!("step {number} is on no order")))
    };
    let step = match row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)? {
        "redeemed" => Step::Redeemed {
            order: Order {
                id: order()?,
                amount: amount(row.get(5)?)?,
            },
            discount: optional_amount(row.get(6)?)?,
        },
        "cancelled" => Step::Cancelled { order: order()? },
        "revoked" => Step::Revoked,
        other => return Err(Failure::Damaged(format!("{other} is no step"))),
    };
    Ok(HistoryEntry {
        number,
        at: timestamp(row.get(2)?)?,
        actor: row
            .get::<_, Option<Box<str>>>(3)?
            .map_or(Actor::Holder, Actor::Key),
        step,
    })
}
