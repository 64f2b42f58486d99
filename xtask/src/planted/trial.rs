//! One bug on trial: planted, built, and tested by those who must notice it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::libtest::{Binary, Reader};
use crate::process;
use crate::terminal::{counted, seconds};

use super::bed::Bed;
use super::plant::Plant;

/// How much of what was said goes into a verdict.
const MOST_LINES_QUOTED: usize = 2;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    build: Duration,
    tests: Duration,
}

impl Limits {
    pub(super) fn tests(tests: Duration) -> Self {
        // A cold build on a small machine; a bug cannot make a build hang.
        Self {
            build: Duration::from_secs(3_600),
            tests,
        }
    }

    /// Where hanging is what is expected, waiting far beyond the usual time proves nothing more.
    fn for_a_hang(self, usual: Duration) -> Duration {
        (usual * 4 + Duration::from_secs(20)).min(self.tests)
    }
}

/// What came of a bug.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Every run that had to fail did, by these tests.
    Caught { by: Vec<String> },
    /// The tests saw nothing.
    Survived { why: String },
    /// The plant proves nothing: it does not apply or compile, or its tests do not witness.
    Invalid { why: String },
}

/// What the tests say without the bug.
pub(super) enum Baseline {
    Green { tests: u64, took: Duration },
    Unfit { why: String },
}

/// What one run of tests came to.
enum Ran {
    DidNotBuild(String),
    Passed { tests: u64, took: Duration },
    Failed { tests: Vec<String> },
    Hung,
}

impl Verdict {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Caught { .. } => "caught",
            Self::Survived { .. } => "survived",
            Self::Invalid { .. } => "invalid",
        }
    }

    pub(super) fn by(&self) -> &[String] {
        match self {
            Self::Caught { by } => by,
            Self::Survived { .. } | Self::Invalid { .. } => &[],
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Caught { by } => match by.as_slice() {
                [first, _, ..] => format!("{first} and {} more", by.len() - 1),
                by => by.concat(),
            },
            Self::Survived { why } => format!("SURVIVED: {why}"),
            Self::Invalid { why } => format!("INVALID: {why}"),
        }
    }
}

impl Baseline {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Green { tests, took } => format!("{} passed ({})", counted_tests(*tests), seconds(*took)),
            Self::Unfit { why } => format!("UNFIT: {why}"),
        }
    }
}

/// Runs tests on the unchanged copy: only tests that pass there can catch anything.
pub(super) fn baseline(bed: &Bed, arguments: &[String], limits: Limits) -> anyhow::Result<Baseline> {
    let ran = run_tests(bed, "without-a-bug", arguments, limits.build, limits.tests)?;
    // What the tests wrote must not be there for the bugs.
    bed.restore()?;
    Ok(match ran {
        Ran::Passed { tests: 0, .. } => Baseline::Unfit {
            why: "no test has such a name".to_owned(),
        },
        Ran::Passed { tests, took } => Baseline::Green { tests, took },
        Ran::Failed { tests } => Baseline::Unfit {
            why: format!("fails without the bug: {}", tests.join(", ")),
        },
        Ran::Hung => Baseline::Unfit {
            why: "hangs without the bug".to_owned(),
        },
        Ran::DidNotBuild(why) => Baseline::Unfit {
            why: format!("does not build: {why}"),
        },
    })
}

/// Tries one bug. The copy is in order again afterwards, whatever came of it.
pub(super) fn run(
    bed: &Bed,
    plant: &Plant,
    baselines: &BTreeMap<Vec<String>, Baseline>,
    limits: Limits,
) -> anyhow::Result<(Verdict, Duration)> {
    let started = Instant::now();
    let verdict = match bed.plant(plant)? {
        Some(why) => Ok(Verdict::Invalid { why }),
        None => judge(bed, plant, baselines, limits),
    };
    bed.restore()?;
    Ok((verdict?, started.elapsed()))
}

