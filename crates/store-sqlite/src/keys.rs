//! API keys.

use crate::audit;
use crate::error::Failure;
use crate::row::{optional_timestamp, timestamp};
use coupon_app::{KeyId, KeyRecord, Origin, Scope};
use coupon_core::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior};

const COLUMNS: &str = "id, name, scopes, secret_hash, created_at, revoked_at, expires_at, last_used_at";

/// Keeps a new key, and that it was made.
pub(crate) fn add(connection: &mut Connection, key: &KeyRecord, origin: &Origin) -> Result<(), Failure> {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let added = transaction
        .prepare_cached(
            "INSERT INTO api_keys (id, name, scopes, secret_hash, created_at, revoked_at, expires_at, last_used_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING",
        )?
        .execute((
            &*key.id,
            &*key.name,
            scopes.join(" "),
            &key.secret_hash,
            key.created_at.as_micros(),
            key.revoked_at.map(Timestamp::as_micros),
            key.expires_at.map(Timestamp::as_micros),
            key.last_used_at.map(Timestamp::as_micros),
        ))?;
    if added != 1 {
        return Err(Failure::KeyTaken(key.id.as_ref().to_owned()));
    }
    audit::key(&transaction, key.created_at, origin, None, key)?;
    transaction.commit()?;
    Ok(())
}

/// Every key, in order of making.
pub(crate) fn all(connection: &Connection) -> Result<Vec<KeyRecord>, Failure> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM api_keys ORDER BY number"))?;
    let mut rows = statement.query([])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        keys.push(record(row)?);
    }
    Ok(keys)
}

/// Revokes a key, and keeps that it was; or finds it revoked.
pub(crate) fn revoke(
    connection: &mut Connection,
    id: &str,
    at: Timestamp,
    origin: &Origin,
) -> Result<Option<KeyRecord>, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = transaction
        .prepare_cached(&format!("SELECT {COLUMNS} FROM api_keys WHERE id = ?1"))?
        .query_row([id], |row| Ok(record(row)))
        .optional()?
        .transpose()?;
    let Some(before) = found.as_ref().filter(|key| key.revoked_at.is_none()) else {
        return Ok(found);
    };
    transaction
        .prepare_cached("UPDATE api_keys SET revoked_at = ?2 WHERE id = ?1")?
        .execute((id, at.as_micros()))?;
    let after = KeyRecord {
        revoked_at: Some(at),
        ..before.clone()
    };
    audit::key(&transaction, at, origin, Some(before), &after)?;
    transaction.commit()?;
    Ok(Some(after))
}

/// Notes when keys were last used.
pub(crate) fn note_used(connection: &mut Connection, used: &[(KeyId, Timestamp)]) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (id, at) in used {
        transaction
            .prepare_cached(
                "UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1 AND coalesce(last_used_at, 0) < ?2",
            )?
            .execute((&**id, at.as_micros()))?;
    }
    transaction.commit()?;
    Ok(())
}

fn record(row: &Row<'_>) -> Result<KeyRecord, Failure> {
    let names: String = row.get(2)?;
    let scopes = names
        .split(' ')
        .map(|name| Scope::parse(name).ok_or_else(|| Failure::Damaged(format!("{name} is no scope"))))
        .collect::<Result<_, _>>()?;
    Ok(KeyRecord {
        id: row.get(0)?,
        name: row.get(1)?,
        scopes,
        secret_hash: row.get(3)?,
        created_at: timestamp(row.get(4)?)?,
        revoked_at: optional_timestamp(row.get(5)?)?,
        expires_at: optional_timestamp(row.get(6)?)?,
        last_used_at: optional_timestamp(row.get(7)?)?,
    })
}
