//! Debian's packages through `apt-get` and `dpkg`, with a configuration, lists and a cache of our own.
//!
//! Apt is told that nothing is installed, so it brings a package with everything down to the C library. The
//! mirror and its keys are the machine's: its own sources are asked for the address.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::terminal::Terminal;

use super::told::told;

/// Apt gives up on a server that is silent for so many seconds.
const SILENCE_S: u32 = 30;
/// Who signs what a mirror serves.
const KEYRINGS: &[&str] = &[
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
];

/// Where packages are looked for, in this order.
const SUITES: [Suite; 2] = [Suite::Own, Suite::Unstable];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suite {
    /// The release that runs here, with its updates.
    Own,
    /// Debian's, from the same mirror: some servers are in no release.
    Unstable,
}

impl Suite {
    fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Unstable => "unstable",
        }
    }
}

pub(super) struct Apt {
    home: PathBuf,
    /// Whose lists have been fetched in this run, with what came of it.
    updated: Vec<(Suite, Result<(), String>)>,
}

/// A package with all it depends on, downloaded.
pub(super) struct Packages {
    archives: PathBuf,
}

impl Apt {
    pub(super) fn new(home: PathBuf) -> Self {
        Self {
            home,
            updated: Vec::new(),
        }
    }

    /// Downloads a package and all it depends on from the first suite that has it.
    pub(super) fn download(&mut self, package: &str, terminal: &Terminal) -> anyhow::Result<Packages> {
        let mut reasons: Vec<String> = Vec::new();
        for suite in SUITES {
            let tried = self
                .update(suite, terminal)
                .and_then(|()| self.download_from(suite, package, terminal));
            match tried {
                Ok(packages) => return Ok(packages),
                Err(error) => {
                    let reason = format!("{error:#}");
                    if !reasons.contains(&reason) {
                        reasons.push(reason);
                    }
                }
            }
        }
        bail!("{}", reasons.join("; "))
    }

    /// Fetches the lists of a suite, once in a run.
    fn update(&mut self, suite: Suite, terminal: &Terminal) -> anyhow::Result<()> {
        let known = self.updated.iter().find(|(known, _)| *known == suite);
        let outcome = match known {
            Some((_, outcome)) => outcome.clone(),
            None => {
                terminal.say(format_args!(
                    "      apt: lists of packages, suite {}",
                    suite.name()
                ));
                let outcome = self.fetch_lists(suite).map_err(|error| format!("{error:#}"));
                self.updated.push((suite, outcome.clone()));
                outcome
            }
        };
        outcome.map_err(anyhow::Error::msg)
    }

    fn fetch_lists(&self, suite: Suite) -> anyhow::Result<()> {
        let home = self.home.join(suite.name());
        for directory in [
            "etc/preferences.d",
            "state/lists/partial",
            "cache/archives/partial",
        ] {
            fs::create_dir_all(home.join(directory)).with_context(|| home.display().to_string())?;
        }
        fs::write(home.join("state/status"), "").context("an empty list of what is installed")?;
        fs::write(home.join("sources.list"), sources(suite)?).context("sources.list")?;
        fs::write(home.join("apt.conf"), configuration(&home)).context("apt.conf")?;
        let mut command = self.apt_get(suite);
        command.arg("update");
        told(command, "apt-get update")
    }

    fn download_from(&self, suite: Suite, package: &str, terminal: &Terminal) -> anyhow::Result<Packages> {
        let archives = self.home.join(suite.name()).join("archives").join(package);
        super::component::remove(&archives)?;
        fs::create_dir_all(archives.join("partial")).with_context(|| archives.display().to_string())?;
        terminal.say(format_args!("      apt: {package}, suite {}", suite.name()));
        let mut command = self.apt_get(suite);
        command
            .arg("-o")
            .arg(format!("Dir::Cache::archives={}", archives.display()));
        command.args([
            "install",
            "--download-only",
            "--no-install-recommends",
            "--assume-yes",
            package,
        ]);
        told(command, &format!("apt-get install --download-only {package}"))?;
        Ok(Packages { archives })
    }

    fn apt_get(&self, suite: Suite) -> Command {
        let mut command = Command::new("apt-get");
        command.env("LC_ALL", "C").args(["--quiet", "--config-file"]);
        command.arg(self.home.join(suite.name()).join("apt.conf"));
        command
    }
}

