//! The audit log. An entry is written in the transaction that writes what it tells of.

use crate::error::Failure;
use crate::row::{count, sum, timestamp};
use coupon_app::{
    AuditAction, AuditEntry, AuditFilter, AuditedChange, AuditedKey, AuditedMatter, AuditedUse, KeyRecord,
    Origin, RevisedRecord,
};
use coupon_core::{Coupon, CouponId, HistoryEntry, IssuedCoupon, IssuedCouponId, Position, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, Transaction, params_from_iter};

/// A revision that was written just now. What the coupon was before and after stands among the revisions.
pub(crate) fn revised(transaction: &Transaction<'_>, record: &RevisedRecord) -> Result<(), Failure> {
    let (coupon, origin) = (&record.coupon, &record.actor);
    transaction
        .prepare_cached(
            "INSERT INTO audit_log (at, actor, request_id, action, coupon_id, revision, cloned_from)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            coupon.revised_at.as_micros(),
            &*origin.key,
            origin.request.as_deref(),
            origin.action_on(coupon).name(),
            coupon.id.get(),
            coupon.revision,
            origin.cloned_from.map(CouponId::get),
        ))?;
    Ok(())
}

/// A key that was made or revoked.
pub(crate) fn key(
    transaction: &Transaction<'_>,
    at: Timestamp,
    origin: &Origin,
    before: Option<&KeyRecord>,
    after: &KeyRecord,
) -> Result<(), Failure> {
    let action = match before {
        None => AuditAction::KeyCreated,
        Some(_) => AuditAction::KeyRevoked,
    };
    let before = before.map(|key| serde_json::to_string(&AuditedKey::from(key)));
    transaction
        .prepare_cached(
            "INSERT INTO audit_log (at, actor, request_id, action, key_id, before_json, after_json)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            at.as_micros(),
            &*origin.key,
            origin.request.as_deref(),
            action.name(),
            &*after.id,
            before.transpose()?,
            serde_json::to_string(&AuditedKey::from(after))?,
        ))?;
    Ok(())
}

/// A step that an administrator took.
pub(crate) fn step(
    transaction: &Transaction<'_>,
    origin: &Origin,
    entry: &HistoryEntry,
    before: &AuditedUse,
    after: &IssuedCoupon,
) -> Result<(), Failure> {
    let id = after.id();
    transaction
        .prepare_cached(
            "INSERT INTO audit_log (at, actor, request_id, action, coupon_id, position, before_json, after_json)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute((
            entry.at.as_micros(),
            &*origin.key,
            origin.request.as_deref(),
            AuditAction::from(&entry.step).name(),
            id.coupon.get(),
            id.position.get(),
            serde_json::to_string(before)?,
            serde_json::to_string(&AuditedUse::from(after))?,
        ))?;
    Ok(())
}

/// Anything else, which says itself what it is about.
pub(crate) fn matter(
    connection: &Connection,
    at: Timestamp,
    origin: &Origin,
    (action, matter): &(AuditAction, AuditedMatter),
) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "INSERT INTO audit_log (at, actor, request_id, action, after_json) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((
            at.as_micros(),
            &*origin.key,
            origin.request.as_deref(),
            action.name(),
            serde_json::to_string(matter)?,
        ))?;
    Ok(())
}

/// A page of the log, newest first.
pub(crate) fn page(connection: &Connection, filter: &AuditFilter) -> Result<Vec<AuditEntry>, Failure> {
    let (sql, values) = page_sql(filter);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        page.push(entry(row)?);
    }
    Ok(page)
}

