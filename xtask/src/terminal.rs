//! Where the tools speak, and the shape in which a check reports.

use std::fmt::Display;
use std::time::Duration;

/// The stream people read: standard output, or standard error while a machine reads standard output.
#[derive(Clone, Copy)]
pub(crate) struct Terminal {
    on_stderr: bool,
}

impl Terminal {
    pub(crate) fn stdout() -> Self {
        Self { on_stderr: false }
    }

    /// With `--json` standard output carries the document alone.
    pub(crate) fn beside_json(json: bool) -> Self {
        Self { on_stderr: json }
    }

    pub(crate) fn say(&self, line: impl Display) {
        if self.on_stderr {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
    }

    /// Prints the one document of `--json`.
    pub(crate) fn document(document: &serde_json::Value) {
        println!("{document:#}");
    }
}

/// What a check that reads (and runs nothing) has found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// What was looked at, in a few words, so that an empty report is not mistaken for an empty look.
    pub(crate) looked_at: String,
    /// Each makes the check fail.
    pub(crate) errors: Vec<String>,
    /// Worth a look; none fails the check.
    pub(crate) warnings: Vec<String>,
}

impl Report {
    /// Prints the findings and answers whether all is in order.
    pub(crate) fn tell(&self, terminal: &Terminal) -> bool {
        for warning in &self.warnings {
            terminal.say(format_args!("warning: {warning}"));
        }
        for error in &self.errors {
            terminal.say(format_args!("error: {error}"));
        }
        terminal.say(self.summary());
        self.errors.is_empty()
    }

    pub(crate) fn summary(&self) -> String {
        match (self.errors.len(), self.warnings.len()) {
            (0, 0) => format!("{}: in order", self.looked_at),
            (0, warnings) => format!("{}: in order, {}", self.looked_at, counted(warnings, "warning")),
            (errors, _) => format!("{}: {}", self.looked_at, counted(errors, "error")),
        }
    }
}

/// `1 error`, `2 errors`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

/// Seconds to a tenth.
pub(crate) fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}
