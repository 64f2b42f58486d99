//! The tables: made and changed by numbered scripts that are compiled in.

use crate::connection::{Connector, ask};
use crate::error::{Failure, OpenError};
use crate::limits;
use crate::row::optional_signed;
use crate::script::Script;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::mysql::{MySqlConnection, MySqlPoolOptions};
use sqlx::{Connection, SqlSafeStr};

/// What each migration does, and its script; numbered from 1. A script that has been released never changes.
const SCRIPTS: [(&str, &str); 9] = [
    ("first", include_str!("../migrations/0001_first.sql")),
    ("redemption", include_str!("../migrations/0002_redemption.sql")),
    ("addresses", include_str!("../migrations/0003_addresses.sql")),
    ("roll call", include_str!("../migrations/0004_roll_call.sql")),
    (
        "administration",
        include_str!("../migrations/0005_administration.sql"),
    ),
    (
        "notifications",
        include_str!("../migrations/0006_notifications.sql"),
    ),
    (
        "lost positions",
        include_str!("../migrations/0007_lost_positions.sql"),
    ),
    ("dismissed", include_str!("../migrations/0008_dismissed.sql")),
    (
        "failed deliveries",
        include_str!("../migrations/0009_failed_deliveries.sql"),
    ),
];

/// Brings the tables up to date. Any number of processes may do so at once: they wait for each other.
pub(crate) async fn run(connector: &Connector) -> Result<(), OpenError> {
    let mut connection = connector.connect().await.map_err(unreachable)?;
    lock(&mut connection).await.map_err(unreachable)?;
    let found = version(&mut connection).await?;
    if found > newest() {
        return Err(OpenError::NewerSchema {
            found,
            known: newest(),
        });
    }
    // Through a pool, because the library's futures for a single connection cannot be sent between threads.
    let pool = MySqlPoolOptions::new()
        .max_connections(1)
        .connect_with(connector.options().clone())
        .await
        .map_err(OpenError::Unreachable)?;
    let migrated = migrator().run(&pool).await;
    pool.close().await;
    // The lock ends with the connection.
    connection.close().await.map_err(OpenError::Unreachable)?;
    Ok(migrated?)
}

/// Waits until no other process migrates this database. The library's own lock waits for ever by a negative time, which
/// MariaDB takes for no time at all.
async fn lock(connection: &mut MySqlConnection) -> Result<(), Failure> {
    let mut script = Script::new();
    script
        .statement("SELECT GET_LOCK(CONCAT('firstcome ', LEFT(SHA2(DATABASE(), 256), 48)), ")
        .number(limits::MIGRATION_WAIT_S)
        .sql(")");
    let answered = ask(connection, script).await?;
    let had = answered
        .first()
        .and_then(|one| one.rows.first())
        .map(|found| optional_signed(found, 0))
        .transpose()?
        .flatten();
    if had == Some(1) {
        Ok(())
    } else {
        Err(Failure::Overtaken("the lock of a migration"))
    }
}

fn migrator() -> Migrator {
    let migration = |((description, script), version): (&(&'static str, &'static str), i64)| {
        let script = script.into_sql_str();
        // The engines end a transaction at every change of a table, so there is none around a script.
        Migration::new(
            version,
            (*description).into(),
            MigrationType::Simple,
            script,
            true,
        )
    };
    let mut migrator = Migrator::with_migrations(SCRIPTS.iter().zip(1..).map(migration).collect());
    migrator.set_locking(false);
    migrator
}

/// Refuses tables that are not those of this program.
pub(crate) async fn check(connection: &mut MySqlConnection) -> Result<(), OpenError> {
    let (found, known) = (version(connection).await?, newest());
    match found.cmp(&known) {
        std::cmp::Ordering::Less => Err(OpenError::NotMigrated { found, needed: known }),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(OpenError::NewerSchema { found, known }),
    }
}

fn newest() -> i64 {
    i64::try_from(SCRIPTS.len()).expect("there are few migrations")
}

async fn version(connection: &mut MySqlConnection) -> Result<i64, OpenError> {
    const NO_SUCH_TABLE: u16 = 1146;
    let newest: Result<Option<i64>, sqlx::Error> =
        sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success = TRUE")
            .fetch_one(connection)
            .await;
    match newest.map_err(Failure::from) {
        Ok(version) => Ok(version.unwrap_or(0)),
        Err(failure) if failure.number() == Some(NO_SUCH_TABLE) => Ok(0),
        Err(failure) => Err(unreachable(failure)),
    }
}

pub(crate) fn unreachable(failure: Failure) -> OpenError {
    if let Failure::Database(error) = failure {
        OpenError::Unreachable(error)
    } else {
        OpenError::Unreadable(failure)
    }
}
