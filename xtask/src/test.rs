//! `cargo xtask test`: every check and every test, one after the other, all of them even if one fails, and
//! at the end one line that counts.

mod outcome;
mod suites;

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::ValueEnum;
use serde_json::json;

use crate::checkout::Checkout;
use crate::terminal::{Report, Terminal, seconds};
use crate::{arrows, licences, planted, process, servers, tidy};

use self::outcome::{Outcome, Totals};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Run these steps alone.
    #[arg(long, value_name = "STEP")]
    only: Vec<Step>,
    /// Format, lint, test and document these crates alone. Tidy, arrows and the rest look at everything still.
    #[arg(short, long = "package", value_name = "CRATE")]
    packages: Vec<String>,
    /// Print one JSON document; progress goes to standard error.
    #[arg(long)]
    json: bool,
}

/// In the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    Fmt,
    Clippy,
    Tidy,
    Arrows,
    Licences,
    Planted,
    Servers,
    Tests,
    Doc,
}

/// Of what a failure says, so many lines are shown as it happens; more is read in the log.
const MOST_LINES_AT_ONCE: usize = 80;
/// And so many again at the end, where all failures stand together.
const MOST_LINES_AGAIN: usize = 25;

/// What the steps work with.
struct Shift<'a> {
    checkout: &'a Checkout,
    terminal: Terminal,
    packages: &'a [String],
}

pub(crate) fn run(checkout: &Checkout, options: &Options) -> anyhow::Result<bool> {
    let terminal = Terminal::beside_json(options.json);
    let shift = Shift {
        checkout,
        terminal,
        packages: &options.packages,
    };
    fs::create_dir_all(shift.logs()).context("the directory for logs")?;

    let steps: Vec<Step> = Step::value_variants()
        .iter()
        .copied()
        .filter(|step| options.only.is_empty() || options.only.contains(step))
        .collect();
    let started = Instant::now();
    let mut outcomes: Vec<(Step, Outcome, Duration)> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        terminal.say(format_args!("[{}/{}] {}", at + 1, steps.len(), step.title()));
        let begun = Instant::now();
        // A step that cannot be run is a failure of that step; the others are still worth knowing.
        let outcome = shift
            .take(*step)
            .unwrap_or_else(|error| Outcome::failed("could not be run", &format!("{error:#}")));
        let took = begun.elapsed();
        for failure in &outcome.failures {
            failure.tell(&terminal, MOST_LINES_AT_ONCE);
        }
        terminal.say(format_args!("      {} ({})", outcome.verdict(), seconds(took)));
        outcomes.push((*step, outcome, took));
    }
    let totals = close(&terminal, &outcomes, started.elapsed());
    let document = document(&outcomes, &totals, started.elapsed());
    fs::write(shift.logs().join("test.json"), format!("{document:#}\n")).context("test.json")?;
    if options.json {
        Terminal::document(&document);
    }
    Ok(totals.failed == 0)
}

/// Says again what went wrong and what was left out, then counts.
fn close(terminal: &Terminal, outcomes: &[(Step, Outcome, Duration)], took: Duration) -> Totals {
    let totals = Totals::of(outcomes.iter().map(|(_, outcome, _)| outcome));
    terminal.say(format_args!("\ntook {}", seconds(took)));
    if totals.failed > 0 {
        terminal.say("\nfailed:");
        for (step, outcome, _) in outcomes {
            for failure in &outcome.failures {
                terminal.say(format_args!("  in {}", step.name()));
                failure.tell(terminal, MOST_LINES_AGAIN);
            }
        }
    }
    if totals.skipped > 0 {
        terminal.say("\nskipped:");
        for skip in outcomes.iter().flat_map(|(_, outcome, _)| &outcome.skips) {
            terminal.say(format_args!("  {skip}"));
        }
    }
    terminal.say("");
    terminal.say(&totals);
    totals
}

fn document(outcomes: &[(Step, Outcome, Duration)], totals: &Totals, took: Duration) -> serde_json::Value {
    let steps: Vec<serde_json::Value> = outcomes
        .iter()
        .map(|(step, outcome, took)| {
            json!({
                "step": step.name(),
                "seconds": took.as_secs_f64(),
                "passed": outcome.passed,
                "failed": outcome.failed,
                "skipped": outcome.skipped,
                "skips": outcome.skips,
                "failures": outcome.failures.iter().map(|failure| json!({
                    "title": failure.title,
                    "output": failure.output,
                })).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "passed": totals.passed,
        "failed": totals.failed,
        "skipped": totals.skipped,
        "seconds": took.as_secs_f64(),
        "steps": steps,
    })
}

/// Features that need a library of the system. Whoever wants them builds them by hand.
const SYSTEM_FEATURES: &[(&str, &str)] = &[("coupon-server", "kafka-tls"), ("events-kafka", "tls")];

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Tidy => "tidy",
            Self::Arrows => "arrows",
            Self::Licences => "licences",
            Self::Planted => "planted",
            Self::Servers => "servers",
            Self::Clippy => "clippy",
            Self::Tests => "tests",
            Self::Doc => "doc",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Fmt => "fmt: formatting",
            Self::Tidy => "tidy: what the house expects of a file",
            Self::Arrows => "arrows: which crate may know which",
            Self::Licences => "licences: what the tree of dependencies may contain",
            Self::Planted => "planted: the patches of the planted bugs still apply",
            Self::Servers => "servers: what the tests run against",
            Self::Clippy => "clippy: lints, each an error",
            Self::Tests => "tests: every test",
            Self::Doc => "doc: the documentation builds without a warning",
        }
    }
}

