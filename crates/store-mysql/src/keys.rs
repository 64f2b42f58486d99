//! API keys, and the key of the codes.

use crate::audit;
use crate::error::Failure;
use crate::row::{bytes, optional_timestamp, text, timestamp};
use crate::script::Script;
use crate::store::Reader;
use coupon_app::{KeyId, KeyRecord, Origin, Scope};
use coupon_core::Timestamp;
use sqlx::MySql;
use sqlx::mysql::MySqlRow;
use sqlx::pool::PoolConnection;

const SELECT: &str =
    "SELECT id, name, scopes, secret_hash, created_at, revoked_at, expires_at, last_used_at FROM api_keys";

pub(crate) async fn add(reader: &Reader, key: &KeyRecord, origin: &Origin) -> Result<(), Failure> {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
    let mut script = Script::new();
    script
        .statement("START TRANSACTION")
        .statement(
            "INSERT INTO api_keys (id, name, scopes, secret_hash, created_at, revoked_at, expires_at, last_used_at) \
             VALUES (",
        )
        .text(&key.id)
        .sql(", ")
        .text(&key.name)
        .sql(", ")
        .text(&scopes.join(" "))
        .sql(", ")
        .bytes(&key.secret_hash)
        .sql(", ")
        .number(key.created_at.as_micros());
    for instant in [key.revoked_at, key.expires_at, key.last_used_at] {
        script.sql(", ").optional(instant.map(Timestamp::as_micros));
    }
    script.sql(")");
    audit::key(&mut script, key.created_at, origin, None, key)?;
    script.statement("COMMIT");
    // Not tried again: a second attempt could not tell our own key from a stranger's.
    let mut connection = reader.connection().await?;
    let added = reader.ask_on(&mut connection, script).await;
    added.map(drop).map_err(|failure| {
        // With its transaction, whatever of it had begun.
        connection.close_on_drop();
        if failure.is_duplicate() {
            Failure::KeyTaken(key.id.as_ref().to_owned())
        } else {
            failure
        }
    })
}

pub(crate) async fn all(reader: &Reader) -> Result<Vec<KeyRecord>, Failure> {
    let script = || {
        let mut script = Script::new();
        script.statement(SELECT).sql(" ORDER BY number");
        script
    };
    reader.ask_one(script).await?.rows.iter().map(record).collect()
}

/// Revokes a key, and keeps that it was; or finds it revoked. If the answer to a commit is lost, the next attempt finds
/// it revoked.
pub(crate) async fn revoke(
    reader: &Reader,
    id: &str,
    at: Timestamp,
    origin: &Origin,
) -> Result<Option<KeyRecord>, Failure> {
    let mut attempt = 0;
    loop {
        let mut connection = reader.connection().await?;
        let failure = match try_revoke(reader, &mut connection, id, at, origin).await {
            Ok(found) => return Ok(found),
            Err(failure) => failure,
        };
        connection.close_on_drop();
        if !failure.passes() || attempt + 1 >= reader.attempts() {
            return Err(failure);
        }
        drop(connection);
        reader.pause(attempt).await;
        attempt += 1;
    }
}

async fn try_revoke(
    reader: &Reader,
    connection: &mut PoolConnection<MySql>,
    id: &str,
    at: Timestamp,
    origin: &Origin,
) -> Result<Option<KeyRecord>, Failure> {
    let mut script = Script::new();
    script
        .statement("START TRANSACTION")
        .statement(SELECT)
        .sql(" WHERE id = ")
        .text(id)
        .sql(" FOR UPDATE");
    let answered = reader.ask_on(connection, script).await?;
    let found = answered.get(1).and_then(|one| one.rows.first());
    let found = found.map(record).transpose()?;
    let mut script = Script::new();
    let Some(before) = found.as_ref().filter(|key| key.revoked_at.is_none()) else {
        script.statement("ROLLBACK");
        reader.ask_on(connection, script).await?;
        return Ok(found);
    };
    let after = KeyRecord {
        revoked_at: Some(at),
        ..before.clone()
    };
    script
        .statement("UPDATE api_keys SET revoked_at = ")
        .number(at.as_micros())
        .sql(" WHERE id = ")
        .text(id);
    audit::key(&mut script, at, origin, Some(before), &after)?;
    script.statement("COMMIT");
    reader.ask_on(connection, script).await?;
    Ok(Some(after))
}

/// Notes when keys were last used.
pub(crate) async fn note_used(reader: &Reader, used: &[(KeyId, Timestamp)]) -> Result<(), Failure> {
    let script = || {
        let mut script = Script::new();
        for (id, at) in used {
            let at = at.as_micros();
            script
                .statement("UPDATE api_keys SET last_used_at = ")
                .number(at)
                .sql(" WHERE COALESCE(last_used_at, 0) < ")
                .number(at)
                .sql(" AND id = ")
                .text(id);
        }
        script
    };
    reader.ask(script).await.map(drop)
}

fn record(row: &MySqlRow) -> Result<KeyRecord, Failure> {
    let scopes = text(row, 2)?;
    let scopes: Option<Vec<Scope>> = scopes.split(' ').map(Scope::parse).collect();
    let secret_hash = bytes(row, 3)?.try_into();
    Ok(KeyRecord {
        id: text(row, 0)?.into(),
        name: text(row, 1)?.into(),
        scopes: scopes.ok_or_else(|| Failure::Damaged("the scopes of a key".to_owned()))?,
        secret_hash: secret_hash.map_err(|_| Failure::Damaged("the hash of a key".to_owned()))?,
        created_at: timestamp(row, 4)?,
        revoked_at: optional_timestamp(row, 5)?,
        expires_at: optional_timestamp(row, 6)?,
        last_used_at: optional_timestamp(row, 7)?,
    })
}

pub(crate) async fn code_key(reader: &Reader, fresh: [u8; 16]) -> Result<[u8; 16], Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement("UPDATE meta SET code_key = ")
            .bytes(&fresh)
            .sql(" WHERE only_row = 1 AND code_key IS NULL")
            .statement("SELECT code_key FROM meta WHERE only_row = 1");
        script
    };
    let answered = reader.ask_one(script).await?;
    let kept = answered.rows.first().map(|row| bytes(row, 0)).transpose()?;
    kept.and_then(|kept| kept.try_into().ok())
        .ok_or_else(|| Failure::Damaged("the key of the codes".to_owned()))
}
