//! Somebody else at the same database: transactions that stand in the way, and what the server says of waiting.

use super::rig;
use coupon_testkit::{SqlDatabase, wait_until};
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Connection, Row};
use std::time::Duration;

/// A connection of a stranger's.
pub(crate) struct Outside(MySqlConnection);

impl Outside {
    pub(crate) async fn of(database: &SqlDatabase) -> Self {
        Self(MySqlConnection::connect(database.url()).await.unwrap())
    }

    pub(crate) async fn ask(&mut self, sql: &str) -> Result<Vec<i64>, sqlx::Error> {
        let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut self.0).await?;
        Ok(rows
            .iter()
            .map(|row| row.try_get_unchecked(0).unwrap_or_default())
            .collect())
    }

    pub(crate) async fn does(&mut self, sql: &str) {
        self.ask(sql).await.unwrap();
    }
}

/// Waits until so many transactions on this database wait for a lock.
pub(crate) async fn until_waiting(database: &SqlDatabase, count: usize) {
    let url = database.url().to_owned();
    let name = database.name().to_owned();
    let query = format!(
        "SELECT COUNT(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p \
         ON p.id = t.trx_mysql_thread_id WHERE t.trx_state = 'LOCK WAIT' AND p.db = '{name}'"
    );
    let waiting = tokio::task::spawn_blocking(move || {
        let mut loop_of_its_own = tokio::runtime::Builder::new_current_thread();
        let runtime = loop_of_its_own.enable_all().build().unwrap();
        let mut connection = runtime.block_on(MySqlConnection::connect(&url)).unwrap();
        wait_until(Duration::from_secs(20), || {
            let asked = sqlx::query_scalar::<_, i64>(AssertSqlSafe(query.as_str()));
            let found = runtime.block_on(asked.fetch_one(&mut connection)).unwrap();
            usize::try_from(found).unwrap() >= count
        })
    });
    assert!(waiting.await.unwrap(), "nobody waits for a lock");
}

/// The database's time in microseconds.
pub(crate) fn now(database: &SqlDatabase) -> i64 {
    let answered = database
        .query("SELECT CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) AS CHAR)")
        .unwrap();
    rig::text(&answered)[0][0].parse().unwrap()
}
