//! What is done without a ledger: one transaction for each request on the locked row, as the systems do it that our
//! users come from, or rows and nothing else. Statements are prepared once on each connection.

use crate::clock::SystemClock;
use crate::users;
use anyhow::{Context as _, bail, ensure};
use sqlx::mysql::MySqlConnection;
use sqlx::{Connection as _, Row as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use tokio::sync::Mutex;

/// Connections, each with one request under way.
const CALLERS: usize = 64;
/// The rivals' own table, of the same columns and keys as the product's.
pub(super) const ISSUED: &str = "rival_issued";

const TABLES: [&str; 2] = [
    "CREATE TABLE rival_issued LIKE issued_coupons",
    "CREATE TABLE rival_coupons (id INT UNSIGNED NOT NULL PRIMARY KEY, quantity INT UNSIGNED NOT NULL, \
     issued INT UNSIGNED NOT NULL, paused TINYINT UNSIGNED NOT NULL, opens_at BIGINT NOT NULL, \
     closes_at BIGINT NOT NULL, valid_for BIGINT NOT NULL) ENGINE = InnoDB",
];
/// As the product has it.
const SETTING: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
const PUBLISH: &str = "INSERT INTO rival_coupons (id, quantity, issued, paused, opens_at, closes_at, valid_for) \
     VALUES (?, ?, 0, 0, 0, 253402300799999999, 2592000000000)";
const LOCK: &str = "SELECT quantity, issued, paused, opens_at, closes_at, valid_for, \
     TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', SYSDATE(6)) FROM rival_coupons WHERE id = ? FOR UPDATE";
const HELD: &str = "SELECT position FROM rival_issued WHERE user_id = ? AND coupon_id = ?";
const INSERT: &str = "INSERT INTO rival_issued (coupon_id, position, user_id, issued_at, expires_at, epoch) \
     VALUES (?, ?, ?, ?, ?, 1)";
const COUNT: &str = "UPDATE rival_coupons SET issued = ? WHERE id = ?";
const COUNTED: &str = "SELECT issued FROM rival_coupons WHERE id = ?";

/// A way without a ledger.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rival {
    /// Lock the coupon, look for the user, insert, count, commit.
    Transactions,
    /// Insert, on positions that were handed out beforehand.
    Rows,
}

impl Rival {
    /// Requests in a round.
    pub(super) fn count(self, quick: bool) -> u32 {
        match (self, quick) {
            (Self::Transactions, false) => 15_000,
            (Self::Transactions, true) => 4_000,
            (Self::Rows, false) => 100_000,
            (Self::Rows, true) => 30_000,
        }
    }

    /// In a word or two.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Transactions => "one transaction each",
            Self::Rows => "rows alone",
        }
    }

    /// In a sentence.
    pub(super) fn what(self, count: u32) -> String {
        match self {
            Self::Transactions => format!(
                "against {count} on {CALLERS} connections, each a transaction of its own with prepared statements: SELECT \
                 ... FOR UPDATE of the coupon, SELECT of what the user holds, INSERT, UPDATE of the count, COMMIT"
            ),
            Self::Rows => format!(
                "against {count} inserts of one row with a prepared statement and autocommit on {CALLERS} connections into a \
                 table of the same columns and keys"
            ),
        }
    }
}

/// The callers' connections.
pub(super) struct Rivals {
    connections: Vec<Arc<Mutex<MySqlConnection>>>,
}

