//! Connections: how they are made, what is set on each, and round trips with a limit on waiting.

use crate::error::{Failure, OpenError};
use crate::limits;
use crate::script::Script;
use futures_util::TryStreamExt;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::{ConnectOptions, Connection, Either};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What is set on every connection, so that nothing depends on how the server is configured: no value is cut to fit,
/// a statement sees what was committed before it, and a transaction ends where we say.
const SETTINGS: &str = "SET SESSION sql_mode = \
    'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', SESSION autocommit = 1;\
    SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// Makes connections to one database.
#[derive(Clone)]
pub(crate) struct Connector {
    options: MySqlConnectOptions,
    lock_wait_s: u32,
    answer_within: Duration,
}

impl fmt::Debug for Connector {
    /// Without the password, which the library's own would show.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("host", &self.options.get_host())
            .field("port", &self.options.get_port())
            .finish_non_exhaustive()
    }
}

impl Connector {
    /// `lock_wait`, in whole seconds and at least one, is how long a statement waits for a row; `answer_within` is
    /// how long we wait for the server, and longer.
    pub(crate) fn new(url: &str, lock_wait: Duration, answer_within: Duration) -> Result<Self, OpenError> {
        let options = MySqlConnectOptions::from_str(url)
            .map_err(|error| OpenError::Address(error.to_string()))?
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(Some("+00:00".to_owned()))
            // Statements carry user ids, and would be written into the log.
            .disable_statement_logging();
        Ok(Self {
            options,
            lock_wait_s: u32::try_from(lock_wait.as_secs()).unwrap_or(u32::MAX).max(1),
            answer_within,
        })
    }

    /// For the library's pool.
    pub(crate) fn options(&self) -> &MySqlConnectOptions {
        &self.options
    }

    pub(crate) fn answer_within(&self) -> Duration {
        self.answer_within
    }

    /// Opens a connection, ready for use.
    pub(crate) async fn connect(&self) -> Result<MySqlConnection, Failure> {
        let opening = async {
            let mut connection = self.options.connect().await?;
            self.prepare(&mut connection).await?;
            Ok(connection)
        };
        within(self.answer_within, opening).await
    }

    /// Sets a fresh connection up.
    pub(crate) async fn prepare(&self, connection: &mut MySqlConnection) -> Result<(), Failure> {
        let mut script = Script::new();
        script
            .statement(SETTINGS)
            .statement("SET SESSION innodb_lock_wait_timeout = ")
            .number(self.lock_wait_s);
        ask(connection, script).await.map(drop)
    }
}

/// The result of one statement.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    /// Its rows.
    pub(crate) rows: Vec<MySqlRow>,
    /// Rows that it found and, where it writes, wrote.
    pub(crate) affected: u64,
    /// What the server last counted up for it.
    pub(crate) last_id: u64,
}

/// One round trip. After an error the statements behind the failed one have not been carried out.
pub(crate) async fn ask(connection: &mut MySqlConnection, script: Script) -> Result<Vec<Answered>, Failure> {
    let mut answered = Vec::with_capacity(script.statements());
    let mut results = sqlx::raw_sql(script.into_sql()).fetch_many(connection);
    let mut one = Answered::default();
    while let Some(result) = results.try_next().await? {
        match result {
            Either::Right(row) => one.rows.push(row),
            Either::Left(done) => {
                one.affected = done.rows_affected();
                one.last_id = done.last_insert_id();
                answered.push(std::mem::take(&mut one));
            }
        }
    }
    Ok(answered)
}

/// Waits no longer than this.
pub(crate) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or(Err(Failure::NoAnswer(limit)))
}

/// One connection that is opened when it is needed and dropped when it cannot be relied on.
#[derive(Debug)]
pub(crate) struct Line {
    connector: Connector,
    connection: Option<MySqlConnection>,
}

impl Line {
    pub(crate) fn new(connector: Connector) -> Self {
        Self {
            connector,
            connection: None,
        }
    }

    /// Whether it is open.
    pub(crate) fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    /// Opens it if it is not.
    pub(crate) async fn open(&mut self) -> Result<(), Failure> {
        if self.connection.is_none() {
            self.connection = Some(self.connector.connect().await?);
        }
        Ok(())
    }

    /// One round trip. A connection that broke, or whose answer did not come in time, is dropped.
    pub(crate) async fn ask(&mut self, script: Script) -> Result<Vec<Answered>, Failure> {
        self.open().await?;
        let Some(mut connection) = self.connection.take() else {
            return Err(Failure::Overtaken("the connection"));
        };
        // Taken out, so that it is gone if this future is dropped in between.
        let answered = within(self.connector.answer_within, ask(&mut connection, script)).await;
        let sound = answered
            .as_ref()
            .err()
            .is_none_or(|failure| !failure.breaks_connection());
        if sound {
            self.connection = Some(connection);
        }
        answered
    }

    /// One round trip of one statement.
    pub(crate) async fn ask_one(&mut self, script: Script) -> Result<Answered, Failure> {
        let mut answered = self.ask(script).await?;
        answered
            .pop()
            .ok_or(Failure::Damaged("a statement without a result".to_owned()))
    }

    /// Ends a transaction that is not to be committed. Whatever happens, it will not be.
    pub(crate) async fn roll_back(&mut self) {
        if self.connection.is_some() {
            let mut script = Script::new();
            script.statement("ROLLBACK");
            if self.ask(script).await.is_err() {
                self.connection = None;
            }
        }
    }

    /// Drops the connection without ceremony.
    pub(crate) fn cut(&mut self) {
        self.connection = None;
    }

    /// Says goodbye.
    pub(crate) async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            // The server would find out by itself.
            within(self.connector.answer_within, async {
                Ok(connection.close().await?)
            })
            .await
            .ok();
        }
    }
}

/// The pause before attempt `attempt`, counted from 0.
pub(crate) fn pause(attempt: u32) -> Duration {
    limits::FIRST_PAUSE
        .saturating_mul(1 << attempt.min(10))
        .min(limits::LONGEST_PAUSE)
}