fn judge(
    bed: &Bed,
    plant: &Plant,
    baselines: &BTreeMap<Vec<String>, Baseline>,
    limits: Limits,
) -> anyhow::Result<Verdict> {
    let mut by = Vec::new();
    for arguments in &plant.caught_by {
        let named = arguments.join(" ");
        let usual = match baselines.get(arguments) {
            Some(Baseline::Green { took, .. }) => *took,
            Some(Baseline::Unfit { why }) => {
                return Ok(Verdict::Invalid {
                    why: format!("{named}: {why}"),
                });
            }
            None => {
                return Ok(Verdict::Invalid {
                    why: format!("{named}: was not seen green"),
                });
            }
        };
        let limit = if plant.expects_hang {
            limits.for_a_hang(usual)
        } else {
            limits.tests
        };
        match run_tests(bed, &plant.name, arguments, limits.build, limit)? {
            Ran::DidNotBuild(why) => {
                return Ok(Verdict::Invalid {
                    why: format!("does not build: {why}"),
                });
            }
            Ran::Passed { tests, .. } => {
                return Ok(Verdict::Survived {
                    why: format!("{named}: {} passed", counted_tests(tests)),
                });
            }
            Ran::Hung if !plant.expects_hang => {
                let why = format!("{named}: hung, which the header does not expect");
                return Ok(Verdict::Survived { why });
            }
            Ran::Hung => by.push(format!("hang of {named}")),
            Ran::Failed { tests } => by.extend(tests),
        }
    }
    Ok(Verdict::Caught { by })
}

/// Builds first, so that a compiler's refusal is never taken for a failing test.
fn run_tests(
    bed: &Bed,
    name: &str,
    arguments: &[String],
    build: Duration,
    limit: Duration,
) -> anyhow::Result<Ran> {
    let mut said = Vec::new();
    let ran = build_and_test(bed, arguments, build, limit, &mut said);
    bed.log(name, arguments, &said)?;
    ran
}

fn build_and_test(
    bed: &Bed,
    arguments: &[String],
    build: Duration,
    limit: Duration,
    said: &mut Vec<String>,
) -> anyhow::Result<Ran> {
    let mut command = bed.cargo_test(arguments);
    command.arg("--no-run").args(arguments);
    let built = process::run(command, Some(build), |line| said.push(line.to_owned()))?;
    if !built.success() {
        return Ok(Ran::DidNotBuild(quote(said)));
    }

    let mut command = bed.cargo_test(arguments);
    command.args(arguments);
    let mut reader = Reader::default();
    let mut binaries: Vec<Binary> = Vec::new();
    let finished = process::run(command, Some(limit), |line| {
        said.push(line.to_owned());
        binaries.extend(reader.line(line));
    })?;
    if finished.status.is_none() {
        return Ok(Ran::Hung);
    }
    binaries.extend(reader.finish());
    if finished.success() {
        let tests = binaries.iter().map(|binary| binary.passed).sum();
        return Ok(Ran::Passed {
            tests,
            took: finished.took,
        });
    }
    let mut tests: Vec<String> = binaries
        .into_iter()
        .flat_map(|binary| binary.failures)
        .map(|failure| failure.test)
        .collect();
    if tests.is_empty() {
        tests.push(format!("cargo test: {}", finished.ending()));
    }
    Ok(Ran::Failed { tests })
}

/// The first errors of a compiler.
fn quote(said: &[String]) -> String {
    let from = said
        .iter()
        .position(|line| line.starts_with("error"))
        .unwrap_or(0);
    let quoted: Vec<&str> = said[from..]
        .iter()
        .take(MOST_LINES_QUOTED)
        .map(|line| line.trim())
        .collect();
    quoted.join(" | ")
}

fn counted_tests(tests: u64) -> String {
    usize::try_from(tests).map_or_else(|_| "too many tests".to_owned(), |tests| counted(tests, "test"))
}
