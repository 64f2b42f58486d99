//! The scratch copy that bugs are planted in, put back in order after each.
//!
//! It is a copy and not a worktree, so that changes not yet committed are examined too. Files are only
//! written where they differ: the build directory beside the copy stays warm from run to run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::checkout::Checkout;
use crate::servers;

use super::plant::Plant;

pub(super) struct Bed {
    tree: Checkout,
    build: PathBuf,
    logs: PathBuf,
    /// The checkout's: the copy has none of its own.
    servers: PathBuf,
    /// Every file as it was when the copy was made; the checkout may change meanwhile.
    original: BTreeMap<PathBuf, Vec<u8>>,
}

impl Bed {
    /// Makes or refreshes the copy of one lane.
    pub(super) fn prepare(checkout: &Checkout, lane: usize) -> anyhow::Result<Self> {
        let suffix = if lane == 0 {
            String::new()
        } else {
            format!("-{lane}")
        };
        let planted = checkout.target().join("planted");
        let tree = planted.join(format!("tree{suffix}"));
        let build = planted.join(format!("target{suffix}"));
        let logs = planted.join("logs");
        for directory in [&tree, &logs] {
            fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        }
        let mut original = BTreeMap::new();
        for path in checkout.files()? {
            let bytes = fs::read(checkout.root().join(&path)).with_context(|| path.display().to_string())?;
            original.insert(path, bytes);
        }
        let bed = Self {
            tree: Checkout::at(&tree),
            build,
            logs,
            servers: servers::home(checkout),
            original,
        };
        bed.restore()?;
        Ok(bed)
    }

    /// Plants the bug; answers why that is not possible.
    pub(super) fn plant(&self, plant: &Plant) -> anyhow::Result<Option<String>> {
        plant.apply(&self.tree)
    }

    /// Puts every file back and removes what was added: a failing property test, for instance, leaves the
    /// case it found behind, which would help the next bug to be found.
    pub(super) fn restore(&self) -> anyhow::Result<()> {
        let root = self.tree.root();
        remove_strangers(root, root, &self.original)?;
        for (path, bytes) in &self.original {
            let path = root.join(path);
            if fs::read(&path).is_ok_and(|found| found == *bytes) {
                continue;
            }
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
            }
            fs::write(&path, bytes).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    /// Keeps what the last run for a bug said, for whoever wonders about its verdict.
    pub(super) fn log(&self, name: &str, arguments: &[String], said: &[String]) -> anyhow::Result<()> {
        let path = self.logs.join(format!("{name}.log"));
        let text = format!("cargo test {}\n{}\n", arguments.join(" "), said.join("\n"));
        fs::write(&path, text).with_context(|| path.display().to_string())
    }

    /// `cargo test` in the copy.
    pub(super) fn cargo_test(&self, arguments: &[String]) -> Command {
        let mut command = self.tree.cargo();
        command
            .env("CARGO_TARGET_DIR", &self.build)
            .env(servers::HOME_VARIABLE, &self.servers)
            .arg("test");
        // Documentation tests are compiled as they run, so a bug that does not compile would look caught.
        let selects = |word: &String| {
            matches!(
                word.as_str(),
                "--lib" | "--bins" | "--bin" | "--test" | "--tests" | "--all-targets" | "--doc"
            )
        };
        if !arguments.iter().take_while(|word| *word != "--").any(selects) {
            command.arg("--tests");
        }
        command
    }
}

fn remove_strangers(
    root: &Path,
    directory: &Path,
    original: &BTreeMap<PathBuf, Vec<u8>>,
) -> anyhow::Result<()> {
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let entry = entry?;
        let path = entry.path();
        let Ok(relative) = path.strip_prefix(root) else {
            continue;
        };
        if entry.file_type()?.is_dir() {
            remove_strangers(root, &path, original)?;
            // Fails while something belongs there, which is as it should be.
            let _ = fs::remove_dir(&path);
        } else if !original.contains_key(relative) {
            fs::remove_file(&path).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}
