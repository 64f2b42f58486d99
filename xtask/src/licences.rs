//! `cargo xtask licences`: what the tree of dependencies may be licensed under and must not contain.
//!
//! `deny.toml` is the one place that says so. Where cargo-deny is installed it reads that file too; this
//! small reading of the same lists makes sure that they are also held where nothing is installed.

mod spdx;

use std::collections::BTreeSet;
use std::process::Stdio;

use anyhow::Context as _;
use cargo_metadata::Package;
use serde::Deserialize;

use crate::checkout::Checkout;
use crate::terminal::{Report, counted};

/// The part of `deny.toml` that is read here.
#[derive(Deserialize)]
struct Policy {
    licenses: Licences,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licences {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
    /// Crates that may use it all the same.
    #[serde(default)]
    wrappers: Vec<String>,
}

/// A package of the tree, ours or not.
struct Entry {
    name: String,
    version: String,
    licence: Option<String>,
    ours: bool,
    /// Dependencies from outside without a version.
    wildcards: Vec<String>,
}

pub(crate) fn check(checkout: &Checkout) -> anyhow::Result<Report> {
    let policy = std::fs::read_to_string(checkout.root().join("deny.toml")).context("deny.toml")?;
    let policy: Policy = toml::from_str(&policy).context("deny.toml")?;

    let metadata = checkout.package_tree()?;
    // After the tree was asked for: a workspace without a lock file has one now.
    let lock = std::fs::read_to_string(checkout.root().join("Cargo.lock")).context("Cargo.lock")?;
    let entries: Vec<Entry> = metadata.packages.iter().map(Entry::of).collect();
    let mut errors = policy.errors(&entries);
    let banned = policy.banned_in_lock(&lock).into_iter();
    let used = banned.filter(|banned| is_used(checkout, banned));
    errors.extend(used.map(Banned::error));
    let mut looked_at = counted(entries.len(), "package");
    if let Some(found) = cargo_deny(checkout)? {
        errors.extend(found);
        looked_at.push_str(", cargo-deny too");
    }
    Ok(Report {
        looked_at,
        errors,
        warnings: Vec::new(),
    })
}

impl Entry {
    fn of(package: &Package) -> Self {
        let wildcards = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.path.is_none() && dependency.req.to_string() == "*")
            .map(|dependency| dependency.name.clone())
            .collect();
        Self {
            name: package.name.to_string(),
            version: package.version.to_string(),
            licence: package.license.clone(),
            ours: package.source.is_none(),
            wildcards,
        }
    }
}

impl Policy {
    fn errors(&self, entries: &[Entry]) -> Vec<String> {
        let mut errors = Vec::new();
        for entry in entries {
            let Entry { name, version, .. } = entry;
            if entry.ours {
                errors.extend(
                    entry
                        .wildcards
                        .iter()
                        .map(|to| format!("{name}: depends on any version of {to}")),
                );
                continue;
            }
            match &entry.licence {
                None => errors.push(format!("{name} {version}: names no licence")),
                Some(licence) if !spdx::allows(licence, &self.licenses.allow) => errors.push(format!(
                    "{name} {version}: `{licence}` is not covered by the licences in deny.toml"
                )),
                Some(_) => {}
            }
        }
        errors
    }

    /// The lock file names the packages of every platform, not only this one.
    fn banned_in_lock(&self, lock: &str) -> Vec<&Banned> {
        self.bans
            .deny
            .iter()
            .filter(|banned| {
                lock.lines()
                    .any(|line| line == format!("name = \"{}\"", banned.name))
            })
            .collect()
    }
}

impl Banned {
    fn error(&self) -> String {
        format!("{} is in the tree: {}", self.name, self.reason)
    }
}

/// Whether any feature of ours, on any platform, brings a crate that the lock file names. It also names what another
/// crate would only configure if it were there (`ring?/alloc`). If that cannot be found out, it counts as used.
fn is_used(checkout: &Checkout, banned: &Banned) -> bool {
    let tree = checkout
        .cargo()
        .args([
            "tree",
            "--workspace",
            "--all-features",
            "--target",
            "all",
            "--edges",
            "normal,build,dev",
            "--depth",
            "1",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--invert",
            &banned.name,
        ])
        .stderr(Stdio::null())
        .output();
    let Ok(tree) = tree else { return true };
    if !tree.status.success() {
        return true;
    }
    // The first line is the crate itself, the others are those that depend on it.
    let tree = String::from_utf8_lossy(&tree.stdout);
    let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let mut users = tree.lines().filter(|line| !line.is_empty()).map(name).skip(1);
    match users.next() {
        None => !tree.trim().is_empty() && banned.wrappers.is_empty(),
        Some(first) => std::iter::once(first)
            .chain(users)
            .any(|user| !banned.wrappers.contains(&user)),
    }
}

/// What cargo-deny has to say, if it is here. Advisories are left out: they need the network.
fn cargo_deny(checkout: &Checkout) -> anyhow::Result<Option<Vec<String>>> {
    let present = checkout
        .cargo()
        .args(["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !present {
        return Ok(None);
    }
    let output = checkout
        .cargo()
        .args(["deny", "check", "licenses", "bans", "sources"])
        .output()
        .context("cargo deny")?;
    if output.status.success() {
        return Ok(Some(Vec::new()));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Ok(Some(vec![format!(
        "cargo deny check: {}\n{}",
        output.status,
        said.trim_end()
    )]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        toml::from_str(
            r#"
            licenses = { allow = ["MIT"] }
            bans = { deny = [{ crate = "ring", reason = "one cryptographic library is enough" }] }
            "#,
        )
        .unwrap()
    }

    fn entry(licence: Option<&str>, ours: bool, wildcards: &[&str]) -> Entry {
        Entry {
            name: "x".into(),
            version: "1.0.0".into(),
            licence: licence.map(str::to_owned),
            ours,
            wildcards: wildcards.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn each_rule_can_fail() {
        let cases = [
            (entry(Some("MIT OR GPL-3.0-only"), false, &[]), 0),
            (entry(Some("GPL-3.0-only"), false, &[]), 1),
            (entry(None, false, &[]), 1),
            (entry(None, true, &[]), 0),
            (entry(None, true, &["serde"]), 1),
        ];
        for (entry, expected) in cases {
            assert_eq!(policy().errors(&[entry]).len(), expected);
        }
    }

    #[test]
    fn a_banned_package_is_found_in_the_lock_file() {
        assert_eq!(policy().banned_in_lock("[[package]]\nname = \"ring\"\n").len(), 1);
        assert_eq!(
            policy()
                .banned_in_lock("[[package]]\nname = \"ringbuffer\"\n")
                .len(),
            0
        );
    }
}
