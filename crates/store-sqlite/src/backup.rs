//! Backups: a copy as of one instant, of a store that is in use, from this or another process.

use crate::connection::{make_file, open_reader};
use crate::error::{Failure, OpenError};
use crate::seal::set_seal;
use crate::verify::{Difference, Report, VerifyError, verify};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How fast a backup goes, so that it does not take the disk away from a sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Pages of 4 KiB that are copied in one step, at least 1.
    pub pages: i32,
    /// The pause after each step. Longer is gentler; but while a backup runs, the write-ahead log of the store only
    /// grows.
    pub pause: Duration,
}

impl Default for Pace {
    /// About 500 MB/s at most.
    fn default() -> Self {
        Self {
            pages: 256,
            pause: Duration::from_millis(1),
        }
    }
}

/// How far a backup has come, in pages of 4 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Copied so far.
    pub copied: u64,
    /// Of so many.
    pub total: u64,
}

/// No backup was made; what was begun has been removed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something has this name.
    #[error("{0} exists already; a backup never overwrites, so choose another name")]
    Exists(PathBuf),
    /// The store or the copy could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Copying failed.
    #[error("the copy failed: {0}")]
    Copy(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The copy could not be checked.
    #[error("the copy could not be checked: {0}")]
    Check(#[from] VerifyError),
    /// The copy is not sound, and so the store is not.
    #[error("the copy is not sound, and neither is the store: {}", list(.0))]
    Unsound(Vec<Difference>),
}

fn list(differences: &[Difference]) -> String {
    let all: Vec<String> = differences.iter().map(ToString::to_string).collect();
    all.join("; ")
}

impl From<Failure> for BackupError {
    fn from(failure: Failure) -> Self {
        Self::Copy(failure.into())
    }
}

/// Copies the store at `from` to the new file `to` (mode 0600), checks the copy as [`verify`] does, and seals it. A
/// backup that bears no seal was interrupted; [`Report::sealed`] tells. The same function restores: a backup at `from`
/// is checked against its seal on the way.
///
/// Blocks the thread. The store may be in use, by this or another process: the copy is of the instant at which it
/// began.
pub fn backup_file(
    from: &Path,
    to: &Path,
    pace: Pace,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, BackupError> {
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(to.into()));
    }
    let made = copy_checked(from, to, pace, progress);
    if made.is_err() {
        // The first error is the one to tell; a file that cannot be removed either bears no seal.
        drop(std::fs::remove_file(to));
    }
    made
}

fn copy_checked(
    from: &Path,
    to: &Path,
    pace: Pace,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, BackupError> {
    let source = open_reader(from, 2 << 10)?;
    make_file(to)?;
    let mut copy = Connection::open(to).map_err(Failure::from)?;
    copy_pages(&source, &mut copy, pace, progress)?;
    drop(source);
    // One file that needs no log beside it.
    let mode: String = copy
        .query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))
        .map_err(Failure::from)?;
    if mode != "delete" {
        return Err(Failure::Damaged(format!("the copy stays in journal mode {mode}")).into());
    }
    let report = verify(to)?;
    if !report.differences.is_empty() {
        return Err(BackupError::Unsound(report.differences));
    }
    // With EXTRA a commit syncs the directory too: the file's name is durable, and the seal cannot be undone.
    copy.pragma_update(None, "synchronous", "EXTRA")
        .map_err(Failure::from)?;
    set_seal(&copy)?;
    Ok(Report {
        sealed: true,
        ..report
    })
}

fn copy_pages(
    source: &Connection,
    copy: &mut Connection,
    pace: Pace,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), Failure> {
    // Without this read transaction, every write to the store would make the copy begin anew.
    let snapshot = source.unchecked_transaction()?;
    snapshot.query_row("SELECT applied_seq FROM meta", [], |row| row.get::<_, i64>(0))?;
    let backup = Backup::new(&snapshot, copy)?;
    loop {
        let step = backup.step(pace.pages.max(1))?;
        let state = backup.progress();
        let total = u64::try_from(state.pagecount).unwrap_or(0);
        let left = u64::try_from(state.remaining).unwrap_or(0);
        progress(Progress {
            copied: total.saturating_sub(left),
            total,
        });
        if step == StepResult::Done {
            return Ok(());
        }
        rest(pace.pause);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a pace is a duration; there is no condition to wait for"
)]
fn rest(pause: Duration) {
    std::thread::sleep(pause);
}
