//! Verifying: whether a store or a backup is sound, and if not, where.

mod coupon;
mod history;
mod holders;
mod rows;

use crate::apply::applied_seq;
use crate::connection::open_reader;
use crate::error::{Failure, OpenError};
use crate::migrations::{WITH_NOTIFICATIONS, format};
use crate::quarantine;
use crate::seal::{digest, seal};
use coupon_app::Seq;
use rusqlite::Connection;
use std::path::Path;

/// More differences than so many are not listed: the first ones tell what is wrong.
const MOST_DIFFERENCES: usize = 100;

/// Pages that a verification keeps, in KiB.
const CACHE_KIB: u32 = 8 << 10;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The last applied entry.
    pub applied_seq: Seq,
    /// Coupons, deleted ones too.
    pub coupons: u64,
    /// Issued coupons.
    pub issued: u64,
    /// Records in quarantine. They are alarms, but the store is sound with them.
    pub quarantined: u64,
    /// Whether it is a finished backup. A store in use bears no seal.
    pub sealed: bool,
    /// What does not agree, at most a hundred; empty when the store is sound.
    pub differences: Vec<Difference>,
}

/// One thing that does not agree with another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// SQLite's own check of the file.
    #[error("the file: {0}")]
    File(String),
    /// A value that cannot have been written.
    #[error("a value: {0}")]
    Value(String),
    /// The seal of the backup is another's.
    #[error("the contents are not those that the backup was sealed with")]
    Seal,
    /// A row refers to one that is not there.
    #[error("table {table} refers to a row of {parent} that is missing")]
    Reference {
        /// The table with the row.
        table: String,
        /// The table that lacks one.
        parent: String,
    },
    /// A kept sum is not the sum.
    #[error("coupon {coupon}: {sum} is kept as {kept}, and the rows make {counted}")]
    Sum {
        /// The coupon.
        coupon: u32,
        /// Which sum.
        sum: &'static str,
        /// What is kept.
        kept: u64,
        /// What the rows make.
        counted: u64,
    },
    /// I1: more than the quantity.
    #[error("coupon {coupon}: {issued} issued of {quantity}")]
    OverIssued {
        /// The coupon.
        coupon: u32,
        /// Issued.
        issued: u64,
        /// Of so many.
        quantity: u64,
    },
    /// I2: a user twice.
    #[error("coupon {coupon}: the user of position {position} has it at position {other} too")]
    IssuedTwice {
        /// The coupon.
        coupon: u32,
        /// One position.
        position: u32,
        /// The other.
        other: u32,
    },
    /// I5: positions are missing that no record in quarantine explains.
    #[error(
        "coupon {coupon}: {missing} positions are missing up to {last}, and quarantine explains {explained}"
    )]
    Positions {
        /// The coupon.
        coupon: u32,
        /// The highest position.
        last: u32,
        /// How many below it have no row.
        missing: u64,
        /// How many of these are in quarantine.
        explained: u64,
    },
    /// `issued_at` decreases with position.
    #[error("coupon {coupon}: issued_at decreases at position {position}")]
    TimeRanBack {
        /// The coupon.
        coupon: u32,
        /// Where.
        position: u32,
    },
    /// The index of users is not that of the rows.
    #[error(
        "coupon {coupon}: holders has {indexed} users up to position {through}, and they are not those of the {rows} rows"
    )]
    Holders {
        /// The coupon.
        coupon: u32,
        /// How far the index goes.
        through: u32,
        /// Its entries.
        indexed: u64,
        /// The rows so far.
        rows: u64,
    },
    /// The sums of a block are not those of its rows.
    #[error("coupon {coupon}: the sums of block {block} are not those of its rows")]
    Block {
        /// The coupon.
        coupon: u32,
        /// The block.
        block: u32,
    },
    /// The job would pass over what expires in a block.
    #[error("coupon {coupon}: block {block} is not due when its first unused issued coupon expires")]
    NotDue {
        /// The coupon.
        coupon: u32,
        /// The block.
        block: u32,
    },
    /// I14: a history that cannot be, or that does not come to what the issued coupon says.
    #[error("issued coupon {coupon}-{position}: {what}")]
    History {
        /// The coupon.
        coupon: u32,
        /// The position.
        position: u32,
        /// What is wrong.
        what: String,
    },
    /// Steps of issued coupons that are not there, or say that nothing became of them.
    #[error("{0} steps in histories of issued coupons that do not have them")]
    StraySteps(u64),
    /// Answers for idempotency keys on steps that are not there.
    #[error("{0} answers for idempotency keys are kept of steps that are not there")]
    StrayTokens(u64),
    /// Issued coupons of a coupon that is not there.
    #[error("issued coupons of coupon {0}, which is not there")]
    NoCoupon(u32),
    /// The present revision is not there or says something else.
    #[error("coupon {coupon}: revision {revision} {what}")]
    Revision {
        /// The coupon.
        coupon: u32,
        /// The revision.
        revision: u32,
        /// What is wrong.
        what: &'static str,
    },
}

