//! API keys.

use crate::error::Failure;
use crate::row::{optional_timestamp, timestamp};
use coupon_app::{KeyRecord, Scope};
use coupon_core::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

const COLUMNS: &str = "id, name, scopes, secret_hash, created_at, revoked_at";

/// Keeps a new key.
pub(crate) fn add(connection: &Connection, key: &KeyRecord) -> Result<(), Failure> {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
    let added = connection
        .prepare_cached(
            "INSERT INTO api_keys (id, name, scopes, secret_hash, created_at, revoked_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO NOTHING",
        )?
        .execute((
            &*key.id,
            &*key.name,
            scopes.join(" "),
            &key.secret_hash,
            key.created_at.as_micros(),
            key.revoked_at.map(Timestamp::as_micros),
        ))?;
    if added == 1 {
        Ok(())
    } else {
        Err(Failure::KeyTaken(key.id.as_ref().to_owned()))
    }
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

/// Revokes a key, or finds it revoked.
pub(crate) fn revoke(
    connection: &mut Connection,
    id: &str,
    at: Timestamp,
) -> Result<Option<KeyRecord>, Failure> {
    connection
        .prepare_cached("UPDATE api_keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL")?
        .execute((id, at.as_micros()))?;
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM api_keys WHERE id = ?1"))?;
    statement
        .query_row([id], |row| Ok(record(row)))
        .optional()?
        .transpose()
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
    })
}
