//! The history of issued coupons: every step, as it was taken.

use crate::error::Failure;
use crate::row::{amount, count, optional_amount, order_id, packed, sum, timestamp, unpacked};
use coupon_core::{Actor, CouponId, HistoryEntry, IssuedCouponId, Order, OrderId, Step, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction};

const COLUMNS: &str = "step, at, actor, order_id, order_amount, discount_amount";

/// Appends the first step of an issued coupon. Returns what the issued coupon has to keep to find it.
pub(crate) fn begin(transaction: &Transaction<'_>, id: i64, entry: &HistoryEntry) -> Result<i64, Failure> {
    let (name, at, actor, order, units, discount) = columns(entry);
    transaction
        .prepare_cached(&format!(
            "INSERT INTO first_steps (issued_coupon, {COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
        ))?
        .execute((id, name, at, actor, order, units, discount))?;
    Ok(transaction.last_insert_rowid())
}

/// Writes a further step.
pub(crate) fn add(transaction: &Transaction<'_>, id: i64, entry: &HistoryEntry) -> Result<(), Failure> {
    let (name, at, actor, order, units, discount) = columns(entry);
    transaction
        .prepare_cached(&format!(
            "INSERT INTO redemption_history (issued_coupon, number, {COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
        ))?
        .execute((id, entry.number, name, at, actor, order, units, discount))?;
    Ok(())
}

/// What a step comes to in [`COLUMNS`].
type Columns<'e> = (
    &'static str,
    i64,
    Option<&'e str>,
    Option<&'e str>,
    Option<i64>,
    Option<i64>,
);

fn columns(entry: &HistoryEntry) -> Columns<'_> {
    let (name, order, units, discount) = match &entry.step {
        Step::Redeemed { order, discount } => {
            let units = order.amount.get().cast_signed();
            let discount = discount.map(|discount| discount.get().cast_signed());
            ("redeemed", Some(&order.id), Some(units), discount)
        }
        Step::Cancelled { order } => ("cancelled", Some(order), None, None),
        Step::Revoked => ("revoked", None, None, None),
    };
    let actor = match &entry.actor {
        Actor::Holder => None,
        Actor::Key(key) => Some(&**key),
    };
    let at = entry.at.as_micros();
    (name, at, actor, order.map(OrderId::as_str), units, discount)
}

/// A page of one history, after entry number `after`, from one snapshot.
pub(crate) fn page(
    snapshot: &Connection,
    id: IssuedCouponId,
    after: u32,
    limit: usize,
) -> Result<Vec<HistoryEntry>, Failure> {
    let mut page = Vec::new();
    if after == 0 && limit > 0 {
        page.extend(first(snapshot, packed(id.coupon, id.position.get()))?);
    }
    let left = limit - page.len();
    page.append(&mut further(snapshot, id, after, left)?);
    Ok(page)
}

/// The part of such a page that stands in `redemption_history`: all of it in formats in which no first step is appended.
pub(crate) fn further(
    connection: &Connection,
    id: IssuedCouponId,
    after: u32,
    limit: usize,
) -> Result<Vec<HistoryEntry>, Failure> {
    let mut statement = connection.prepare_cached(&further_sql())?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query((packed(id.coupon, id.position.get()), after, limit))?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        page.push(entry(row)?);
    }
    Ok(page)
}

pub(crate) fn further_sql() -> String {
    format!(
        "SELECT number, {COLUMNS} FROM redemption_history WHERE issued_coupon = ?1 AND number > ?2 ORDER BY number LIMIT ?3"
    )
}

/// The first step, if there is one and it was appended.
fn first(connection: &Connection, id: i64) -> Result<Option<HistoryEntry>, Failure> {
    let found = connection
        .prepare_cached(&first_sql())?
        .query_row([id], |row| Ok(entry(row)))
        .optional()?;
    found.transpose()
}

pub(crate) fn first_sql() -> String {
    format!(
        "SELECT 1, {COLUMNS} FROM first_steps
         WHERE id = (SELECT first_step FROM issued_coupons WHERE id = ?1) AND issued_coupon = ?1"
    )
}

/// One step; it is damage when it is not there.
pub(crate) fn one(connection: &Connection, id: i64, number: u32) -> Result<HistoryEntry, Failure> {
    if number == 1
        && let Some(entry) = first(connection, id)?
    {
        return Ok(entry);
    }
    let found = connection
        .prepare_cached(&format!(
            "SELECT number, {COLUMNS} FROM redemption_history WHERE issued_coupon = ?1 AND number = ?2"
        ))?
        .query_row((id, number), |row| Ok(entry(row)))
        .optional()?;
    found.unwrap_or_else(|| Err(Failure::Damaged(format!("step {number} of row {id} is missing"))))
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
    if number > 1
        && let Some(first) = first(connection, id)?
        && matches!(first.step, Step::Revoked)
    {
        return Ok(Some(first.at));
    }
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
    let mut statement = connection.prepare(
        "SELECT issued_coupon FROM redemption_history WHERE number = 1 UNION ALL SELECT issued_coupon FROM first_steps",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take(unpacked(row.get(0)?)?);
    }
    Ok(())
}

/// Every step there is, also those of histories that nobody has.
pub(crate) fn all_steps(connection: &Connection, appended: bool) -> Result<u64, Failure> {
    let count = |table: &str| -> Result<u64, Failure> {
        let sql = format!("SELECT count(*) FROM {table}");
        sum(connection.query_row(&sql, [], |row| row.get(0))?)
    };
    let first = if appended { count("first_steps")? } else { 0 };
    Ok(first + count("redemption_history")?)
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