impl Shift<'_> {
    fn logs(&self) -> std::path::PathBuf {
        self.checkout.target().join("xtask")
    }

    fn take(&self, step: Step) -> anyhow::Result<Outcome> {
        match step {
            Step::Fmt => self.cargo(step, &["fmt"], &["--all"], &["--check"], &[]),
            Step::Tidy => Ok(self.report(&tidy::check(self.checkout)?)),
            Step::Arrows => Ok(self.report(&arrows::check(self.checkout)?)),
            Step::Licences => Ok(self.report(&licences::check(self.checkout)?)),
            Step::Planted => Ok(self.report(&planted::check(self.checkout)?)),
            Step::Servers => self.servers(),
            Step::Clippy => {
                let features = self.features()?;
                let rest = ["--all-targets", "--features", &features, "--", "-D", "warnings"];
                self.cargo(step, &["clippy"], &["--workspace"], &rest, &[])
            }
            Step::Tests => suites::run(self),
            Step::Doc => {
                let strict = [("RUSTDOCFLAGS", "-D warnings")];
                let features = self.features()?;
                let rest = ["--features", &features];
                self.cargo(step, &["doc", "--no-deps"], &["--workspace"], &rest, &strict)
            }
        }
    }

    /// Brings the servers, if a crate that is to be tested uses them.
    fn servers(&self) -> anyhow::Result<Outcome> {
        let metadata = self.checkout.packages()?;
        let wanted = metadata.workspace_packages().into_iter().any(|package| {
            let selected = self.packages.is_empty() || self.packages.contains(&package.name);
            let uses = |name: &str| servers::TEST_BENCH == name;
            selected && (uses(&package.name) || package.dependencies.iter().any(|found| uses(&found.name)))
        });
        if !wanted {
            self.terminal.say("      no crate here tests with servers");
            return Ok(Outcome::passed());
        }
        Ok(Outcome::of_servers(
            servers::bring_all(self.checkout, &self.terminal)?,
            servers::nothing_may_be_skipped(),
        ))
    }

    /// Every feature of the crates asked for, as `--features` takes them, but for those that need more than a fresh
    /// machine has.
    fn features(&self) -> anyhow::Result<String> {
        let metadata = self.checkout.packages()?;
        let mut features = Vec::new();
        for package in metadata.workspace_packages() {
            if self.packages.is_empty() || self.packages.contains(&package.name) {
                let all = package
                    .features
                    .keys()
                    .map(|feature| (package.name.as_str(), feature.as_str()));
                let ours = all.filter(|feature| !SYSTEM_FEATURES.contains(feature));
                features.extend(ours.map(|(package, feature)| format!("{package}/{feature}")));
            }
        }
        Ok(features.join(","))
    }

    /// `-p` for each crate asked for, or what means all of them.
    fn selection<'s>(&'s self, all: &[&'s str]) -> Vec<&'s str> {
        if self.packages.is_empty() {
            return all.to_vec();
        }
        self.packages
            .iter()
            .flat_map(|package| ["--package", package.as_str()])
            .collect()
    }

    /// A step that is one call of cargo: it passes if that succeeds.
    fn cargo(
        &self,
        step: Step,
        before: &[&str],
        all: &[&str],
        after: &[&str],
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Outcome> {
        let mut command = self.checkout.cargo();
        command
            .args(before)
            .args(self.selection(all))
            .args(after)
            .envs(environment.iter().copied());
        let (finished, output) = self.logged(step.name(), command, |_| {})?;
        if finished.success() {
            return Ok(Outcome::passed());
        }
        Ok(Outcome::failed(&finished.ending(), &output))
    }

    /// Runs a command with everything it says in a log, and answers with that too.
    fn logged(
        &self,
        name: &str,
        command: Command,
        mut on_line: impl FnMut(&str),
    ) -> anyhow::Result<(process::Finished, String)> {
        let path = self.logs().join(format!("{name}.log"));
        let mut log = fs::File::create(&path).with_context(|| path.display().to_string())?;
        let mut output = String::new();
        let mut unlogged = None;
        let finished = process::run(command, None, |line| {
            if let Err(error) = std::io::Write::write_all(&mut log, format!("{line}\n").as_bytes()) {
                unlogged = Some(error);
            }
            // Writing to a string cannot fail.
            let _ = writeln!(output, "{line}");
            on_line(line);
        })?;
        match unlogged {
            Some(error) => Err(error).context(path.display().to_string()),
            None => Ok((finished, output)),
        }
    }

    /// A step that only reads.
    fn report(&self, report: &Report) -> Outcome {
        for warning in &report.warnings {
            self.terminal.say(format_args!("      warning: {warning}"));
        }
        if report.errors.is_empty() {
            self.terminal.say(format_args!("      {}", report.summary()));
            return Outcome::passed();
        }
        Outcome::failed(&report.summary(), &report.errors.join("\n"))
    }
}

#[cfg(test)]
mod tests;