fn page_sql(filter: &AuditFilter) -> (String, Vec<Value>) {
    let mut sql = "SELECT a.number, a.at, a.actor, a.request_id, a.action, a.coupon_id, a.revision, a.position, a.key_id,
         a.cloned_from, a.before_json, a.after_json, b.coupon, n.coupon, n.issued
         FROM audit_log a
         LEFT JOIN coupon_revisions b ON b.coupon_id = a.coupon_id AND b.revision = a.revision - 1
         LEFT JOIN coupon_revisions n ON n.coupon_id = a.coupon_id AND n.revision = a.revision WHERE 1"
        .to_owned();
    let mut values = Vec::new();
    let mut also = |condition: &str, value: Value| {
        sql.push_str(condition);
        values.push(value);
    };
    let micros = |at: Timestamp| Value::Integer(at.as_micros());
    if let Some(coupon) = filter.coupon {
        also(" AND a.coupon_id = ?", Value::Integer(coupon.get().into()));
    }
    if let Some(actor) = &filter.actor {
        also(" AND a.actor = ?", Value::Text(actor.as_ref().to_owned()));
    }
    if let Some(action) = filter.action {
        also(" AND a.action = ?", Value::Text(action.name().to_owned()));
    }
    if let Some(from) = filter.from {
        also(" AND a.at >= ?", micros(from));
    }
    if let Some(until) = filter.until {
        also(" AND a.at < ?", micros(until));
    }
    if let Some(after) = filter.after {
        let number = i64::try_from(after.number).unwrap_or(i64::MAX);
        also(" AND (a.at, a.number) < (?,", micros(after.at));
        also(" ?)", Value::Integer(number));
    }
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    also(
        " ORDER BY a.at DESC, a.number DESC LIMIT ?",
        Value::Integer(limit),
    );
    (sql, values)
}

fn entry(row: &Row<'_>) -> Result<AuditEntry, Failure> {
    let number = sum(row.get(0)?)?;
    let damaged = |what: &str| Failure::Damaged(format!("entry {number} of the audit log {what}"));
    let coupon_id = |column: usize| -> Result<Option<CouponId>, Failure> {
        let id = row.get::<_, Option<u32>>(column)?.map(CouponId::new);
        id.transpose().map_err(|_not_an_id| damaged("is of no coupon"))
    };
    let text = |column: usize| -> Result<Option<&str>, Failure> {
        Ok(row
            .get_ref(column)?
            .as_str_or_null()
            .map_err(rusqlite::Error::from)?)
    };
    let written = || text(11)?.ok_or_else(|| damaged("does not say what was left"));
    let change = if row.get::<_, Option<i64>>(6)?.is_some() {
        let after = text(13)?.ok_or_else(|| damaged("is of a revision that is missing"))?;
        AuditedChange::Coupon {
            before: text(12)?
                .map(serde_json::from_str::<Coupon>)
                .transpose()?
                .map(Box::new),
            after: Box::new(serde_json::from_str(after)?),
            issued: count(row.get(14)?)?,
            cloned_from: coupon_id(9)?,
        }
    } else if let Some(position) = row.get::<_, Option<u32>>(7)? {
        let id = coupon_id(5)?.zip(Position::new(position));
        let (coupon, position) = id.ok_or_else(|| damaged("is of no issued coupon"))?;
        AuditedChange::IssuedCoupon {
            id: IssuedCouponId { coupon, position },
            before: text(10)?
                .map(serde_json::from_str)
                .transpose()?
                .unwrap_or_default(),
            after: serde_json::from_str(written()?)?,
        }
    } else if text(8)?.is_none() {
        AuditedChange::Matter(serde_json::from_str(written()?)?)
    } else {
        AuditedChange::Key {
            id: row.get(8)?,
            before: text(10)?.map(serde_json::from_str).transpose()?,
            after: serde_json::from_str(written()?)?,
        }
    };
    Ok(AuditEntry {
        number,
        at: timestamp(row.get(1)?)?,
        actor: row.get(2)?,
        request: row.get(3)?,
        action: text(4)?
            .and_then(AuditAction::parse)
            .ok_or_else(|| damaged("tells of an action that there is not"))?,
        change,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::migrate;

    #[test]
    fn every_filter_of_the_log_is_served_in_order_by_an_index_of_its_own() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let any = || AuditFilter {
            limit: 10,
            ..AuditFilter::default()
        };
        let coupon = Some(CouponId::FIRST);
        let actor = Some("key-1".into());
        let action = Some(AuditAction::CouponPaused);
        for (filter, index) in [
            (any(), "audit_log_by_time"),
            (AuditFilter { coupon, ..any() }, "audit_log_by_coupon"),
            (AuditFilter { actor, ..any() }, "audit_log_by_actor"),
            (AuditFilter { action, ..any() }, "audit_log_by_action"),
        ] {
            let (sql, values) = page_sql(&filter);
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let lines = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(3));
            let plan: Vec<String> = lines.unwrap().map(Result::unwrap).collect();
            assert!(plan[0].contains(index), "{filter:?}: {plan:?}");
            assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE")), "{plan:?}");
        }
    }
}
