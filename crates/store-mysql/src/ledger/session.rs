//! A ledger's session: one connection, and the row by which the end of a COMMIT can be found out.
//!
//! Every transaction that writes also counts up the `committed` of its session's row. If the answer to a COMMIT is
//! lost, a new connection locks that row, which waits until the transaction has ended in one way or the other, and
//! reads whether it was counted. That is exact: no other session writes this row, and a session that could not find
//! out is never used again.

use super::Condition;
use crate::connection::{Answered, Connector, Line, pause};
use crate::error::Failure;
use crate::limits;
use crate::row::unsigned;
use crate::script::Script;
use crate::settings::{self, Declared};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The database's time in microseconds, read when it is evaluated: `NOW` would be that of the statement's start,
/// before the row lock was held. Sessions run in UTC.
pub(crate) const CLOCK: &str = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', SYSDATE(6))";

/// How sessions are made and used.
#[derive(Debug)]
pub(super) struct SessionRules {
    pub(super) connector: Connector,
    pub(super) declared: Declared,
    pub(super) condition: Arc<Condition>,
    pub(super) find_out_within: Duration,
    pub(super) vanished_after_s: u32,
}

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    rules: Arc<SessionRules>,
    line: Line,
    id: [u8; 16],
    committed: u64,
}

/// How a transaction ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// It is durable.
    Committed,
    /// Nothing of it happened, and nothing will.
    Undone(Failure),
    /// It could not be found out in time.
    Unknown(Failure),
}

fn fresh_id() -> Result<[u8; 16], Failure> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| Failure::Damaged(format!("no random numbers: {error}")))?;
    Ok(id)
}

impl Session {
    pub(super) fn new(rules: Arc<SessionRules>) -> Result<Self, Failure> {
        Ok(Self {
            line: Line::new(rules.connector.clone()),
            rules,
            id: fresh_id()?,
            committed: 0,
        })
    }

    /// Connects if it is not connected: refuses a server that is configured too weakly, and makes sure of its row.
    pub(super) async fn open(&mut self) -> Result<(), Failure> {
        if self.line.is_open() {
            return Ok(());
        }
        self.line.open().await?;
        let opened = self.register().await;
        if opened.is_err() {
            self.line.cut();
        }
        opened
    }

    async fn register(&mut self) -> Result<(), Failure> {
        let answered = self.line.ask(settings::questions()).await?;
        self.rules
            .condition
            .judge(&settings::read(&answered)?, &self.rules.declared)?;
        let mut script = Script::new();
        script
            // The server lets go of our locks so long after we have vanished.
            .statement("SET SESSION wait_timeout = ")
            .number(self.rules.vanished_after_s)
            .statement("INSERT INTO ledger_sessions (id, committed, used_at) VALUES (")
            .bytes(&self.id)
            .sql(", ")
            .number(self.committed)
            .sql(", ")
            .sql(CLOCK)
            .sql(") ON DUPLICATE KEY UPDATE used_at = VALUES(used_at)");
        self.line.ask(script).await.map(drop)
    }

    /// One round trip.
    pub(super) async fn ask(&mut self, script: Script) -> Result<Vec<Answered>, Failure> {
        self.line.ask(script).await
    }

    /// Adds the statement that counts this session's next transaction.
    pub(super) fn count(&self, script: &mut Script) {
        script
            .statement("UPDATE ledger_sessions SET committed = ")
            .number(self.committed + 1)
            .sql(", used_at = ")
            .sql(CLOCK)
            .sql(" WHERE id = ")
            .bytes(&self.id)
            .sql(" AND committed = ")
            .number(self.committed);
    }

    /// Ends a transaction that is not to be committed.
    pub(super) async fn roll_back(&mut self) {
        self.line.roll_back().await;
    }

    /// Commits a transaction in which [`Session::count`] was carried out.
    pub(super) async fn commit(&mut self) -> Ended {
        let mut script = Script::new();
        script.statement("COMMIT");
        match self.line.ask(script).await {
            Ok(_) => {
                self.committed += 1;
                Ended::Committed
            }
            Err(failure) => self.find_out(failure).await,
        }
    }

    async fn find_out(&mut self, lost: Failure) -> Ended {
        self.line.cut();
        let until = Instant::now() + self.rules.find_out_within;
        let mut attempt = 0;
        loop {
            match self.counted().await {
                Ok(counted) if counted == self.committed + 1 => {
                    self.committed = counted;
                    return Ended::Committed;
                }
                Ok(counted) if counted == self.committed => return Ended::Undone(lost),
                Ok(_) | Err(_) if Instant::now() >= until => break,
                Ok(_) | Err(_) => self.line.cut(),
            }
            tokio::time::sleep(pause(attempt)).await;
            attempt += 1;
        }
        // The old transaction may still end: nothing may be counted on its row any more.
        self.line.cut();
        match fresh_id() {
            Ok(id) => (self.id, self.committed) = (id, 0),
            Err(failure) => return Ended::Unknown(failure),
        }
        Ended::Unknown(lost)
    }

    /// What the row of this session says, once nobody else has it locked.
    async fn counted(&mut self) -> Result<u64, Failure> {
        let mut script = Script::new();
        script
            .statement("SELECT committed FROM ledger_sessions WHERE id = ")
            .bytes(&self.id)
            .sql(" FOR UPDATE");
        self.line.cut();
        let answered = self.line.ask_one(script).await?;
        // Opened again, with everything that belongs to it, before it is used for more than this.
        self.line.cut();
        let row = answered.rows.first();
        row.map_or(Err(Failure::Overtaken("the row of a session")), |row| {
            unsigned(row, 0)
        })
    }

    /// Sweeps away the rows of sessions that nobody has used for very long.
    pub(super) async fn sweep(&mut self) -> Result<(), Failure> {
        let mut script = Script::new();
        script
            .statement("DELETE FROM ledger_sessions WHERE used_at < ")
            .sql(CLOCK)
            .sql(" - ")
            .number(limits::SESSION_LIFE_US)
            .sql(" LIMIT 1000");
        self.ask(script).await.map(drop)
    }

    /// Says goodbye; its row is not needed any more.
    pub(super) async fn close(&mut self) {
        if self.line.is_open() {
            let mut script = Script::new();
            script
                .statement("DELETE FROM ledger_sessions WHERE id = ")
                .bytes(&self.id);
            // What stays is swept away some time.
            self.line.ask(script).await.ok();
            self.line.close().await;
        }
    }
}
