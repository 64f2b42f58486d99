//! The seal of a backup: a digest of everything in the file, so that a changed bit anywhere is found.
//!
//! SQLite's own check sees the shape of the file and not the values in it; a flipped bit in a time or in the hash of a
//! secret passes there. The digest goes over what the tables say, not over pages, so that a page that nothing uses
//! does not matter. The seal is written last, and so a backup that was interrupted has none.

use crate::error::Failure;
use crate::migrations::format;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

/// The digest of everything but the seal.
pub(crate) fn digest(connection: &Connection) -> Result<[u8; 32], Failure> {
    let mut hash = Sha256::new();
    hash.update(format(connection)?.to_le_bytes());
    add_rows(
        connection,
        &mut hash,
        "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name",
    )?;
    let mut statement = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('seal') AND name NOT LIKE 'sqlite_%'
         ORDER BY name",
    )?;
    let names: Vec<String> = statement
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for name in names {
        hash.update(name.as_bytes());
        // Not indexed: in the order of the table's own key, which is the same in every copy.
        add_rows(
            connection,
            &mut hash,
            &format!("SELECT * FROM {name} NOT INDEXED"),
        )?;
    }
    Ok(hash.finalize().into())
}

fn add_rows(connection: &Connection, hash: &mut Sha256, sql: &str) -> Result<(), Failure> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut bytes = Vec::new();
    while let Some(row) = rows.next()? {
        bytes.clear();
        for column in 0..columns {
            add_value(&mut bytes, row.get_ref(column)?);
        }
        hash.update(&bytes);
    }
    hash.update(b"end");
    Ok(())
}

/// Kind, length and bytes, so that no two rows look alike.
fn add_value(bytes: &mut Vec<u8>, value: ValueRef<'_>) {
    let mut add = |kind: u8, content: &[u8]| {
        bytes.push(kind);
        bytes.extend_from_slice(&content.len().to_le_bytes());
        bytes.extend_from_slice(content);
    };
    match value {
        ValueRef::Null => add(0, &[]),
        ValueRef::Integer(number) => add(1, &number.to_le_bytes()),
        ValueRef::Real(number) => add(2, &number.to_le_bytes()),
        ValueRef::Text(text) => add(3, text),
        ValueRef::Blob(blob) => add(4, blob),
    }
}

/// The seal that the file bears, if it is a backup.
pub(crate) fn seal(connection: &Connection) -> Result<Option<[u8; 32]>, Failure> {
    let seal = connection.query_row("SELECT digest FROM seal", [], |row| row.get(0));
    Ok(seal.optional()?)
}

/// Seals the file.
pub(crate) fn set_seal(connection: &Connection) -> Result<(), Failure> {
    let digest = digest(connection)?;
    connection.execute(
        "INSERT OR REPLACE INTO seal (only, digest) VALUES (1, ?1)",
        [&digest],
    )?;
    Ok(())
}
