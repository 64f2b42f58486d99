//! The step that runs the tests: builds them, runs them, and reports each test binary as it ends.

use std::collections::HashMap;

use cargo_metadata::Message;

use crate::libtest::{Binary, Reader};
use crate::servers;
use crate::terminal::seconds;

use super::Shift;
use super::outcome::Outcome;

pub(super) fn run(shift: &Shift<'_>) -> anyhow::Result<Outcome> {
    let mut names = Names::of(shift)?;
    let features = shift.features()?;
    let mut build = shift.checkout.cargo();
    build.arg("test").args(shift.selection(&["--workspace"]));
    build.args([
        "--features",
        &features,
        "--no-run",
        "--message-format=json-render-diagnostics",
    ]);
    let mut said = Vec::new();
    let (built, _) = shift.logged("tests-build", build, |line| {
        if !names.learn(line) {
            said.push(line.to_owned());
        }
    })?;
    if !built.success() {
        return Ok(Outcome::failed(
            &format!("the tests do not build: {}", built.ending()),
            &said.join("\n"),
        ));
    }
    shift
        .terminal
        .say(format_args!("      built in {}", seconds(built.took)));

    let mut command = shift.checkout.cargo();
    command
        .arg("test")
        .args(shift.selection(&["--workspace"]))
        .args(["--features", &features, "--no-fail-fast"])
        .env(servers::HOME_VARIABLE, servers::home(shift.checkout));
    let mut reader = Reader::default();
    let mut outcome = Outcome::default();
    let (finished, output) = shift.logged("tests", command, |line| {
        if line.contains(" has been running for over ") {
            shift.terminal.say(format_args!("      {line}"));
        }
        if let Some(binary) = reader.line(line) {
            outcome.add(shift, &names, binary);
        }
    })?;
    if let Some(binary) = reader.finish() {
        outcome.add(shift, &names, binary);
    }
    if finished.left_over {
        outcome.fail(
            "a test left a process running that holds its output open",
            Vec::new(),
        );
    }
    // Cargo can fail where no binary did, for instance when documentation tests do not build.
    if !finished.success() && outcome.failed == 0 {
        outcome.fail(
            &format!("cargo test: {}", finished.ending()),
            output.lines().map(str::to_owned).collect(),
        );
    }
    Ok(outcome)
}

impl Outcome {
    fn add(&mut self, shift: &Shift<'_>, names: &Names, binary: Binary) {
        let name = names.of_binary(&binary);
        self.passed += binary.passed;
        self.failed += binary.failed;
        self.skipped += binary.skipped;
        let skips = binary
            .skips
            .iter()
            .map(|skip| format!("{name}: {}: {}", skip.test, skip.reason));
        self.skips.extend(skips);
        let counts = format!(
            "{} passed, {} failed, {} skipped",
            binary.passed, binary.failed, binary.skipped
        );
        shift.terminal.say(format_args!(
            "      {name:<40} {counts} ({})",
            seconds(binary.took)
        ));
        for failure in binary.failures {
            let title = format!("{name}: {}", failure.test);
            self.failures.push(super::outcome::Failure {
                title,
                output: failure.output,
            });
        }
    }
}

/// Which crate a test program belongs to: the line that cargo prints does not say.
struct Names {
    packages: HashMap<String, String>,
    programs: HashMap<String, String>,
}

impl Names {
    fn of(shift: &Shift<'_>) -> anyhow::Result<Self> {
        let metadata = shift.checkout.packages()?;
        let packages = metadata
            .packages
            .iter()
            .map(|package| (package.id.repr.clone(), package.name.to_string()))
            .collect();
        Ok(Self {
            packages,
            programs: HashMap::new(),
        })
    }

    /// Takes a line of the build; answers whether it was a message for programs.
    fn learn(&mut self, line: &str) -> bool {
        if !line.starts_with('{') {
            return false;
        }
        let Ok(message) = serde_json::from_str::<Message>(line) else {
            return false;
        };
        if let Message::CompilerArtifact(artifact) = message
            && let Some(program) = artifact.executable.as_ref().and_then(|path| path.file_name())
            && let Some(package) = self.packages.get(&artifact.package_id.repr)
        {
            let part = if artifact.target.is_lib() {
                "lib".to_owned()
            } else {
                artifact.target.name.clone()
            };
            self.programs
                .insert(program.to_owned(), format!("{package} {part}"));
        }
        true
    }

    fn of_binary(&self, binary: &Binary) -> String {
        let known = binary.program().and_then(|program| self.programs.get(program));
        known.cloned().unwrap_or_else(|| binary.name.clone())
    }
}