impl Rivals {
    pub(super) async fn connect(url: &str) -> anyhow::Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..CALLERS {
            let mut connection = MySqlConnection::connect(url).await?;
            sqlx::query(SETTING).execute(&mut connection).await?;
            connections.push(Arc::new(Mutex::new(connection)));
        }
        let rivals = Self { connections };
        for table in TABLES {
            sqlx::query(table)
                .execute(&mut *rivals.first()?.lock().await)
                .await?;
        }
        Ok(rivals)
    }

    fn first(&self) -> anyhow::Result<&Mutex<MySqlConnection>> {
        Ok(self.connections.first().context("no connection")?)
    }

    /// Every caller asks for the next user until all of a new coupon are issued; how many a second.
    pub(super) async fn race(&self, rival: Rival, coupon: u32, count: u32) -> anyhow::Result<f64> {
        let publishing = sqlx::query(PUBLISH).bind(coupon).bind(count);
        publishing.execute(&mut *self.first()?.lock().await).await?;
        let next = Arc::new(AtomicU32::new(0));
        let began = Instant::now();
        let mut callers = tokio::task::JoinSet::new();
        for connection in &self.connections {
            let (connection, next) = (Arc::clone(connection), Arc::clone(&next));
            callers.spawn(async move {
                let mut connection = connection.lock().await;
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return anyhow::Ok(());
                    }
                    let user = users::user(u64::from(number));
                    match rival {
                        Rival::Transactions => transact(&mut connection, coupon, user.as_bytes()).await?,
                        Rival::Rows => insert(&mut connection, coupon, number + 1, user.as_bytes()).await?,
                    }
                }
            });
        }
        while let Some(caller) = callers.join_next().await {
            caller??;
        }
        let rate = f64::from(count) / began.elapsed().as_secs_f64();
        if matches!(rival, Rival::Transactions) {
            let counted = sqlx::query(COUNTED).bind(coupon);
            let counted = counted.fetch_one(&mut *self.first()?.lock().await).await?;
            ensure!(counted.try_get::<u32, _>(0)? == count, "the count is wrong");
        }
        Ok(rate)
    }
}

/// Issues one, with every check that it takes to be right.
async fn transact(connection: &mut MySqlConnection, coupon: u32, user: &[u8]) -> anyhow::Result<()> {
    let mut transaction = connection.begin().await?;
    let found = sqlx::query(LOCK).bind(coupon).fetch_optional(&mut *transaction);
    let found = found.await?.context("unknown coupon")?;
    let (quantity, issued, paused): (u32, u32, u8) =
        (found.try_get(0)?, found.try_get(1)?, found.try_get(2)?);
    let (opens_at, closes_at): (i64, i64) = (found.try_get(3)?, found.try_get(4)?);
    let (valid_for, now): (i64, i64) = (found.try_get(5)?, found.try_get(6)?);
    let held = sqlx::query(HELD).bind(user).bind(coupon);
    if held.fetch_optional(&mut *transaction).await?.is_some() {
        bail!("already issued");
    }
    ensure!(now < closes_at, "closed");
    ensure!(now >= opens_at, "not yet open");
    ensure!(paused == 0, "paused");
    ensure!(issued < quantity, "sold out");
    let inserting = sqlx::query(INSERT)
        .bind(coupon)
        .bind(issued + 1)
        .bind(user)
        .bind(now)
        .bind(now + valid_for);
    let inserted = inserting.execute(&mut *transaction).await?;
    let counting = sqlx::query(COUNT).bind(issued + 1).bind(coupon);
    let counted = counting.execute(&mut *transaction).await?;
    ensure!(
        (inserted.rows_affected(), counted.rows_affected()) == (1, 1),
        "a statement has changed nothing"
    );
    transaction.commit().await?;
    Ok(())
}

/// Inserts one row.
async fn insert(
    connection: &mut MySqlConnection,
    coupon: u32,
    position: u32,
    user: &[u8],
) -> anyhow::Result<()> {
    let now = coupon_app::Clock::now(&SystemClock).as_micros();
    let inserting = sqlx::query(INSERT)
        .bind(coupon)
        .bind(position)
        .bind(user)
        .bind(now)
        .bind(now + 2_592_000_000_000);
    let inserted = inserting.execute(connection).await?;
    ensure!(inserted.rows_affected() == 1, "nothing was inserted");
    Ok(())
}
