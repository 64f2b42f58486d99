//! Reads what `cargo test` prints: which binary runs, what each counts, which tests failed and why.
//!
//! The plain text is all a stable toolchain offers. Counts come from the closing `test result:` lines and
//! names of failed tests from the closing list, so a test that writes between the lines cannot hide one.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Of a test binary that dies, so many of its last lines are kept: they often name the test.
const LAST_LINES: usize = 20;

/// How a test says that it left itself out: `coupon-testkit` writes this past the harness, which counts the test
/// as passed.
const SKIPPED_ITSELF: &str = "coupon-testkit skips ";

/// One test binary, or the documentation tests of one crate.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Binary {
    /// As cargo names it: `src/lib.rs (target/debug/deps/coupon_core-0f3a)` or `Doc-tests coupon_core`.
    pub(crate) name: String,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    pub(crate) skips: Vec<Skip>,
    pub(crate) failures: Vec<Failure>,
    pub(crate) took: Duration,
    /// Tests that left themselves out.
    left_out: u64,
    /// It reached its closing line; otherwise it was killed or aborted.
    closed: bool,
}

/// A test that did not run, and the reason it gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) test: String,
    pub(crate) reason: String,
}

/// A test that failed, with what it wrote.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) test: String,
    pub(crate) output: Vec<String>,
}

/// Fed line by line; hands out each binary when the next one starts.
#[derive(Default)]
pub(crate) struct Reader {
    current: Option<(Binary, Instant)>,
    section: Section,
    outputs: Vec<Failure>,
    last_lines: VecDeque<String>,
}

#[derive(Default, PartialEq, Eq)]
enum Section {
    #[default]
    Tests,
    /// After the first `failures:`, captured output, in which anything may be written.
    Outputs,
    /// After the second one, the names.
    Names,
}

impl Reader {
    /// Takes the next line. Answers with a binary that this line shows to be over.
    pub(crate) fn line(&mut self, line: &str) -> Option<Binary> {
        if let Some(name) = starts_binary(line) {
            let over = self.finish();
            self.current = Some((
                Binary {
                    name,
                    ..Binary::default()
                },
                Instant::now(),
            ));
            return over;
        }
        let Some((binary, _)) = &mut self.current else {
            return None;
        };
        if self.last_lines.len() == LAST_LINES {
            self.last_lines.pop_front();
        }
        self.last_lines.push_back(line.to_owned());
        match self.section {
            Section::Tests => {
                if line == "failures:" {
                    self.section = Section::Outputs;
                } else if let Some(counts) = Counts::parse(line) {
                    binary.count(&counts);
                } else if let Some(rest) = line.strip_prefix("test ") {
                    binary.test_line(rest);
                } else if let Some(rest) = line.strip_prefix(SKIPPED_ITSELF) {
                    binary.skip_line(rest);
                }
            }
            Section::Outputs => {
                if line == "failures:" {
                    self.section = Section::Names;
                } else if let Some(test) = line
                    .strip_prefix("---- ")
                    .and_then(|rest| rest.strip_suffix(" stdout ----"))
                {
                    self.outputs.push(Failure {
                        test: test.to_owned(),
                        output: Vec::new(),
                    });
                } else if let Some(failure) = self.outputs.last_mut() {
                    failure.output.push(line.to_owned());
                }
            }
            Section::Names => {
                if let Some(counts) = Counts::parse(line) {
                    binary.count(&counts);
                    self.section = Section::Tests;
                } else if let Some(test) = line.strip_prefix("    ") {
                    let at = self.outputs.iter().position(|failure| failure.test == test);
                    let output = at
                        .map(|at| self.outputs.swap_remove(at).output)
                        .unwrap_or_default();
                    binary.failures.push(Failure {
                        test: test.to_owned(),
                        output: trimmed(output),
                    });
                }
            }
        }
        None
    }

    /// No more lines come: hands out the last binary. One that died counts as one failure.
    pub(crate) fn finish(&mut self) -> Option<Binary> {
        let (mut binary, started) = self.current.take()?;
        if !binary.closed {
            let died = |line: &String| {
                let how = line
                    .trim_start()
                    .strip_prefix("process didn't exit successfully: ")?;
                Some(format!("the test binary died {}", how.rsplit_once("` ")?.1))
            };
            let test = self
                .last_lines
                .iter()
                .find_map(died)
                .unwrap_or_else(|| "the test binary died".to_owned());
            binary.failed += 1;
            binary.failures.push(Failure {
                test,
                output: trimmed(self.last_lines.drain(..).collect()),
            });
        }
        binary.settle();
        binary.took = started.elapsed();
        self.section = Section::Tests;
        self.outputs.clear();
        self.last_lines.clear();
        Some(binary)
    }
}

impl Binary {
    fn count(&mut self, counts: &Counts) {
        self.passed += counts.passed;
        self.failed += counts.failed;
        self.skipped += counts.ignored;
        self.closed = true;
    }

    /// Reads `NAME: REASON`. A test may say it twice, and counts once.
    fn skip_line(&mut self, rest: &str) {
        let (test, reason) = rest.split_once(": ").unwrap_or((rest, "no reason given"));
        if self.skips.iter().all(|skip| skip.test != test) {
            self.skips.push(Skip {
                test: test.to_owned(),
                reason: reason.to_owned(),
            });
            self.left_out += 1;
        }
    }

    /// Takes those that left themselves out from those that the harness counts as passed.
    fn settle(&mut self) {
        let left_out = self.left_out.min(self.passed);
        self.passed -= left_out;
        self.skipped += left_out;
    }

