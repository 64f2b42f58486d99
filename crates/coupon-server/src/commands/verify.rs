//! `firstcome verify`: audits what a server, or a data directory at rest, holds.

mod at_rest;
mod over_http;

use crate::cli::Shared;
use crate::client::AdminOptions;
use crate::{complaint, terminal};
use anyhow::{Context as _, anyhow};
use clap::Args;
use coupon_core::{Position, Quantity, Timestamp, Witnessed, check_order};
use coupon_rehearsal::{FinalState, History, Rehearsal, Summary, Verdict, audit, terminal_summary};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The exit code of an audit that could not be carried out.
const NO_VERDICT: u8 = 2;

#[derive(Debug, Args)]
#[command(after_help = "\
Without --data-dir a running server is asked, as an administrator would: every coupon's issued coupons are read and
held against its counts, and ledger and database against each other. --repair first mends what can be mended: issues that
only the ledger has are brought to the database, and a ledger's state that lacks something is taken anew from it, also
where answered issues were lost with it. With --data-dir nothing may be running there: the store's own records, the journal, and both
against each other are looked at, and nothing is changed.

With --history the record that `firstcome rehearse` kept of every answer is held against it, too.

Exits with 0 when everything is sound, with 1 when not, and with 2 when it could not be looked at.

Examples:
  firstcome verify
  firstcome verify --server http://127.0.0.1:8080 --history rehearsal/history.jsonl
  firstcome verify --repair
  firstcome verify --data-dir ./data
  firstcome verify --data-dir ./data --json")]
pub(crate) struct Options {
    /// Mend what can be mended of a running server, then look again
    #[arg(long)]
    repair: bool,

    /// The history of a rehearsal, to be held against what is there
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,

    #[command(flatten)]
    admin: AdminOptions,
}

pub(crate) fn run(shared: &Shared, options: &Options) -> anyhow::Result<ExitCode> {
    let history = options.history.as_deref();
    let looked = match &shared.data_dir {
        Some(_) if options.repair => Err(anyhow!(
            "--repair mends a running server; a data directory is mended by its own start (docs/OPERATIONS.md)"
        )),
        Some(_) => at_rest::look(shared, history),
        None => over_http::look(shared, &options.admin, history, options.repair),
    };
    let findings = match looked {
        Ok(findings) => findings,
        Err(error) => {
            complaint::tell(&error.context("not verified"), shared.json);
            return Ok(ExitCode::from(NO_VERDICT));
        }
    };
    findings.say(shared.json)?;
    Ok(if findings.sound() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What an audit found.
#[derive(Debug, Default)]
struct Findings {
    lines: Vec<Line>,
    rehearsal: Option<Rehearsal>,
}

/// One thing that was looked at.
#[derive(Debug)]
struct Line {
    sound: bool,
    said: String,
}

impl Findings {
    fn add(&mut self, sound: bool, said: impl Into<String>) {
        let said = said.into();
        self.lines.push(Line { sound, said });
    }

    /// Holds a rehearsal's history against what is there.
    fn judge(&mut self, path: &Path, history: History, state: &FinalState) {
        let verdict: Verdict = audit(&history, state);
        self.rehearsal = Some(Rehearsal {
            summary: Summary::of(&history),
            history,
            history_path: path.to_owned(),
            verdict,
        });
    }

    fn sound(&self) -> bool {
        let passed = self
            .rehearsal
            .as_ref()
            .is_none_or(|rehearsal| rehearsal.verdict.passed());
        passed && self.lines.iter().all(|line| line.sound)
    }

    fn say(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            let line = |line: &Line| json!({ "sound": line.sound, "said": line.said });
            let history = self.rehearsal.as_ref().map(|rehearsal| &rehearsal.verdict);
            return Ok(terminal::say_json(&json!({
                "sound": self.sound(),
                "checks": self.lines.iter().map(line).collect::<Vec<_>>(),
                "history": history,
            }))?);
        }
        for Line { sound, said } in &self.lines {
            terminal::say_line(format!("{} {said}", if *sound { "ok  " } else { "FAIL" }))?;
        }
        if let Some(rehearsal) = &self.rehearsal {
            terminal::say_line(format!("\nthe history {}:", rehearsal.history_path.display()))?;
            terminal::say(&terminal_summary(rehearsal))?;
        }
        terminal::say_line(format!(
            "\n{}",
            if self.sound() {
                "everything is sound"
            } else {
                "NOT SOUND"
            }
        ))?;
        Ok(())
    }
}

/// A rehearsal's history, if one is asked for.
fn read_history(path: Option<&Path>) -> anyhow::Result<Option<(&Path, History)>> {
    let read = |path| Ok((path, History::read(path)?));
    path.map(read).transpose()
}

/// Everybody who holds one coupon, in order of position.
#[derive(Debug, Default)]
struct Holders(Vec<Holder>);

#[derive(Debug)]
struct Holder {
    user: Box<str>,
    position: Position,
    issued_at: Timestamp,
}

impl Holders {
    fn add(&mut self, user: &str, position: Position, issued_at: Timestamp) {
        self.0.push(Holder {
            user: user.into(),
            position,
            issued_at,
        });
    }

    fn count(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }

    /// Closes the gaps that lost positions have left, so that what is left can be held against the invariants. Gaps that
    /// nobody has named stay.
    fn without(mut self, lost: &[(u64, u64)]) -> Self {
        for holder in &mut self.0 {
            let own = u64::from(holder.position.get());
            let before = lost.iter().filter(|(first, _)| *first < own);
            let gone: u64 = before.map(|(first, last)| last.min(&(own - 1)) - first + 1).sum();
            let rank = u32::try_from(own - gone).ok().and_then(Position::new);
            holder.position = rank.unwrap_or(holder.position);
        }
        self
    }

    /// Adds a line for the invariants that a list of issued coupons can show.
    fn check(&self, coupon: &str, quantity: Quantity, findings: &mut Findings) {
        let witnessed: Vec<Witnessed<'_>> = self
            .0
            .iter()
            .map(|holder| Witnessed {
                position: holder.position,
                user: &holder.user,
                issued_at: holder.issued_at,
            })
            .collect();
        match check_order(quantity, &witnessed) {
            Ok(()) => findings.add(
                true,
                format!("{coupon}: {} issued, within the quantity, one per user, positions without a gap, in order of time", self.count()),
            ),
            Err(breach) => findings.add(false, format!("{coupon}: {breach}")),
        }
    }
}

/// The quantity that a number, or its absence, stands for.
fn quantity(limit: Option<u32>) -> anyhow::Result<Quantity> {
    match limit {
        None => Ok(Quantity::UNLIMITED),
        Some(limit) => Ok(Quantity::limited(
            Position::new(limit).context("a quantity of zero")?,
        )),
    }
}
