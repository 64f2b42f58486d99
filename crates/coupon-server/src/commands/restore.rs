//! `firstcome restore`: makes a new data directory from a backup.

use crate::cli::Shared;
use crate::commands::backup::copy;
use crate::data_dir::DataDir;
use crate::terminal;
use crate::wiring::journal_options;
use anyhow::{Context as _, bail};
use clap::Args;
use ledger_journal::{Disk, FileDisk, begin_after};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use store_sqlite::Report;

#[derive(Debug, Args)]
#[command(after_help = "\
The backup is verified first, and refused when it is not whole. The data directory must be empty or missing. The next
`firstcome serve` there makes a new administrator's key, a new secret for tokens and a new seed of API keys, unless
FIRSTCOME_ADMIN_KEY, FIRSTCOME_JWT_SECRET and FIRSTCOME_KEY_SEED are set or the files (admin-key, jwt-secret, key-seed)
are put there by hand. API keys that were made stay good either way.

What was issued after the backup is not in it. Never run a restored copy beside the original: both would give away the
same positions.

Examples:
  firstcome restore --from /backups/firstcome-2026-12-24.sqlite3 --data-dir ./restored
  firstcome serve --data-dir ./restored")]
pub(crate) struct Options {
    /// The backup
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
}

pub(crate) fn run(shared: &Shared, options: &Options) -> anyhow::Result<ExitCode> {
    let settings = shared.settle(Vec::new())?.settings;
    let from = options.from.as_path();
    check(from)?;
    let directory = DataDir::begin_restore(&settings.data_dir)?;
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(directory.path())?);
    let report = copy(from, &directory.store_file())?;
    if report.applied_seq > 0 {
        begin_after(&disk, journal_options(&settings), report.applied_seq)
            .context("cannot begin the journal behind the backup")?;
    }
    directory.finish_restore()?;
    say(shared, directory.path(), &report)?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses what is not a whole backup, before anything is made.
fn check(from: &Path) -> anyhow::Result<()> {
    let shown = from.display();
    let found = from.symlink_metadata().map(|_there| ());
    found.with_context(|| format!("{shown} cannot be restored; name a file that is there with --from"))?;
    let report = store_sqlite::verify(from).with_context(|| format!("{shown} cannot be restored"))?;
    if !report.differences.is_empty() {
        let found: Vec<String> = report.differences.iter().map(ToString::to_string).collect();
        bail!("{shown} is not sound, take another backup: {}", found.join("; "));
    }
    if !report.sealed {
        bail!("{shown} is no finished backup; take one that `firstcome backup` has reported as made");
    }
    Ok(())
}

fn say(shared: &Shared, to: &Path, report: &Report) -> anyhow::Result<()> {
    if shared.json {
        return Ok(terminal::say_json(&json!({
            "dataDir": to,
            "coupons": report.coupons,
            "issued": report.issued,
            "lastEntry": report.applied_seq,
        }))?);
    }
    terminal::say_line(format!(
        "{}: {} coupons and {} issued coupons, up to entry {}; start it with `firstcome serve --data-dir {}`",
        to.display(),
        report.coupons,
        report.issued,
        report.applied_seq,
        to.display()
    ))?;
    Ok(())
}
