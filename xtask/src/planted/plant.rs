//! A planted bug: a patch with a header that says what is wrong and who must notice.
//!
//! ```text
//! # bug: The answer leaves before the sync.
//! # caught-by: -p ledger-journal an_answer_waits_for_its_sync
//! # invariant: I4
//! # expect: hang
//! --- a/crates/…
//! ```
//!
//! `caught-by` holds arguments of `cargo test`; with several such lines each of the runs must fail.
//! `invariant` and `expect` may be missing.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::json;

use crate::checkout::Checkout;

#[derive(Debug)]
pub(super) struct Plant {
    /// The patch's file name without `.patch`.
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// One sentence.
    pub(super) bug: String,
    pub(super) caught_by: Vec<Vec<String>>,
    invariants: Vec<String>,
    /// The tests notice this one by never ending.
    pub(super) expects_hang: bool,
}

impl Plant {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        Self::parse(path, &text).with_context(|| path.display().to_string())
    }

    fn parse(path: &Path, text: &str) -> anyhow::Result<Self> {
        let name = path
            .file_stem()
            .context("a patch has a name")?
            .to_string_lossy()
            .into_owned();
        let mut plant = Self {
            name,
            path: path.to_path_buf(),
            bug: String::new(),
            caught_by: Vec::new(),
            invariants: Vec::new(),
            expects_hang: false,
        };
        for line in text
            .lines()
            .take_while(|line| line.is_empty() || line.starts_with('#'))
        {
            let Some((key, value)) = line.trim_start_matches('#').split_once(':') else {
                continue;
            };
            match (key.trim(), value.trim()) {
                ("bug", bug) => plant.bug = bug.to_owned(),
                ("caught-by", arguments) => {
                    plant
                        .caught_by
                        .push(arguments.split_whitespace().map(str::to_owned).collect());
                }
                ("invariant", invariants) => {
                    plant.invariants.extend(
                        invariants
                            .split([',', ' '])
                            .filter(|name| !name.is_empty())
                            .map(str::to_owned),
                    );
                }
                ("expect", "hang") => plant.expects_hang = true,
                ("expect", other) => bail!("`# expect: {other}` is unknown; there is only `hang`"),
                // The header may say more, in sentences with colons too.
                _ => {}
            }
        }
        plant.complete(text)?;
        Ok(plant)
    }

    fn complete(&self, text: &str) -> anyhow::Result<()> {
        if self.bug.is_empty() {
            bail!("the header has no `# bug: one sentence`");
        }
        let names_a_crate =
            |arguments: &Vec<String>| arguments.iter().any(|word| word == "-p" || word == "--package");
        if self.caught_by.is_empty() || !self.caught_by.iter().all(names_a_crate) {
            bail!("the header has no `# caught-by: -p crate [test filter]`");
        }
        let touched: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("+++ b/"))
            .collect();
        if touched.is_empty() {
            bail!("changes no file: a line `+++ b/path` is missing");
        }
        if let Some(test) = touched
            .iter()
            .find(|path| path.split('/').any(|name| matches!(name, "tests" | "tests.rs")))
        {
            bail!("changes {test}: a bug is planted in the product, not in its tests");
        }
        Ok(())
    }

    pub(super) fn invariant(&self) -> String {
        if self.invariants.is_empty() {
            "-".to_owned()
        } else {
            self.invariants.join(",")
        }
    }

    /// Why the patch does not apply to this checkout, if it does not.
    pub(super) fn does_not_apply(&self, checkout: &Checkout) -> anyhow::Result<Option<String>> {
        self.git_apply(checkout, &["--check"])
    }

    /// Applies the patch to a checkout, all of it or nothing; answers why not.
    pub(super) fn apply(&self, checkout: &Checkout) -> anyhow::Result<Option<String>> {
        self.git_apply(checkout, &[])
    }

    fn git_apply(&self, checkout: &Checkout, mode: &[&str]) -> anyhow::Result<Option<String>> {
        let output = checkout
            .git()
            .args(["apply", "--whitespace=nowarn"])
            .args(mode)
            .arg(&self.path)
            .output()
            .context("git apply")?;
        if output.status.success() {
            return Ok(None);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Ok(Some(format!(
            "{} does not apply: {}",
            self.name,
            said.trim().replace('\n', "; ")
        )))
    }

    pub(super) fn document(&self) -> serde_json::Value {
        json!({
            "name": self.name,
            "bug": self.bug,
            "invariants": self.invariants,
            "caught_by": self.caught_by.iter().map(|arguments| arguments.join(" ")).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> anyhow::Result<Plant> {
        Plant::parse(Path::new("planted/early-answer.patch"), text)
    }

    const DIFF: &str = "--- a/crates/x/src/lib.rs\n+++ b/crates/x/src/lib.rs\n@@ -1 +1 @@\n-a\n+b\n";

    #[test]
    fn the_header_says_what_is_wrong_and_who_must_notice() {
        let plant = parse(&format!(
            "# bug: The answer leaves early.\n# A note: more.\n# caught-by: -p x some_test\n# caught-by: -p y\n\
             # invariant: I4, I5\n# expect: hang\n\n{DIFF}# bug: not this\n"
        ))
        .unwrap();
        assert_eq!(
            (plant.name.as_str(), plant.bug.as_str()),
            ("early-answer", "The answer leaves early.")
        );
        assert_eq!(plant.caught_by, [vec!["-p", "x", "some_test"], vec!["-p", "y"]]);
        assert_eq!(plant.invariant(), "I4,I5");
        assert!(plant.expects_hang);
    }

    #[test]
    fn an_incomplete_header_is_refused_with_what_it_lacks() {
        let header = "# bug: B.\n# caught-by: -p x\n";
        let in_tests = "--- a/crates/x/tests/it.rs\n+++ b/crates/x/tests/it.rs\n";
        for (text, expected) in [
            (format!("# caught-by: -p x\n{DIFF}"), "no `# bug"),
            (format!("# bug: B.\n{DIFF}"), "no `# caught-by"),
            (
                format!("# bug: B.\n# caught-by: some_test\n{DIFF}"),
                "no `# caught-by",
            ),
            (header.to_owned(), "changes no file"),
            (format!("{header}{in_tests}"), "not in its tests"),
            (format!("{header}# expect: mercy\n{DIFF}"), "unknown"),
        ] {
            let error = parse(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
