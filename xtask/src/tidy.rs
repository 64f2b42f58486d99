//! `cargo xtask tidy`: what the house expects of a file and no compiler checks.
//!
//! A rule is a name and a function over one file, or over all of them. Each lives with its kin below, and
//! the table in `tests` shows for each that it can fail.

mod absences;
mod leftovers;
mod lexer;
mod places;
mod prose;
mod shape;
mod source;

use std::path::Path;

use anyhow::Context as _;

use crate::checkout::Checkout;
use crate::terminal::{Report, counted};

use self::source::File;

/// One thing that tidy looks for.
struct Rule {
    name: &'static str,
    look: Look,
}

enum Look {
    /// Findings of one file: line (0 for the file as a whole) and what is wrong.
    AtEach(fn(&File, &mut Findings)),
    /// Findings that need more than one file.
    AtAll(fn(&[File], &mut Findings)),
}

/// Gathers what the rules find.
#[derive(Default)]
struct Findings {
    rule: &'static str,
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
}

struct Finding {
    rule: &'static str,
    path: String,
    line: usize,
    message: String,
}

impl Findings {
    fn error(&mut self, file: &File, line: usize, message: impl Into<String>) {
        let finding = self.finding(file, line, message.into());
        self.errors.push(finding);
    }

    fn warning(&mut self, file: &File, line: usize, message: impl Into<String>) {
        let finding = self.finding(file, line, message.into());
        self.warnings.push(finding);
    }

    fn finding(&self, file: &File, line: usize, message: String) -> Finding {
        Finding {
            rule: self.rule,
            path: file.path().to_owned(),
            line,
            message,
        }
    }
}

impl Finding {
    fn text(&self) -> String {
        let Self {
            rule,
            path,
            line,
            message,
        } = self;
        if *line == 0 {
            format!("{path}: {message} [{rule}]")
        } else {
            format!("{path}:{line}: {message} [{rule}]")
        }
    }
}

pub(crate) fn check(checkout: &Checkout) -> anyhow::Result<Report> {
    let mut files = Vec::new();
    for path in checkout.files()? {
        let bytes = std::fs::read(checkout.root().join(&path)).with_context(|| path.display().to_string())?;
        files.push(File::new(&slashed(&path), String::from_utf8(bytes).ok()));
    }
    let findings = look(&files);
    Ok(Report {
        looked_at: counted(files.len(), "file"),
        errors: findings.errors.iter().map(Finding::text).collect(),
        warnings: findings.warnings.iter().map(Finding::text).collect(),
    })
}

fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        shape::RULES,
        leftovers::RULES,
        absences::RULES,
        places::RULES,
        prose::RULES,
    ]
    .into_iter()
    .flatten()
}

fn look(files: &[File]) -> Findings {
    let mut findings = Findings::default();
    for rule in rules() {
        findings.rule = rule.name;
        match rule.look {
            Look::AtEach(look) => files.iter().for_each(|file| look(file, &mut findings)),
            Look::AtAll(look) => look(files, &mut findings),
        }
    }
    findings
}

fn slashed(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests;
