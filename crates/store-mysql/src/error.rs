//! What can go wrong here, and whether trying again may help.

use coupon_app::{LedgerError, Reason, StoreError};
use sqlx::mysql::MySqlDatabaseError;

/// The store or the ledger could not be opened. Every message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is not one.
    #[error(
        "the database's address is not one ({0}); it looks like mysql://user:password@host:3306/database"
    )]
    Address(String),
    /// The server cannot be reached or does not let us in.
    #[error(
        "the database cannot be opened: {0}; see that it runs, and that user, password and TLS are right"
    )]
    Unreachable(sqlx::Error),
    /// The tables are missing or older than the program.
    #[error("the database has schema {found}, and this program needs {needed}; run `firstcome migrate`")]
    NotMigrated {
        /// The newest migration that was run; 0 when none was.
        found: i64,
        /// The one that is needed.
        needed: i64,
    },
    /// A later version of the program has been here.
    #[error(
        "the database has schema {found}, and this program knows {known}; start the version that made it"
    )]
    NewerSchema {
        /// The newest migration that was run.
        found: i64,
        /// The newest known one.
        known: i64,
    },
    /// A setting was declared that is not judged.
    #[error("{0} is not a setting that is judged; it cannot be declared")]
    NotASetting(String),
    /// A migration failed.
    #[error("the database could not be migrated: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// What is in the database cannot be understood.
    #[error("the database could not be read: {0}")]
    Unreadable(Failure),
}

/// Any failure between us and the database.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server's answer, or the lack of one.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The server did not answer within this time.
    #[error("the database did not answer within {0:?}")]
    NoAnswer(std::time::Duration),
    /// A value that no version of this program can have written.
    #[error("damaged: {0}")]
    Damaged(String),
    /// A coupon cannot be read or written as JSON.
    #[error("a coupon's JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A row changed although we had locked it, or was not as we had read it.
    #[error("{0} has changed in the meantime")]
    Overtaken(&'static str),
    /// A later holder of the lock has decided since.
    #[error("a later fencing token than ours has been used")]
    Fenced,
    /// The lock that lowers contention could not be had.
    #[error("no turn: {0}")]
    NoTurn(Box<dyn std::error::Error + Send + Sync>),
    /// The ledger is configured too weakly for its promise.
    #[error("the database is configured too weakly: {0}")]
    Weak(String),
    /// A key with this id exists.
    #[error("the key {0} exists already")]
    KeyTaken(String),
    /// The task that spoke to the database ended without an answer.
    #[error("the task that spoke to the database ended: {0}")]
    TaskLost(#[from] tokio::task::JoinError),
}

/// The server's error numbers that mean: nothing happened, try again.
mod number {
    pub(super) const DUPLICATE_KEY: u16 = 1062;
    pub(super) const LOCK_WAIT_TIMEOUT: u16 = 1205;
    pub(super) const DEADLOCK: u16 = 1213;
    /// MariaDB: the row has changed since it was read.
    pub(super) const CHANGED_SINCE_READ: u16 = 1020;
    pub(super) const TOO_MANY_CONNECTIONS: u16 = 1040;
    pub(super) const SHUTTING_DOWN: u16 = 1053;
    pub(super) const QUERY_INTERRUPTED: u16 = 1317;
    /// MariaDB: the connection was ended by an operator or because nobody used it.
    pub(super) const CONNECTION_KILLED: u16 = 1927;
    /// MySQL: the session was ended by an operator.
    pub(super) const SESSION_KILLED: u16 = 3169;
    /// MySQL: the connection was ended because nobody used it.
    pub(super) const UNUSED: u16 = 4031;
    /// `read_only` or `super_read_only`: a replica, or a primary that is being moved.
    pub(super) const READ_ONLY: u16 = 1290;
    pub(super) const READ_ONLY_MODE: u16 = 1836;
}

impl Failure {
    /// The number of the server's error, if it is one.
    pub(crate) fn number(&self) -> Option<u16> {
        let Self::Database(sqlx::Error::Database(error)) = self else {
            return None;
        };
        error
            .try_downcast_ref::<MySqlDatabaseError>()
            .map(MySqlDatabaseError::number)
    }

    /// Whether the connection can no longer be used: it was lost, or an answer may still be on its way.
    pub(crate) fn breaks_connection(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(_)) => matches!(
                self.number(),
                Some(
                    number::SHUTTING_DOWN
                        | number::CONNECTION_KILLED
                        | number::SESSION_KILLED
                        | number::UNUSED
                )
            ),
            Self::Database(_) => true,
            Self::NoAnswer(_) | Self::TaskLost(_) | Self::Damaged(_) => true,
            Self::Json(_)
            | Self::Overtaken(_)
            | Self::Fenced
            | Self::NoTurn(_)
            | Self::Weak(_)
            | Self::KeyTaken(_) => false,
        }
    }

    /// Whether a key was there already.
    pub(crate) fn is_duplicate(&self) -> bool {
        self.number() == Some(number::DUPLICATE_KEY)
    }

    /// Whether trying again may help.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(_)) => matches!(
                self.number(),
                Some(
                    number::DEADLOCK
                        | number::LOCK_WAIT_TIMEOUT
                        | number::CHANGED_SINCE_READ
                        | number::DUPLICATE_KEY
                        | number::TOO_MANY_CONNECTIONS
                        | number::SHUTTING_DOWN
                        | number::CONNECTION_KILLED
                        | number::SESSION_KILLED
                        | number::UNUSED
                        | number::QUERY_INTERRUPTED
                        | number::READ_ONLY
                        | number::READ_ONLY_MODE
                )
            ),
            Self::Database(
                sqlx::Error::Io(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::Protocol(_)
                | sqlx::Error::WorkerCrashed,
            )
            | Self::NoAnswer(_)
            | Self::Overtaken(_)
            | Self::Fenced
            | Self::NoTurn(_)
            | Self::TaskLost(_) => true,
            Self::Weak(_) | Self::Database(_) | Self::Damaged(_) | Self::Json(_) | Self::KeyTaken(_) => false,
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        // A key that is taken stays taken; inside a transaction it is tried again before it gets here.
        if failure.passes() && !failure.is_duplicate() {
            Self::passing(failure)
        } else {
            Self::lasting(failure)
        }
    }
}

/// Nothing happened.
pub(crate) fn unavailable(failure: Failure) -> LedgerError {
    LedgerError::Unavailable(Reason::adapter(failure))
}

/// It may have happened.
pub(crate) fn indeterminate(failure: Failure) -> LedgerError {
    LedgerError::Indeterminate(Reason::adapter(failure))
}