/// The store could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It could not be read for a reason that says nothing of its contents.
    #[error("the store could not be read: {0}")]
    Read(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The differences found so far.
#[derive(Debug, Default)]
struct Findings(Vec<Difference>);

impl Findings {
    fn add(&mut self, difference: Difference) {
        if self.0.len() < MOST_DIFFERENCES {
            self.0.push(difference);
        }
    }

    fn compare(&mut self, coupon: u32, sum: &'static str, kept: u64, counted: u64) {
        if kept != counted {
            self.add(Difference::Sum {
                coupon,
                sum,
                kept,
                counted,
            });
        }
    }
}

/// Examines the store or backup at `path` without changing it: SQLite's own checks, the seal if there is one, that
/// every kept sum is the sum of its rows, that jobs pass nothing over, and the invariants I1, I2, I5 and I14. Reads everything several times; for a
/// store at rest or a copy.
pub fn verify(path: &Path) -> Result<Report, VerifyError> {
    let mut connection = open_reader(path, CACHE_KIB)?;
    let mut findings = Findings::default();
    let mut report = Report::default();
    match examine(&mut connection, &mut report, &mut findings) {
        Ok(()) => {}
        Err(Failure::Sqlite(error)) if is_damage(&error) => findings.add(Difference::File(error.to_string())),
        Err(Failure::Sqlite(error)) => return Err(VerifyError::Read(error.into())),
        Err(failure) => findings.add(Difference::Value(failure.to_string())),
    }
    report.differences = findings.0;
    Ok(report)
}

/// Whether SQLite's error speaks of what is in the file; a value of an impossible type does too.
fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{ConstraintViolation, DatabaseCorrupt, NotADatabase, TooBig, Unknown};
    match error.sqlite_error_code() {
        Some(code) => matches!(
            code,
            DatabaseCorrupt | NotADatabase | TooBig | ConstraintViolation | Unknown
        ),
        None => true,
    }
}

fn examine(connection: &mut Connection, report: &mut Report, findings: &mut Findings) -> Result<(), Failure> {
    let snapshot = connection.transaction()?;
    check_file(&snapshot, findings)?;
    if !findings.0.is_empty() {
        // What else is wrong with a file that is broken follows from it.
        return Ok(());
    }
    report.applied_seq = applied_seq(&snapshot)?;
    report.quarantined = quarantine::count(&snapshot)?;
    let seal = seal(&snapshot)?;
    if let Some(seal) = seal {
        report.sealed = true;
        if digest(&snapshot)? != seal {
            findings.add(Difference::Seal);
        }
    }
    let coupons = coupon::read(&snapshot, findings)?;
    report.coupons = u64::try_from(coupons.len()).unwrap_or(u64::MAX);
    let cancelled = history::check(&snapshot, findings)?;
    for (coupon, kept) in &coupons {
        findings.compare(
            *coupon,
            "cancelled",
            kept.cancelled,
            cancelled.get(coupon).copied().unwrap_or(0),
        );
    }
    let indexed = rows::check(&snapshot, &coupons, report, findings)?;
    if format(&snapshot)? >= WITH_NOTIFICATIONS {
        check_due(&snapshot, findings)?;
    }
    holders::check(&snapshot, &coupons, &indexed, findings)
}

/// Whether every block is due by the time that something in it expires.
fn check_due(snapshot: &Connection, findings: &mut Findings) -> Result<(), Failure> {
    let mut statement = snapshot.prepare(
        "SELECT b.coupon_id, b.block FROM issued_blocks b WHERE EXISTS (
             SELECT 1 FROM issued_coupons i
             WHERE i.id BETWEEN (b.coupon_id << 32) + (b.block << 12) AND (b.coupon_id << 32) + (b.block << 12) + 4095
             AND i.redeemed_at IS NULL AND i.revoked_at IS NULL AND i.expiry_noted_at IS NULL
             AND (b.expiry_due IS NULL OR b.expiry_due > i.expires_at))",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        findings.add(Difference::NotDue {
            coupon: row.get(0)?,
            block: row.get(1)?,
        });
    }
    Ok(())
}

/// SQLite's own checks. They leave out CHECK constraints in a file that is opened for reading only; the ones that
/// matter are counted by ourselves.
fn check_file(snapshot: &Connection, findings: &mut Findings) -> Result<(), Failure> {
    let mut statement = snapshot.prepare("PRAGMA integrity_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            findings.add(Difference::File(line));
        }
    }
    let mut statement = snapshot.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        findings.add(Difference::Reference {
            table: row.get(0)?,
            parent: row.get(2)?,
        });
    }
    Ok(())
}
