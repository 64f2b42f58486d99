//! The audit log. Its entries are statements of the transaction that writes what they tell of.

use crate::error::Failure;
use crate::query::limit_of;
use crate::row;
use crate::script::Script;
use crate::store::Reader;
use coupon_app::{
    AuditAction, AuditEntry, AuditFilter, AuditedChange, AuditedKey, AuditedMatter, AuditedUse, KeyRecord,
    Origin, RevisedRecord,
};
use coupon_core::{CouponId, HistoryEntry, IssuedCouponId, Position, Timestamp};
use sqlx::mysql::MySqlRow;

/// A revision. What the coupon was before and after stands among the revisions. With `again`, one that may be there
/// already.
pub(crate) fn revised(script: &mut Script, record: &RevisedRecord, again: bool) {
    let (coupon, origin) = (&record.coupon, &record.actor);
    script
        .statement(
            "INSERT INTO audit_log (at, actor, request_id, action, coupon_id, revision, cloned_from) VALUES (",
        )
        .number(coupon.revised_at.as_micros())
        .sql(", ")
        .text(&origin.key)
        .sql(", ")
        .optional_text(origin.request.as_deref())
        .sql(", ")
        .text(origin.action_on(coupon).name())
        .sql(", ")
        .number(coupon.id.get())
        .sql(", ")
        .number(coupon.revision)
        .sql(", ")
        .optional(origin.cloned_from.map(CouponId::get))
        .sql(")");
    if again {
        script.sql(" ON DUPLICATE KEY UPDATE number = audit_log.number");
    }
}

/// A key that was made or revoked.
pub(crate) fn key(
    script: &mut Script,
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
    script
        .statement(
            "INSERT INTO audit_log (at, actor, request_id, action, key_id, before_json, after_json) VALUES (",
        )
        .number(at.as_micros())
        .sql(", ")
        .text(&origin.key)
        .sql(", ")
        .optional_text(origin.request.as_deref())
        .sql(", ")
        .text(action.name())
        .sql(", ")
        .text(&after.id)
        .sql(", ")
        .optional_text(before.transpose()?.as_deref())
        .sql(", ")
        .text(&serde_json::to_string(&AuditedKey::from(after))?)
        .sql(")");
    Ok(())
}

/// A step that an administrator took: the first of a statement, or one more.
pub(crate) fn step(
    script: &mut Script,
    first: bool,
    origin: &Origin,
    id: IssuedCouponId,
    entry: &HistoryEntry,
    (before, after): (&AuditedUse, &AuditedUse),
) -> Result<(), Failure> {
    if first {
        script.statement(
            "INSERT INTO audit_log (at, actor, request_id, action, coupon_id, position, before_json, after_json) \
             VALUES (",
        );
    } else {
        script.sql(", (");
    }
    script
        .number(entry.at.as_micros())
        .sql(", ")
        .text(&origin.key)
        .sql(", ")
        .optional_text(origin.request.as_deref())
        .sql(", ")
        .text(AuditAction::from(&entry.step).name())
        .sql(", ")
        .number(id.coupon.get())
        .sql(", ")
        .number(id.position.get())
        .sql(", ")
        .text(&serde_json::to_string(before)?)
        .sql(", ")
        .text(&serde_json::to_string(after)?)
        .sql(")");
    Ok(())
}

/// Anything else, which says itself what it is about.
pub(crate) fn matter(
    script: &mut Script,
    at: Timestamp,
    origin: &Origin,
    (action, matter): &(AuditAction, AuditedMatter),
) -> Result<(), Failure> {
    script
        .statement("INSERT INTO audit_log (at, actor, request_id, action, after_json) VALUES (")
        .number(at.as_micros())
        .sql(", ")
        .text(&origin.key)
        .sql(", ")
        .optional_text(origin.request.as_deref())
        .sql(", ")
        .text(action.name())
        .sql(", ")
        .text(&serde_json::to_string(matter)?)
        .sql(")");
    Ok(())
}

/// A page of the log, newest first.
pub(crate) async fn page(reader: &Reader, filter: &AuditFilter) -> Result<Vec<AuditEntry>, Failure> {
    let answered = reader.ask_one(|| page_script(filter)).await?;
    answered.rows.iter().map(entry).collect()
}

