//! Webhooks.

use crate::error::Failure;
use crate::row::{optional_timestamp, timestamp};
use coupon_app::limits::MAX_WEBHOOKS;
use coupon_app::{Secret, Webhook, WebhookDraft, WebhookId, WebhookParts};
use coupon_core::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

const COLUMNS: &str =
    "id, revision, url, description, kinds, secret, previous_secret, previous_until, disabled_at,
     disabled_reason, created_at";

/// Keeps a new webhook; `None` when there are as many as may be.
pub(crate) fn add(
    connection: &Connection,
    draft: &WebhookDraft,
    created_at: Timestamp,
) -> Result<Option<Webhook>, Failure> {
    // There is one writer, and one statement is one transaction: the count still holds when the row is written.
    let id: Option<u32> = connection
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
    Ok(Some(Webhook::new(id, draft.clone(), created_at)))
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
pub(crate) fn change(connection: &Connection, next: &Webhook) -> Result<bool, Failure> {
    let parts = WebhookParts::from(next);
    let changed = connection
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
    Ok(changed == 1)
}

/// Deletes a webhook; says whether it was there.
pub(crate) fn delete(connection: &Connection, id: WebhookId) -> Result<bool, Failure> {
    let deleted = connection
        .prepare_cached("DELETE FROM webhooks WHERE id = ?1")?
        .execute([id.get()])?;
    Ok(deleted == 1)
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