    /// Reads what follows `test ` for a test that is left out.
    fn test_line(&mut self, rest: &str) {
        let Some((test, verdict)) = rest.split_once(" ... ") else {
            return;
        };
        if let Some(reason) = verdict.strip_prefix("ignored") {
            let reason = reason.trim_start_matches(", ");
            let reason = if reason.is_empty() {
                "no reason given"
            } else {
                reason
            };
            self.skips.push(Skip {
                test: test.to_owned(),
                reason: reason.to_owned(),
            });
        }
    }

    /// The file name of the program, which `cargo test --no-run` names with its package.
    pub(crate) fn program(&self) -> Option<&str> {
        let path = self.name.strip_suffix(')')?.rsplit_once('(')?.1;
        path.rsplit(['/', '\\']).next()
    }
}

/// `     Running unittests src/lib.rs (target/debug/deps/x-1)` or `   Doc-tests x`, as only cargo writes it.
fn starts_binary(line: &str) -> Option<String> {
    if let Some(rest) = line.strip_prefix("     Running ") {
        return rest
            .ends_with(')')
            .then(|| rest.strip_prefix("unittests ").unwrap_or(rest).to_owned());
    }
    line.strip_prefix("   Doc-tests ")
        .map(|name| format!("Doc-tests {name}"))
}

struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    /// `test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s`
    fn parse(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("test result: ")?;
        let (_, rest) = rest.split_once(". ")?;
        let count = |what: &str| -> Option<u64> {
            rest.split("; ")
                .find_map(|part| part.strip_suffix(what)?.trim().parse().ok())
        };
        Some(Self {
            passed: count("passed")?,
            failed: count("failed")?,
            ignored: count("ignored")?,
        })
    }
}

fn trimmed(mut lines: Vec<String>) -> Vec<String> {
    while lines.last().is_some_and(|line| line.trim().is_empty()) {
        lines.pop();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Binary> {
        let mut reader = Reader::default();
        let mut binaries: Vec<Binary> = text.lines().filter_map(|line| reader.line(line)).collect();
        binaries.extend(reader.finish());
        binaries
    }

    #[test]
    fn counts_and_reasons_are_kept_for_each_binary() {
        let binaries = read(
            "   Compiling x v0.1.0
    Finished `test` profile [unoptimized] target(s) in 0.10s
     Running unittests src/lib.rs (target/debug/deps/x-0a1b)

running 3 tests
test a ... ok
test b ... ignored, needs a real disk
test c ... ok

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

   Doc-tests x

running 1 test
test src/lib.rs - f (line 3) ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.20s
",
        );
        assert_eq!(binaries.len(), 2);
        assert_eq!(
            (binaries[0].passed, binaries[0].failed, binaries[0].skipped),
            (2, 0, 1)
        );
        assert_eq!(
            binaries[0].skips,
            [Skip {
                test: "b".into(),
                reason: "needs a real disk".into()
            }]
        );
        assert_eq!(binaries[0].program(), Some("x-0a1b"));
        assert_eq!(
            (binaries[1].name.as_str(), binaries[1].passed),
            ("Doc-tests x", 1)
        );
    }

    #[test]
    fn a_test_that_leaves_itself_out_is_skipped_and_not_passed() {
        let binaries = read(
            "     Running tests/it.rs (target/debug/deps/it-77)

running 3 tests
test a ... ok

coupon-testkit skips sql::b: no mysqld: apt-get cannot be run here

coupon-testkit skips sql::b: no mysqld: apt-get cannot be run here
test sql::b ... ok
test c ... ignored, slow

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
",
        );
        assert_eq!((binaries[0].passed, binaries[0].skipped), (1, 2));
        assert_eq!(
            binaries[0].skips[0],
            Skip {
                test: "sql::b".into(),
                reason: "no mysqld: apt-get cannot be run here".into()
            }
        );
    }

    #[test]
    fn a_failure_keeps_what_the_test_wrote_even_if_that_looks_like_a_result() {
        let binaries = read(
            "     Running tests/it.rs (target/debug/deps/it-77)

running 2 tests
test good ... ok
test bad ... FAILED

failures:

---- bad stdout ----
test result: ok. 90 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
thread 'bad' panicked at src/lib.rs:1:1:
no


failures:
    bad

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

error: test failed, to rerun pass `-p x --test it`
",
        );
        assert_eq!((binaries[0].passed, binaries[0].failed), (1, 1));
        assert_eq!(binaries[0].failures[0].test, "bad");
        assert_eq!(binaries[0].failures[0].output.last().unwrap(), "no");
    }

    #[test]
    fn a_binary_that_dies_is_a_failure_with_its_last_words() {
        let binaries = read(
            "     Running unittests src/lib.rs (target/debug/deps/x-1)

running 2 tests
thread 'deep' (7) has overflowed its stack
error: test failed, to rerun pass `-p x --lib`

Caused by:
  process didn't exit successfully: `target/debug/deps/x-1` (signal: 6, SIGABRT: process abort signal)
     Running unittests src/lib.rs (target/debug/deps/y-1)
running 0 tests
test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
",
        );
        assert_eq!(binaries[0].failed, 1);
        let failure = &binaries[0].failures[0];
        assert_eq!(
            failure.test,
            "the test binary died (signal: 6, SIGABRT: process abort signal)"
        );
        assert!(
            failure
                .output
                .iter()
                .any(|line| line.contains("overflowed its stack"))
        );
        assert_eq!(binaries[1].failed, 0);
    }

    #[test]
    fn documentation_tests_that_run_in_two_parts_are_added_up() {
        let part =
            "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        let binaries = read(&format!("   Doc-tests x\n{part}{part}"));
        assert_eq!(binaries[0].passed, 4);
    }
}
