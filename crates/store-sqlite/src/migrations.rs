//! The formats of the file, one numbered script each, and bringing a file to the newest.

use crate::error::Failure;
use rusqlite::{Connection, TransactionBehavior};

/// Marks a file as a store of this program: "FCOM" in ASCII.
pub(crate) const APPLICATION_ID: i64 = 0x4643_4f4d;

/// The scripts in order; the format of a file is how many of them it has seen. A released script never changes.
const SCRIPTS: &[&str] = &[
    include_str!("../migrations/0001_first.sql"),
    include_str!("../migrations/0002_redemption.sql"),
    include_str!("../migrations/0003_sums.sql"),
    include_str!("../migrations/0004_addresses.sql"),
    include_str!("../migrations/0005_notifications.sql"),
    include_str!("../migrations/0006_administration.sql"),
    include_str!("../migrations/0007_failed_deliveries.sql"),
    include_str!("../migrations/0008_folds_in_steps.sql"),
    include_str!("../migrations/0009_checks_in_place.sql"),
    include_str!("../migrations/0010_first_steps.sql"),
];

/// The first format in which issued coupons have a history.
pub(crate) const WITH_HISTORY: i64 = 2;

/// The first format in which blocks say what is due.
pub(crate) const WITH_NOTIFICATIONS: i64 = 5;

/// The first format in which users are folded into their index in steps.
pub(crate) const WITH_STEPS: i64 = 8;

/// The first format in which first steps are appended.
pub(crate) const WITH_FIRST_STEPS: i64 = 10;

/// The first format that keeps a log of what administrators did.
pub(crate) const WITH_AUDIT_LOG: i64 = 6;

/// The newest format that this program knows.
pub(crate) fn newest() -> i64 {
    i64::try_from(SCRIPTS.len()).expect("there are fewer than 2^63 scripts")
}

/// The format of a file; 0 when nothing has been written.
pub(crate) fn format(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Brings the file to the newest format, in one transaction: a crash leaves the old format or the new one.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), Failure> {
    if format(connection)? == newest() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    // Read again under the lock: another process may have migrated meanwhile.
    let from = usize::try_from(format(&transaction)?)
        .map_err(|_negative| Failure::Damaged("a negative format number".into()))?;
    for script in SCRIPTS.iter().skip(from) {
        transaction.execute_batch(script)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", newest())?;
    transaction.commit()?;
    if from > 0 {
        let (from, to) = (from, newest());
        tracing::info!(
            from,
            to,
            "the store has a newer format now; earlier versions refuse it"
        );
    }
    Ok(())
}
