//! Webhooks.

use crate::audit;
use crate::error::Failure;
use crate::row::{bytes, optional_text, optional_timestamp, small, text, timestamp};
use crate::script::Script;
use crate::store::Reader;
use crate::transaction::Transaction;
use coupon_app::limits::MAX_WEBHOOKS;
use coupon_app::{AuditedMatter, Origin, Secret, Webhook, WebhookDraft, WebhookId, WebhookParts};
use coupon_core::Timestamp;
use sqlx::Row as _;
use sqlx::mysql::MySqlRow;

const SELECT: &str = "SELECT id, revision, url, description, kinds, secret, previous_secret, previous_until, \
                      disabled_at, disabled_reason, created_at FROM webhooks";

// What changes webhooks is tried once: a second attempt could not tell our own work from a stranger's.

pub(crate) async fn add(
    reader: &Reader,
    draft: &WebhookDraft,
    created_at: Timestamp,
    origin: &Origin,
) -> Result<Option<Webhook>, Failure> {
    let most = u64::try_from(MAX_WEBHOOKS).unwrap_or(u64::MAX);
    let mut transaction = Transaction::begin(reader).await?;
    let mut script = Script::new();
    script
        .statement("INSERT INTO webhooks (revision, url, description, kinds, secret, created_at) SELECT 1, ")
        .text(draft.url.as_str())
        .sql(", ")
        .text(&draft.description)
        .sql(", ")
        .text(&draft.kinds.written())
        .sql(", ")
        .bytes(draft.secret.expose())
        .sql(", ")
        .number(created_at.as_micros())
        // The counted rows are locked until this is written, so that the count still holds.
        .sql(" FROM (SELECT COUNT(*) AS counted FROM webhooks FOR UPDATE) AS present WHERE counted < ")
        .number(most);
    let answered = transaction.ask_one(script).await?;
    if answered.affected == 0 {
        transaction.roll_back().await?;
        return Ok(None);
    }
    let id = u32::try_from(answered.last_id)
        .ok()
        .and_then(|id| WebhookId::new(id).ok())
        .ok_or_else(|| Failure::Damaged("the last id of a webhook".to_owned()))?;
    let webhook = Webhook::new(id, draft.clone(), created_at);
    log(&mut transaction, (origin, created_at), None, Some(&webhook)).await?;
    transaction.commit().await?;
    reader.note_webhook();
    Ok(Some(webhook))
}

async fn log(
    transaction: &mut Transaction,
    (origin, at): (&Origin, Timestamp),
    before: Option<&Webhook>,
    after: Option<&Webhook>,
) -> Result<(), Failure> {
    let mut script = Script::new();
    let matter = AuditedMatter::of_webhook(before, after);
    audit::matter(&mut script, at, origin, &matter)?;
    transaction.ask(script).await.map(drop)
}

/// The present revision, locked until the end of the transaction.
async fn locked(transaction: &mut Transaction, id: WebhookId) -> Result<Option<Webhook>, Failure> {
    let mut script = Script::new();
    script
        .statement(SELECT)
        .sql(" WHERE id = ")
        .number(id.get())
        .sql(" FOR UPDATE");
    let answered = transaction.ask_one(script).await?;
    answered.rows.first().map(webhook).transpose()
}

pub(crate) async fn all(reader: &Reader) -> Result<Vec<Webhook>, Failure> {
    let script = || {
        let mut script = Script::new();
        script.statement(SELECT).sql(" ORDER BY id");
        script
    };
    reader.ask_one(script).await?.rows.iter().map(webhook).collect()
}

/// Whether there is one.
pub(crate) async fn any(reader: &Reader) -> Result<bool, Failure> {
    let script = || {
        let mut script = Script::new();
        script.statement("SELECT id FROM webhooks LIMIT 1");
        script
    };
    Ok(!reader.ask_one(script).await?.rows.is_empty())
}

pub(crate) async fn one(reader: &Reader, id: WebhookId) -> Result<Option<Webhook>, Failure> {
    let script = || {
        let mut script = Script::new();
        script.statement(SELECT).sql(" WHERE id = ").number(id.get());
        script
    };
    reader
        .ask_one(script)
        .await?
        .rows
        .first()
        .map(webhook)
        .transpose()
}

pub(crate) async fn change(
    reader: &Reader,
    next: &Webhook,
    by: Option<(&Origin, Timestamp)>,
) -> Result<bool, Failure> {
    let mut transaction = Transaction::begin(reader).await?;
    let before = locked(&mut transaction, next.id).await?;
    let before = before.filter(|before| before.revision.checked_add(1) == Some(next.revision));
    let Some(before) = before else {
        transaction.roll_back().await?;
        return Ok(false);
    };
    let parts = WebhookParts::from(next);
    let mut script = Script::new();
    script
        .statement("UPDATE webhooks SET revision = ")
        .number(parts.revision)
        .sql(", url = ")
        .text(&parts.url)
        .sql(", description = ")
        .text(&parts.description)
        .sql(", kinds = ")
        .text(&parts.kinds)
        .sql(", secret = ")
        .bytes(&parts.secret.0);
    script.sql(", previous_secret = ");
    match &parts.previous_secret {
        Some(secret) => script.bytes(&secret.0),
        None => script.sql("NULL"),
    };
    script
        .sql(", previous_until = ")
        .optional(parts.previous_until.map(Timestamp::as_micros))
        .sql(", disabled_at = ")
        .optional(parts.disabled_at.map(Timestamp::as_micros))
        .sql(", disabled_reason = ");
    match &parts.disabled_reason {
        Some(reason) => script.text(reason),
        None => script.sql("NULL"),
    };
    script.sql(" WHERE id = ").number(parts.id);
    transaction.ask(script).await?;
    if let Some(by) = by {
        log(&mut transaction, by, Some(&before), Some(next)).await?;
    }
    transaction.commit().await?;
    Ok(true)
}

pub(crate) async fn delete(
    reader: &Reader,
    id: WebhookId,
    at: Timestamp,
    origin: &Origin,
) -> Result<bool, Failure> {
    let mut transaction = Transaction::begin(reader).await?;
    let Some(before) = locked(&mut transaction, id).await? else {
        transaction.roll_back().await?;
        return Ok(false);
    };
    let mut script = Script::new();
    script
        .statement("DELETE FROM webhooks WHERE id = ")
        .number(id.get());
    transaction.ask(script).await?;
    log(&mut transaction, (origin, at), Some(&before), None).await?;
    transaction.commit().await?;
    Ok(true)
}

fn webhook(row: &MySqlRow) -> Result<Webhook, Failure> {
    let previous_secret: Option<Vec<u8>> = row.try_get(6)?;
    let parts = WebhookParts {
        id: small(row, 0)?,
        revision: small(row, 1)?,
        url: text(row, 2)?,
        description: text(row, 3)?,
        kinds: text(row, 4)?,
        secret: Secret(bytes(row, 5)?),
        previous_secret: previous_secret.map(Secret),
        previous_until: optional_timestamp(row, 7)?,
        disabled_at: optional_timestamp(row, 8)?,
        disabled_reason: optional_text(row, 9)?,
        created_at: timestamp(row, 10)?,
    };
    let id = parts.id;
    parts
        .checked()
        .ok_or_else(|| Failure::Damaged(format!("the row of webhook {id}")))
}