fn page_script(filter: &AuditFilter) -> Script {
    let mut script = Script::new();
    script.statement(
        "SELECT a.number, a.at, a.actor, a.request_id, a.action, a.coupon_id, a.revision, a.position, a.key_id, \
         a.cloned_from, a.before_json, a.after_json, b.coupon, n.coupon, n.issued FROM audit_log a \
         LEFT JOIN coupon_revisions b ON b.coupon_id = a.coupon_id AND b.revision + 1 = a.revision \
         LEFT JOIN coupon_revisions n ON n.coupon_id = a.coupon_id AND n.revision = a.revision WHERE 1",
    );
    if let Some(coupon) = filter.coupon {
        script.sql(" AND a.coupon_id = ").number(coupon.get());
    }
    if let Some(actor) = &filter.actor {
        script.sql(" AND a.actor = ").text(actor);
    }
    if let Some(action) = filter.action {
        script.sql(" AND a.action = ").text(action.name());
    }
    if let Some(from) = filter.from {
        script.sql(" AND a.at >= ").number(from.as_micros());
    }
    if let Some(until) = filter.until {
        script.sql(" AND a.at < ").number(until.as_micros());
    }
    if let Some(after) = filter.after {
        script.sql(" AND a.at <= ").number(after.at.as_micros());
        script.sql(" AND (a.at < ").number(after.at.as_micros());
        script.sql(" OR a.number < ").number(after.number).sql(")");
    }
    script
        .sql(" ORDER BY a.at DESC, a.number DESC LIMIT ")
        .number(limit_of(filter.limit));
    script
}

fn entry(found: &MySqlRow) -> Result<AuditEntry, Failure> {
    let number = row::unsigned(found, 0)?;
    let damaged = |what: &str| Failure::Damaged(format!("entry {number} of the audit log, which {what}"));
    let small = |column| -> Result<Option<u32>, Failure> {
        Ok(row::optional_unsigned(found, column)?.and_then(|number| u32::try_from(number).ok()))
    };
    let coupon_id = |column| -> Result<Option<CouponId>, Failure> {
        let id = small(column)?.map(CouponId::new);
        id.transpose().map_err(|_not_an_id| damaged("is of no coupon"))
    };
    let text = |column| row::optional_text(found, column);
    let written = || text(11)?.ok_or_else(|| damaged("does not say what was left"));
    let change = if small(6)?.is_some() {
        let after = text(13)?.ok_or_else(|| damaged("is of a revision that is missing"))?;
        AuditedChange::Coupon {
            before: text(12)?
                .map(|json| row::coupon(&json))
                .transpose()?
                .map(Box::new),
            after: Box::new(row::coupon(&after)?),
            issued: row::small(found, 14)?,
            cloned_from: coupon_id(9)?,
        }
    } else if let Some(position) = small(7)? {
        let id = coupon_id(5)?.zip(Position::new(position));
        let (coupon, position) = id.ok_or_else(|| damaged("is of no issued coupon"))?;
        let before = text(10)?.map(|json| serde_json::from_str(&json));
        AuditedChange::IssuedCoupon {
            id: IssuedCouponId { coupon, position },
            before: before.transpose()?.unwrap_or_default(),
            after: serde_json::from_str(&written()?)?,
        }
    } else if text(8)?.is_none() {
        AuditedChange::Matter(serde_json::from_str(&written()?)?)
    } else {
        let before = text(10)?.map(|json| serde_json::from_str(&json));
        AuditedChange::Key {
            id: row::text(found, 8)?.into(),
            before: before.transpose()?,
            after: serde_json::from_str(&written()?)?,
        }
    };
    Ok(AuditEntry {
        number,
        at: row::timestamp(found, 1)?,
        actor: row::text(found, 2)?.into(),
        request: text(3)?.map(Into::into),
        action: text(4)?
            .as_deref()
            .and_then(AuditAction::parse)
            .ok_or_else(|| damaged("tells of an action that there is not"))?,
        change,
    })
}
