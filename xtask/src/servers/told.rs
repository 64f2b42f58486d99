//! Programs of others whose failure must carry their reasons.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::process;

/// How long one call may take: tens of megabytes over a slow line.
const LIMIT: Duration = Duration::from_secs(900);
/// So many characters of a reason are passed on: it stands behind every test that is skipped.
const LONGEST_REASON: usize = 160;
/// How lines begin that give a reason: apt's, dpkg's, Maven's.
const MARKS: &[&str] = &["E: ", "dpkg: error: ", "[ERROR] "];

/// Runs a command to its end.
pub(super) fn told(command: Command, what: &str) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut said = Vec::new();
    let finished = process::run(command, Some(LIMIT), |line| said.push(line.to_owned()))
        .with_context(|| format!("{program} cannot be run here"))?;
    if finished.success() {
        return Ok(());
    }
    // The first reason is the cause; the rest follow from it.
    let reason = said
        .iter()
        .find_map(|line| MARKS.iter().find_map(|mark| line.strip_prefix(mark)))
        .or(said.last().map(String::as_str))
        .unwrap_or_default();
    let why: String = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let why: String = why.chars().take(LONGEST_REASON).collect();
    bail!("{what}: {} ({why})", finished.ending())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_carries_the_reason_that_the_program_gave() {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "echo reading; echo 'E: Unable to  locate package x' >&2; echo E: more; exit 100",
        ]);
        let error = told(command, "apt-get install x").unwrap_err().to_string();
        assert_eq!(
            error,
            "apt-get install x: exit status: 100 (Unable to locate package x)"
        );
    }

    #[test]
    fn a_program_that_is_not_here_is_named() {
        let error = told(Command::new("no-such-program"), "trying").unwrap_err();
        assert_eq!(error.to_string(), "no-such-program cannot be run here");
    }
}
