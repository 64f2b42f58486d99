//! Webhooks.

use crate::audit;
use crate::error::Failure;
use crate::row::{optional_timestamp, timestamp};
use coupon_app::limits::MAX_WEBHOOKS;
use coupon_app::{AuditedMatter, Origin, Secret, Webhook, WebhookDraft, WebhookId, WebhookParts};
use coupon_core::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior};

const COLUMNS: &str =
    "id, revision, url, description, kinds, secret, previous_secret, previous_until, disabled_at,
     disabled_reason, created_at";

/// Keeps a new webhook; `None` when there are as many as may be.
pub(crate) fn add(
    connection: &mut Connection,
    draft: &WebhookDraft,
    created_at: Timestamp,
    origin: &Origin,
) -> Result<Option<Webhook>, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // There is one writer: the count still holds when the row is written.
    let id: Option<u32> = transaction
        .prepare_cached(
            "INSERT INTO webhooks (revision, url, description, kinds, secret, created_at)
             SELECT 1, ?1, ?2, ?3, ?4, ?5 WHERE (SELECT count(*) FROM webhooks) < ?6 RETURNING id",
        )?
        .query_row(
            (
                draft.url.as_str(),
                &*draft.description,
                draft.kinds.written(),
                draft.secret.expose(),
                created_at.as_micros(),
                i64::try_from(MAX_WEBHOOKS).unwrap_or(i64::MAX),
            ),
            |row| row.get(0),
        )
        .optional()?;
    let Some(id) = id else { return Ok(None) };
    let id = WebhookId::new(id).map_err(|_no_id| Failure::Damaged(format!("{id} is no id of a webhook")))?;
    let webhook = Webhook::new(id, draft.clone(), created_at);
    let matter = AuditedMatter::of_webhook(None, Some(&webhook));
    audit::matter(&transaction, created_at, origin, &matter)?;
    transaction.commit()?;
    Ok(Some(webhook))
}

/// Whether there is one.
pub(crate) fn any(connection: &Connection) -> Result<bool, Failure> {
    let mut statement = connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM webhooks)")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// Every webhook, in order of id.
pub(crate) fn all(connection: &Connection) -> Result<Vec<Webhook>, Failure> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM webhooks ORDER BY id"))?;
    let mut rows = statement.query([])?;
    let mut webhooks = Vec::new();
    while let Some(row) = rows.next()? {
        webhooks.push(webhook(row)?);
    }
    Ok(webhooks)
}

/// One webhook.
pub(crate) fn one(connection: &Connection, id: WebhookId) -> Result<Option<Webhook>, Failure> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM webhooks WHERE id = ?1"))?;
    statement
        .query_row([id.get()], |row| Ok(webhook(row)))
        .optional()?
        .transpose()
}

/// Puts a revision in the place of the one before it, if that is there.
pub(crate) fn change(
    connection: &mut Connection,
    next: &Webhook,
    by: Option<(&Origin, Timestamp)>,
) -> Result<bool, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Some(before) = one(&transaction, next.id)? else {
        return Ok(false);
    };
    let parts = WebhookParts::from(next);
    let changed = transaction
        .prepare_cached(
            "UPDATE webhooks SET revision = ?2, url = ?3, description = ?4, kinds = ?5, secret = ?6,
                 previous_secret = ?7, previous_until = ?8, disabled_at = ?9, disabled_reason = ?10
             WHERE id = ?1 AND revision = ?2 - 1",
        )?
        .execute((
            parts.id,
            parts.revision,
            parts.url,
            parts.description,
            parts.kinds,
            parts.secret.0,
            parts.previous_secret.map(|secret| secret.0),
            parts.previous_until.map(Timestamp::as_micros),
            parts.disabled_at.map(Timestamp::as_micros),
            parts.disabled_reason,
        ))?;
    if changed != 1 {
        return Ok(false);
    }
    if let Some((origin, at)) = by {
        let matter = AuditedMatter::of_webhook(Some(&before), Some(next));
        audit::matter(&transaction, at, origin, &matter)?;
    }
    transaction.commit()?;
    Ok(true)
}

/// Deletes a webhook; says whether it was there.
pub(crate) fn delete(
    connection: &mut Connection,
    id: WebhookId,
    at: Timestamp,
    origin: &Origin,
) -> Result<bool, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Some(before) = one(&transaction, id)? else {
        return Ok(false);
    };
    transaction
        .prepare_cached("DELETE FROM webhooks WHERE id = ?1")?
        .execute([id.get()])?;
    let matter = AuditedMatter::of_webhook(Some(&before), None);
    audit::matter(&transaction, at, origin, &matter)?;
    transaction.commit()?;
    Ok(true)
}

fn webhook(row: &Row<'_>) -> Result<Webhook, Failure> {
    let parts = WebhookParts {
        id: row.get(0)?,
        revision: row.get(1)?,
        url: row.get(2)?,
        description: row.get(3)?,
        kinds: row.get(4)?,
        secret: Secret(row.get(5)?),
        previous_secret: row.get::<_, Option<Vec<u8>>>(6)?.map(Secret),
        previous_until: optional_timestamp(row.get(7)?)?,
        disabled_at: optional_timestamp(row.get(8)?)?,
        disabled_reason: row.get(9)?,
        created_at: timestamp(row.get(10)?)?,
    };
    let id = parts.id;
    parts
        .checked()
        .ok_or_else(|| Failure::Damaged(format!("the row of webhook {id}")))
}
