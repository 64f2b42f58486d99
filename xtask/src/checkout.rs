//! The checkout that the tools work on: its root, its files, its cargo and its package graph.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use cargo_metadata::{Metadata, MetadataCommand};

/// A workspace on disk.
#[derive(Clone, Debug)]
pub(crate) struct Checkout {
    root: PathBuf,
}

impl Checkout {
    /// The workspace that this tool was built from.
    pub(crate) fn of_this_workspace() -> anyhow::Result<Self> {
        let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest_dir.parent().context("xtask lies inside the workspace")?;
        Ok(Self::at(root))
    }

    pub(crate) fn at(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The build directory's root; what these tools leave behind lies below it.
    pub(crate) fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// Cargo in this checkout, speaking plainly so that its lines can be read by a program.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new("cargo");
        command
            .current_dir(&self.root)
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_TERM_PROGRESS_WHEN", "never")
            // Left by the cargo that started this tool; they would describe the wrong package.
            .env_remove("CARGO_MANIFEST_DIR")
            .env_remove("CARGO_MANIFEST_PATH");
        command
    }

    /// Git, kept from looking for a repository above the checkout: inside another repository's
    /// ignored directory `git apply` would skip every path and still report success.
    pub(crate) fn git(&self) -> Command {
        let mut command = Command::new("git");
        command.current_dir(&self.root);
        if let Some(parent) = self.root.parent() {
            command.env("GIT_CEILING_DIRECTORIES", parent);
        }
        command
    }

    /// The workspace's own packages.
    pub(crate) fn packages(&self) -> anyhow::Result<Metadata> {
        self.metadata(MetadataCommand::new().no_deps())
    }

    /// The whole tree, as far as this machine's platform uses it; more would have to be downloaded.
    pub(crate) fn package_tree(&self) -> anyhow::Result<Metadata> {
        let platform = format!("--filter-platform={}", self.host()?);
        self.metadata(MetadataCommand::new().other_options(vec![platform]))
    }

    fn metadata(&self, command: &mut MetadataCommand) -> anyhow::Result<Metadata> {
        command.current_dir(&self.root).exec().context("cargo metadata")
    }

    fn host(&self) -> anyhow::Result<String> {
        let output = Command::new("rustc")
            .arg("-vV")
            .current_dir(&self.root)
            .output()
            .context("rustc -vV")?;
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
            .context("rustc -vV names no host")
    }

    /// Every file that is committed or would be with `git add --all`, relative to the root, sorted.
    ///
    /// Without a repository (an unpacked archive) it is every file but build output.
    pub(crate) fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let listed = self
            .git()
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .output()
            .ok()
            .filter(|output| output.status.success());
        let files: BTreeSet<PathBuf> = match listed {
            Some(output) => String::from_utf8_lossy(&output.stdout)
                .split('\0')
                .filter(|path| !path.is_empty())
                .map(PathBuf::from)
                .collect(),
            None => walk(&self.root)?,
        };
        // A deleted file is still listed until the deletion is committed.
        let files: Vec<PathBuf> = files
            .into_iter()
            .filter(|path| self.root.join(path).is_file())
            .collect();
        if files.is_empty() {
            bail!("no files found in {}", self.root.display());
        }
        Ok(files)
    }
}

fn walk(root: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![root.to_path_buf()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
            let entry = entry?;
            let path = entry.path();
            let kind = entry.file_type()?;
            if kind.is_dir() {
                let name = entry.file_name();
                if name != "target" && name != ".git" {
                    waiting.push(path);
                }
            } else if kind.is_file()
                && let Ok(relative) = path.strip_prefix(root)
            {
                found.insert(relative.to_path_buf());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_repository_the_tree_is_walked_and_build_output_left_out() {
        let scratch = tempfile::tempdir().unwrap();
        for path in ["a.txt", "src/b.rs", "target/debug/c"] {
            let path = scratch.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let files = Checkout::at(scratch.path()).files().unwrap();
        assert_eq!(files, [PathBuf::from("a.txt"), PathBuf::from("src/b.rs")]);
    }
}
