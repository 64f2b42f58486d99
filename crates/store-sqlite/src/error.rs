//! What can go wrong here, and whether trying again may help.

use coupon_app::{Seq, StoreError};
use rusqlite::ErrorCode;
use std::path::PathBuf;

/// The store could not be opened. Every message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory of the file is not there.
    #[error("the directory {0} does not exist; create it first, or name another")]
    NoDirectory(PathBuf),
    /// The file or its directory cannot be written.
    #[error(
        "{path} cannot be opened ({cause}); give this user read and write permission to the file and its directory"
    )]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A later version of the program wrote it.
    #[error(
        "{path} has format {found}, and this program knows formats up to {known}; start the version that wrote it, or \
         restore a backup made by this version"
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest known one.
        known: i64,
    },
    /// Something else lies there.
    #[error("{path} is neither a store nor a backup of firstcome; move it away, or name another")]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// SQLite refused.
    #[error("{path} could not be opened: {cause}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it said.
        cause: rusqlite::Error,
    },
    /// What is in the file cannot be understood.
    #[error("{path} is damaged: {cause}; restore a backup that is whole")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Any failure inside the store, on its way to becoming a [`StoreError`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// SQLite's own.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// Entries are missing in front of those that came.
    #[error("entry {due} is due, and entry {came} came; nothing was written")]
    Gap {
        /// The next number.
        due: Seq,
        /// The one that came.
        came: Seq,
    },
    /// A value that no version of this program can have written.
    #[error("damaged: {0}")]
    Damaged(String),
    /// A coupon cannot be read or written as JSON.
    #[error("a coupon's JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A number that SQLite cannot hold.
    #[error("{0} is beyond what the store can count")]
    TooLarge(u64),
    /// A key with this id exists.
    #[error("the key {0} exists already")]
    KeyTaken(String),
    /// The last write failed.
    #[error("the last write failed: {0}")]
    CannotWrite(String),
    /// A thread that was reading ended without an answer.
    #[error("a reader ended without an answer: {0}")]
    ReaderLost(#[from] tokio::task::JoinError),
}

impl Failure {
    /// Whether trying again may help: somebody else held a lock.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
            ),
            Self::ReaderLost(_) => true,
            Self::Gap { .. }
            | Self::Damaged(_)
            | Self::Json(_)
            | Self::TooLarge(_)
            | Self::KeyTaken(_)
            | Self::CannotWrite(_) => false,
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        if failure.passes() {
            Self::passing(failure)
        } else {
            Self::lasting(failure)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    #[test]
    fn only_what_somebody_else_holds_passes() {
        let of = |code| {
            let failure = Failure::Sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
            StoreError::from(failure).retriable
        };
        assert!(of(ffi::SQLITE_BUSY) && of(ffi::SQLITE_LOCKED) && of(ffi::SQLITE_BUSY_SNAPSHOT));
        for lasting in [
            ffi::SQLITE_FULL,
            ffi::SQLITE_CORRUPT,
            ffi::SQLITE_READONLY,
            ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_NOTADB,
            ffi::SQLITE_CONSTRAINT,
        ] {
            assert!(!of(lasting), "{lasting}");
        }
    }
}
