//! What a step comes to, and the sum of all.

use std::fmt;

use crate::servers::Brought;
use crate::terminal::{Terminal, counted};

/// What one step has counted.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
    /// One line for each thing skipped: what, and why.
    pub(super) skips: Vec<String>,
    pub(super) failures: Vec<Failure>,
}

#[derive(Debug)]
pub(super) struct Failure {
    pub(super) title: String,
    pub(super) output: Vec<String>,
}

impl Outcome {
    /// A check that is in order counts as one.
    pub(super) fn passed() -> Self {
        Self {
            passed: 1,
            ..Self::default()
        }
    }

    pub(super) fn failed(title: &str, output: &str) -> Self {
        let mut outcome = Self::default();
        outcome.fail(title, output.lines().map(str::to_owned).collect());
        outcome
    }

    /// A server that is not to be had is skipped here as its tests are later, unless nothing may be skipped.
    pub(super) fn of_servers(brought: Vec<Brought>, strict: bool) -> Self {
        let mut outcome = Self::default();
        for Brought { program, absent } in brought {
            match absent {
                None => outcome.passed += 1,
                Some(why) if strict => outcome.fail(program, vec![why]),
                Some(why) => {
                    outcome.skipped += 1;
                    outcome.skips.push(format!("servers: {program}: {why}"));
                }
            }
        }
        outcome
    }

    /// Counts one more failure.
    pub(super) fn fail(&mut self, title: &str, output: Vec<String>) {
        self.failed += 1;
        self.failures.push(Failure {
            title: title.to_owned(),
            output,
        });
    }

    pub(super) fn verdict(&self) -> String {
        if self.failed == 0 {
            "ok".to_owned()
        } else {
            format!("FAILED: {}", counted(self.failures.len(), "failure"))
        }
    }
}

impl Failure {
    /// Prints the end of what was said: the cause usually stands there.
    pub(super) fn tell(&self, terminal: &Terminal, most_lines: usize) {
        terminal.say(format_args!("      failed: {}", self.title));
        let hidden = self.output.len().saturating_sub(most_lines);
        if hidden > 0 {
            terminal.say(format_args!(
                "      | (before this: {}, in target/xtask/)",
                counted(hidden, "line")
            ));
        }
        for line in &self.output[hidden..] {
            terminal.say(format_args!("      | {line}"));
        }
    }
}

/// The closing line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
}

impl Totals {
    pub(super) fn of<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Self {
        outcomes.fold(
            Self {
                passed: 0,
                failed: 0,
                skipped: 0,
            },
            |sum, outcome| Self {
                passed: sum.passed + outcome.passed,
                failed: sum.failed + outcome.failed,
                skipped: sum.skipped + outcome.skipped,
            },
        )
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}
