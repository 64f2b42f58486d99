//! `firstcome backup`: saves everything into one file, beside a running server or without one.

use crate::cli::Shared;
use crate::data_dir::DataDir;
use crate::scratch::{Scratch, clear};
use crate::terminal;
use crate::wiring::store_options;
use anyhow::{Context as _, bail};
use clap::Args;
use coupon_app::{Entry, RecordStore as _, Seq, limits::MAX_APPLY};
use ledger_journal::{FrozenError, freeze, frozen_entries};
use serde_json::json;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use store_sqlite::{Pace, Progress, Report, SqliteOptions, SqliteStore, backup_file};
use tokio::runtime::Runtime;

#[derive(Debug, Args)]
#[command(after_help = "\
Everything that was answered before the command began is in the file: the store is copied, and what was still on its
way from the journal is added. The server goes on meanwhile. The file holds users' ids and the key of the codes, so
keep it as safe as the data directory. It does not hold admin-key, jwt-secret and key-seed.

Run it on the server's machine, as the server's user.

Examples:
  firstcome backup --to /backups/firstcome-$(date +%F).sqlite3
  firstcome backup --data-dir /var/lib/firstcome --to /backups/firstcome.sqlite3 --json")]
pub(crate) struct Options {
    /// The file to make; it must not exist
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

pub(crate) fn run(shared: &Shared, options: &Options) -> anyhow::Result<ExitCode> {
    let settings = shared.settle(Vec::new())?.settings;
    let directory = DataDir::open(&settings.data_dir)?;
    let to = options.to.as_path();
    // Frozen before the store is copied: then every entry is in the links or in the copy.
    let frozen = directory
        .begin_backup()
        .context("cannot make a place for the frozen journal")?;
    freeze(directory.path(), frozen.path()).context("cannot freeze the journal")?;
    if let Err(error) = clear(parent(to), is_left_over) {
        // It costs room, and the next backup tries again.
        tracing::warn!(%error, "what a killed backup left beside the file could not be removed");
    }
    let report = copy(&directory.store_file(), to)
        .with_context(|| format!("cannot make the backup {}", to.display()))?;
    let (report, added) = catch_up(report, to, frozen.path(), store_options(&settings))?;
    say(shared, to, &report, added)?;
    Ok(ExitCode::SUCCESS)
}

/// Adds what the frozen journal has and the copy has not; how many entries these were.
fn catch_up(
    report: Report,
    to: &Path,
    frozen: &Path,
    options: SqliteOptions,
) -> anyhow::Result<(Report, u64)> {
    let last = frozen_entries::<FrozenError>(frozen, report.applied_seq, |_| Ok(()))?;
    if last == report.applied_seq {
        return Ok((report, 0));
    }
    let scratch =
        Scratch::begin(parent(to), BESIDE, is_left_over).context("cannot make a place beside the file")?;
    let growing = scratch.path().join(GROWING);
    std::fs::rename(to, &growing).context("cannot set the copy aside")?;
    apply(&growing, options, frozen, report.applied_seq)?;
    let grown = copy(&growing, to)?;
    let added = grown.applied_seq - report.applied_seq;
    Ok((grown, added))
}

/// What the directory is called that the copy grows in. A dot and two words, because it lies among files of others.
const BESIDE: &str = ".firstcome-backup-";
/// What the copy is called in it.
const GROWING: &str = "store.sqlite3";

fn parent(to: &Path) -> &Path {
    to.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Whether a directory is one that a backup made for its copy: by its name, and by all that is in it.
fn is_left_over(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let ours = name
        .to_str()
        .and_then(|name| name.strip_prefix(BESIDE))
        .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    ours && std::fs::read_dir(entry.path()).is_ok_and(|mut inside| {
        inside.all(|file| file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with(GROWING)))
    })
}

/// Applies the frozen entries after `after` to a store.
fn apply(store: &Path, options: SqliteOptions, frozen: &Path, after: Seq) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let store = SqliteStore::open(store, options)?;
    let mut batch = Batch::default();
    frozen_entries::<anyhow::Error>(frozen, after, |entry| {
        batch.records += entry.records.len();
        batch.entries.push(entry);
        if batch.records < MAX_APPLY {
            Ok(())
        } else {
            batch.apply(&runtime, &store)
        }
    })?;
    batch.apply(&runtime, &store)
}

/// Entries that are applied in one transaction.
#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
    records: usize,
}

impl Batch {
    fn apply(&mut self, runtime: &Runtime, store: &SqliteStore) -> anyhow::Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let applied = runtime.block_on(store.apply(&self.entries))?;
        if applied.quarantined > 0 {
            bail!(
                "{} records of the journal contradict the store; run `firstcome verify --data-dir` when the server \
                 is stopped",
                applied.quarantined
            );
        }
        *self = Self::default();
        Ok(())
    }
}

/// Copies, checks and seals a store, with a progress line for people.
pub(super) fn copy(from: &Path, to: &Path) -> anyhow::Result<Report> {
    let people_watch = terminal::people_read_errors();
    let mut progress = |progress: Progress| {
        if people_watch {
            let Progress { copied, total } = progress;
            terminal::overwrite(&format!("copying: {} of {} MiB", copied / 256, total / 256));
        }
    };
    let copied = backup_file(from, to, Pace::default(), &mut progress);
    if people_watch {
        terminal::overwrite("");
    }
    Ok(copied?)
}

fn say(shared: &Shared, to: &Path, report: &Report, added: u64) -> anyhow::Result<()> {
    if shared.json {
        return Ok(terminal::say_json(&json!({
            "file": to,
            "coupons": report.coupons,
            "issued": report.issued,
            "lastEntry": report.applied_seq,
            "entriesFromJournal": added,
        }))?);
    }
    terminal::say_line(format!(
        "{}: {} coupons and {} issued coupons, up to entry {} ({added} of them straight from the journal)",
        to.display(),
        report.coupons,
        report.issued,
        report.applied_seq
    ))?;
    Ok(())
}
