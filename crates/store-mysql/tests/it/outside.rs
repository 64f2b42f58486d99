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

/// Waits until somebody else's statement on this database does not come to its end: found under way at two looks in
/// a row. What InnoDB tells of waiting is no help, since it tells it anew only to those who do not ask all the time.
pub(crate) async fn until_somebody_waits(database: &SqlDatabase) {
    let (url, name) = (database.url().to_owned(), database.name().to_owned());
    let question = format!(
        "SELECT id FROM information_schema.processlist WHERE db = '{name}' AND command = 'Query' \
         AND id <> CONNECTION_ID() LIMIT 1"
    );
    let waiting = tokio::task::spawn_blocking(move || {
        let mut loop_of_its_own = tokio::runtime::Builder::new_current_thread();
        let runtime = loop_of_its_own.enable_all().build().unwrap();
        let mut connection = runtime.block_on(MySqlConnection::connect(&url)).unwrap();
        let mut last = None;
        wait_until(Duration::from_secs(20), || {
            let asked = sqlx::raw_sql(AssertSqlSafe(question.as_str())).fetch_optional(&mut connection);
            let found = runtime.block_on(asked).unwrap();
            let found = found.map(|row| row.try_get_unchecked::<i64, _>(0).unwrap());
            let still = found.is_some() && found == last;
            last = found;
            still
        })
    });
    assert!(waiting.await.unwrap(), "nobody waits");
}

/// The database's time in microseconds.
pub(crate) fn now(database: &SqlDatabase) -> i64 {
    let answered = database
        .query("SELECT CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) AS CHAR)")
        .unwrap();
    rig::text(&answered)[0][0].parse().unwrap()
}
