//! API keys, and the key of the codes.

use crate::error::Failure;
use crate::row::{bytes, optional_timestamp, text, timestamp};
use crate::script::Script;
use crate::store::Reader;
use coupon_app::{KeyRecord, Scope};
use coupon_core::Timestamp;
use sqlx::mysql::MySqlRow;

const SELECT: &str = "SELECT id, name, scopes, secret_hash, created_at, revoked_at FROM api_keys";

pub(crate) async fn add(reader: &Reader, key: &KeyRecord) -> Result<(), Failure> {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
    let mut script = Script::new();
    script
        .statement("INSERT INTO api_keys (id, name, scopes, secret_hash, created_at, revoked_at) VALUES (")
        .text(&key.id)
        .sql(", ")
        .text(&key.name)
        .sql(", ")
        .text(&scopes.join(" "))
        .sql(", ")
        .bytes(&key.secret_hash)
        .sql(", ")
        .number(key.created_at.as_micros())
        .sql(", ")
        .optional(key.revoked_at.map(Timestamp::as_micros))
        .sql(")");
    // Not tried again: a second attempt could not tell our own key from a stranger's.
    let mut connection = reader.connection().await?;
    let added = reader.ask_on(&mut connection, script).await;
    added.map(drop).map_err(|failure| {
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

pub(crate) async fn revoke(reader: &Reader, id: &str, at: Timestamp) -> Result<Option<KeyRecord>, Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement("UPDATE api_keys SET revoked_at = ")
            .number(at.as_micros())
            .sql(" WHERE revoked_at IS NULL AND id = ")
            .text(id)
            .statement(SELECT)
            .sql(" WHERE id = ")
            .text(id);
        script
    };
    reader.ask_one(script).await?.rows.first().map(record).transpose()
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