impl Packages {
    /// Unpacks them all and removes what was downloaded. Answers with the version of `package`.
    pub(super) fn unpack(self, package: &str, root: &Path) -> anyhow::Result<String> {
        fs::create_dir_all(root).with_context(|| root.display().to_string())?;
        let mut version = None;
        let entries = fs::read_dir(&self.archives).context("what apt has downloaded")?;
        for entry in entries {
            let path = entry.context("what apt has downloaded")?.path();
            if path.extension().is_none_or(|extension| extension != "deb") {
                continue;
            }
            let mut command = Command::new("dpkg");
            command.arg("--extract").arg(&path).arg(root);
            told(command, &format!("dpkg --extract {}", path.display()))?;
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            // NAME_VERSION_ARCHITECTURE.deb
            if let Some(rest) = name.strip_prefix(&format!("{package}_")) {
                version = rest.split('_').next().map(|version| version.replace("%3a", ":"));
            }
        }
        super::component::remove(&self.archives)?;
        let version = version.with_context(|| format!("apt downloaded no {package}"))?;
        Ok(format!("{package} {version}"))
    }
}

/// The machine's own sources of packages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Source {
    address: String,
    release: String,
}

fn sources(suite: Suite) -> anyhow::Result<String> {
    let release = fs::read_to_string("/etc/os-release").context("/etc/os-release")?;
    let field = |name: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    let targets = Command::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"])
        .arg("Created-By: Packages")
        .env("LC_ALL", "C")
        .output()
        .context("apt-get cannot be run here")?;
    let machine = read_targets(&String::from_utf8_lossy(&targets.stdout));
    let codename = field("VERSION_CODENAME=").unwrap_or_else(|| "unstable".to_owned());
    let of_release: Vec<Source> = machine
        .into_iter()
        .filter(|source| source.release.split('-').next() == Some(codename.as_str()))
        .collect();
    let main = of_release.iter().find(|source| source.release == codename);
    let main = main.with_context(|| format!("this machine's apt knows no source for {codename}"))?;
    let chosen = match suite {
        Suite::Own => of_release.clone(),
        Suite::Unstable if field("ID=").as_deref() == Some("debian") => vec![Source {
            address: main.address.clone(),
            release: "unstable".to_owned(),
        }],
        Suite::Unstable => bail!("this machine's mirror is not Debian's, so it has no unstable suite"),
    };
    let keyring = KEYRINGS.iter().find(|path| Path::new(path).is_file());
    Ok(sources_list(&chosen, keyring.copied()))
}

/// Lines of address, release and component; packages of our servers are all in `main`.
fn read_targets(text: &str) -> BTreeSet<Source> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (address, release, component) = (words.next()?, words.next()?, words.next()?);
            (component == "main").then(|| Source {
                address: address.to_owned(),
                release: release.to_owned(),
            })
        })
        .collect()
}

fn sources_list(sources: &[Source], keyring: Option<&str>) -> String {
    let signed = keyring
        .map(|path| format!("[signed-by={path}] "))
        .unwrap_or_default();
    sources
        .iter()
        .map(|source| format!("deb {signed}{} {} main\n", source.address, source.release))
        .collect()
}

/// Read after the system's configuration, which may hold a proxy, and stronger than it.
fn configuration(home: &Path) -> String {
    let home = home.display();
    format!(
        "Dir \"{home}\";\n\
         Dir::Etc \"{home}/etc\";\n\
         Dir::Etc::sourcelist \"{home}/sources.list\";\n\
         Dir::Etc::sourceparts \"/dev/null\";\n\
         Dir::State \"{home}/state\";\n\
         Dir::State::status \"{home}/state/status\";\n\
         Dir::Cache \"{home}/cache\";\n\
         APT::Sandbox::User \"root\";\n\
         APT::Get::List-Cleanup \"true\";\n\
         APT::Update::Error-Mode \"any\";\n\
         Acquire::Languages \"none\";\n\
         Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
         Acquire::Retries \"3\";\n\
         Acquire::http::Timeout \"{SILENCE_S}\";\n\
         Acquire::https::Timeout \"{SILENCE_S}\";\n\
         #clear APT::Update::Pre-Invoke;\n\
         #clear APT::Update::Post-Invoke;\n\
         #clear APT::Update::Post-Invoke-Success;\n\
         #clear DPkg::Pre-Invoke;\n\
         #clear DPkg::Post-Invoke;\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_sources_are_read_and_written_again() {
        let text = "http://mirror/debian/ bookworm main\nhttp://mirror/debian/ bookworm main\n\
                    http://mirror/debian/ bookworm contrib\nhttp://mirror/security/ bookworm-security main\n\nodd\n";
        let sources: Vec<Source> = read_targets(text).into_iter().collect();
        let expected = "deb [signed-by=/keys] http://mirror/debian/ bookworm main\n\
                        deb [signed-by=/keys] http://mirror/security/ bookworm-security main\n";
        assert_eq!(sources_list(&sources, Some("/keys")), expected);
        assert_eq!(
            sources_list(&sources[..1], None),
            "deb http://mirror/debian/ bookworm main\n"
        );
    }
}
