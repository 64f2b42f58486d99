//! The history of issued coupons: every step, as it was taken.

use crate::error::Failure;
use crate::limits;
use crate::query::limit_of;
use crate::row;
use crate::script::Script;
use crate::store::Reader;
use coupon_core::{Actor, Amount, CouponId, HistoryEntry, IssuedCouponId, Order, OrderId, Position, Step};
use sqlx::mysql::MySqlRow;

/// The columns that [`entry`] reads.
pub(crate) const COLUMNS: &str = "number, step, at, actor, order_id, order_amount, discount_amount";

/// Writes the beginning of an insertion, or goes on with the next row.
pub(crate) fn insert(script: &mut Script, first: bool, id: IssuedCouponId, entry: &HistoryEntry) {
    if first {
        script
            .statement("INSERT INTO redemption_history (coupon_id, position, ")
            .sql(COLUMNS)
            .sql(") VALUES (");
    } else {
        script.sql(", (");
    }
    let (name, order, units, discount) = match &entry.step {
        Step::Redeemed { order, discount } => (
            "'redeemed'",
            Some(&order.id),
            Some(order.amount.get()),
            discount.map(Amount::get),
        ),
        Step::Cancelled { order } => ("'cancelled'", Some(order), None, None),
        Step::Revoked => ("'revoked'", None, None, None),
    };
    script
        .number(id.coupon.get())
        .sql(", ")
        .number(id.position.get())
        .sql(", ")
        .number(entry.number)
        .sql(", ")
        .sql(name)
        .sql(", ")
        .number(entry.at.as_micros())
        .sql(", ");
    match &entry.actor {
        Actor::Holder => script.sql("NULL"),
        Actor::Key(key) => script.text(key),
    };
    script.sql(", ");
    match order {
        None => script.sql("NULL"),
        Some(order) => script.bytes(order.as_str().as_bytes()),
    };
    script
        .sql(", ")
        .optional(units)
        .sql(", ")
        .optional(discount)
        .sql(")");
}

/// Names the history of one issued coupon, in a condition.
pub(crate) fn of(script: &mut Script, id: IssuedCouponId) {
    script
        .sql(" FROM redemption_history WHERE coupon_id = ")
        .number(id.coupon.get())
        .sql(" AND position = ")
        .number(id.position.get());
}

/// A page of one history, after entry number `after`.
pub(crate) async fn page(
    reader: &Reader,
    id: IssuedCouponId,
    after: u32,
    limit: usize,
) -> Result<Vec<HistoryEntry>, Failure> {
    let script = || {
        let mut script = Script::new();
        script.statement("SELECT ").sql(COLUMNS);
        of(&mut script, id);
        script
            .sql(" AND number > ")
            .number(after)
            .sql(" ORDER BY number LIMIT ")
            .number(limit_of(limit));
        script
    };
    let answered = reader.ask_one(script).await?;
    answered.rows.iter().map(|found| entry(found, 0)).collect()
}

/// A page of the issued coupons that have a history, after one of them.
pub(crate) async fn used(
    reader: &Reader,
    after: Option<IssuedCouponId>,
) -> Result<Vec<IssuedCouponId>, Failure> {
    let (coupon, position) = after.map_or((0, 0), |id| (id.coupon.get(), id.position.get()));
    let script = || {
        let mut script = Script::new();
        script
            .statement(
                "SELECT coupon_id, position FROM redemption_history WHERE number = 1 AND coupon_id >= ",
            )
            .number(coupon)
            .sql(" AND (coupon_id > ")
            .number(coupon)
            .sql(" OR position > ")
            .number(position)
            .sql(") ORDER BY coupon_id, position LIMIT ")
            .number(limits::HISTORY_PAGE);
        script
    };
    let answered = reader.ask_one(script).await?;
    answered.rows.iter().map(|found| id(found, 0)).collect()
}

/// The coupons of which any issued coupon has a history.
pub(crate) async fn used_coupons(reader: &Reader) -> Result<Vec<CouponId>, Failure> {
    let script = || {
        let mut script = Script::new();
        script.statement(
            "SELECT coupon_id FROM coupon_uses WHERE redeemed > 0 OR revoked > 0 OR cancelled > 0",
        );
        script
    };
    let answered = reader.ask_one(script).await?;
    answered
        .rows
        .iter()
        .map(|found| row::coupon_id(found, 0))
        .collect()
}

/// Coupon and position, in two columns from `column`.
pub(crate) fn id(found: &MySqlRow, column: usize) -> Result<IssuedCouponId, Failure> {
    let position = Position::new(row::small(found, column + 1)?);
    Ok(IssuedCouponId {
        coupon: row::coupon_id(found, column)?,
        position: position.ok_or_else(|| Failure::Damaged("position 0".to_owned()))?,
    })
}

/// One step, in [`COLUMNS`] from `column`.
pub(crate) fn entry(found: &MySqlRow, column: usize) -> Result<HistoryEntry, Failure> {
    let number = row::small(found, column)?;
    let order = || -> Result<OrderId, Failure> {
        row::optional_order_id(found, column + 4)?
            .ok_or_else(|| Failure::Damaged(format!("step {number} is on no order")))
    };
    let step = match row::text(found, column + 1)?.as_str() {
        "redeemed" => Step::Redeemed {
            order: Order {
                id: order()?,
                amount: row::optional_amount(found, column + 5)?
                    .ok_or_else(|| Failure::Damaged(format!("step {number} is on no amount")))?,
            },
            discount: row::optional_amount(found, column + 6)?,
        },
        "cancelled" => Step::Cancelled { order: order()? },
        "revoked" => Step::Revoked,
        other => return Err(Failure::Damaged(format!("{other} is no step"))),
    };
    let actor = row::optional_text(found, column + 3)?;
    Ok(HistoryEntry {
        number,
        at: row::timestamp(found, column + 2)?,
        actor: actor.map_or(Actor::Holder, |key| Actor::Key(key.into())),
        step,
    })
}
