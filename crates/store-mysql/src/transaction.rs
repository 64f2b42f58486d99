//! A transaction on a connection of the pool, and how often it is tried.

use crate::connection::Answered;
use crate::error::Failure;
use crate::script::Script;
use crate::store::Reader;
use sqlx::MySql;
use sqlx::pool::PoolConnection;

/// One transaction. Dropped before its end it is undone, with its connection.
pub(crate) struct Transaction {
    reader: Reader,
    connection: PoolConnection<MySql>,
    open: bool,
}

impl Transaction {
    pub(crate) async fn begin(reader: &Reader) -> Result<Self, Failure> {
        let mut transaction = Self {
            reader: reader.clone(),
            connection: reader.connection().await?,
            open: true,
        };
        let mut script = Script::new();
        script.statement("START TRANSACTION");
        transaction.ask(script).await?;
        Ok(transaction)
    }

    /// One round trip.
    pub(crate) async fn ask(&mut self, script: Script) -> Result<Vec<Answered>, Failure> {
        self.reader.ask_on(&mut self.connection, script).await
    }

    /// One round trip of one statement.
    pub(crate) async fn ask_one(&mut self, script: Script) -> Result<Answered, Failure> {
        Ok(self.ask(script).await?.pop().unwrap_or_default())
    }

    /// Ends it. If the answer is lost it may have been committed.
    pub(crate) async fn commit(self) -> Result<(), Failure> {
        self.end("COMMIT").await
    }

    /// Undoes it.
    pub(crate) async fn roll_back(self) -> Result<(), Failure> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, how: &'static str) -> Result<(), Failure> {
        let mut script = Script::new();
        script.statement(how);
        self.ask(script).await?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.open {
            self.connection.close_on_drop();
        }
    }
}

/// Tries one transaction until it ends, and returns what it gave.
macro_rules! until_done {
    ($reader:expr, $attempt:expr) => {{
        let mut tries = $crate::transaction::Tries::default();
        loop {
            match $attempt.await {
                Ok(done) => return Ok(done),
                Err(failure) => tries.after($reader, failure).await?,
            }
        }
    }};
}

pub(crate) use until_done;

/// How often something was tried that may be tried again, whether or not it was committed.
#[derive(Debug, Default)]
pub(crate) struct Tries(u32);

impl Tries {
    /// Waits a little after a failure; gives it back when trying again is of no use.
    pub(crate) async fn after(&mut self, reader: &Reader, failure: Failure) -> Result<(), Failure> {
        if !failure.passes() || self.0 + 1 >= reader.attempts() {
            return Err(failure);
        }
        reader.pause(self.0).await;
        self.0 += 1;
        Ok(())
    }
}
