//! Connections with the settings that the promises rest on.

use crate::error::{Failure, OpenError};
use crate::migrations::{APPLICATION_ID, format, migrate, newest};
use crate::store::SqliteOptions;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// How long a connection waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// When the write-ahead log is carried into the file: as soon as it has so many pages of 4 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carry {
    /// While the store follows a sale. Rows are appended, so few pages would be carried once instead of twice if it were
    /// more; but a disk that writes megabytes lets the journal's sync wait for them.
    Soon = 64,
    /// While coupons are redeemed: each changes pages anywhere, a batch more than the follower's whole log, and the same
    /// ones again in the next; and each carrying costs two syncs, for which those wait who redeem. While jobs go through
    /// the store too: what one batch has half filled the next one fills. The carrier does it beside them; this is when the
    /// log has to begin anew. During a sale the follower carries it, many times a second and so never much.
    Later = 16_000,
}

/// Says when the log is carried from now on.
pub(crate) fn carry(connection: &Connection, when: Carry) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "wal_autocheckpoint", when as i64)
}

/// The log keeps at most so many bytes on disk when it begins anew: what [`Carry::Later`] lets come together, and what a
/// fold adds goes again.
const LOG_BYTES: i64 = 64 << 20;

/// A page of a store, in bytes. No store is shorter, unless it is empty.
const PAGE: u64 = 4_096;

/// Opens the connection that writes, making the file and its tables if need be.
pub(crate) fn open_writer(path: &Path, options: &SqliteOptions) -> Result<Connection, OpenError> {
    make_file(path)?;
    // A connection that may write carries what a crash left in the log when it closes.
    check_format(path, &open_to_read(path)?)?;
    let sqlite = |cause| open_error(path, cause);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(sqlite)?;
    set_up_writer(&connection, options).map_err(sqlite)?;
    migrate(&mut connection).map_err(|failure| damaged(path, failure))?;
    Ok(connection)
}

/// Opens a connection that only reads a store that is there.
pub(crate) fn open_reader(path: &Path, cache_kib: u32) -> Result<Connection, OpenError> {
    let connection = open_to_read(path)?;
    let is_new = check_format(path, &connection)?;
    if is_new {
        return Err(OpenError::NotAStore { path: path.into() });
    }
    set_up_reader(&connection, cache_kib).map_err(|cause| open_error(path, cause))?;
    Ok(connection)
}

fn open_to_read(path: &Path) -> Result<Connection, OpenError> {
    let sqlite = |cause| open_error(path, cause);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(sqlite)?;
    Ok(connection)
}

fn set_up_writer(connection: &Connection, options: &SqliteOptions) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: a commit has returned only when the log is on the disk.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -i64::from(options.writer_cache_kib))?;
    carry(connection, Carry::Soon)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    // Sorting needs no second directory that can be written.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    if let Some(pages) = options.max_pages {
        connection.pragma_update(None, "max_page_count", pages)?;
    }
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn set_up_reader(connection: &Connection, cache_kib: u32) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(())
}

/// The file holds user ids and hashes of secrets: only its owner may read it. SQLite gives the log the same mode.
pub(crate) fn make_file(path: &Path) -> Result<(), OpenError> {
    let made = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path);
    match made {
        Ok(file) => refuse_stump(path, &file),
        Err(cause) if cause.kind() == ErrorKind::NotFound => {
            let directory = path.parent().unwrap_or(Path::new("."));
            Err(OpenError::NoDirectory(directory.into()))
        }
        Err(cause) => Err(OpenError::NotWritable {
            path: path.into(),
            cause,
        }),
    }
}

/// SQLite takes a file that is shorter than one page for an empty one and would begin anew.
fn refuse_stump(path: &Path, file: &File) -> Result<(), OpenError> {
    let length = file.metadata().map_err(|cause| OpenError::NotWritable {
        path: path.into(),
        cause,
    })?;
    if (1..PAGE).contains(&length.len()) {
        let cut_off = format!("it has only {} bytes", length.len());
        return Err(damaged(path, Failure::Damaged(cut_off)));
    }
    Ok(())
}

/// Refuses what this program must not touch. Says whether the file is new and empty.
fn check_format(path: &Path, connection: &Connection) -> Result<bool, OpenError> {
    let sqlite = |cause| open_error(path, cause);
    let id: i64 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(sqlite)?;
    let found = format(connection).map_err(sqlite)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(sqlite)?;
    if id == 0 && found == 0 && tables == 0 {
        return Ok(true);
    }
    if id != APPLICATION_ID {
        return Err(OpenError::NotAStore { path: path.into() });
    }
    let known = newest();
    if found > known {
        return Err(OpenError::NewerFormat {
            path: path.into(),
            found,
            known,
        });
    }
    Ok(false)
}

fn open_error(path: &Path, cause: rusqlite::Error) -> OpenError {
    let path = path.to_path_buf();
    match cause.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotAStore { path },
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged {
            path,
            cause: cause.into(),
        },
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            OpenError::NotWritable {
                path,
                cause: std::io::Error::other(cause),
            }
        }
        _ => OpenError::Sqlite { path, cause },
    }
}

/// The error of a file that could be opened and not be understood.
pub(crate) fn damaged(path: &Path, failure: Failure) -> OpenError {
    if let Failure::Sqlite(cause) = failure {
        return open_error(path, cause);
    }
    let cause = failure;
    OpenError::Damaged {
        path: path.into(),
        cause: cause.into(),
    }
}
