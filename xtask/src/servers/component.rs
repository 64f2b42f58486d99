//! What can be brought, and from which packages.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::terminal::Terminal;

use super::apt::Apt;
use super::launcher::{self, Launcher};
use super::maven;

/// Raised when something is unpacked or started in another way, so that what is here is brought anew.
const RECIPE: &str = "1\n";

/// One server. `crates/coupon-testkit/src/place.rs` has the other half of this table: how it is found.
pub(super) struct Component {
    pub(super) program: &'static str,
    /// Names the program; what it names is used as it is.
    pub(super) variable: &'static str,
    /// Holds the address of a server that the user runs.
    pub(super) address: &'static str,
    /// A word in the answer to `--version` that betrays another product under the same name.
    pub(super) impostor: Option<&'static str>,
    source: Source,
}

enum Source {
    /// A package of Debian's with all that it depends on.
    Package {
        name: &'static str,
        /// Programs of the package to be started by their names.
        launchers: &'static [Launcher],
    },
    /// Libraries of Java's, started by `coupon-testkit`. What the variable names is a directory with `libs/`.
    Jars {
        pom: &'static str,
        /// How the one begins that carries the version.
        main: &'static str,
    },
}

/// Where the files are that these servers look for at absolute places.
const SQL_OPTIONS: &[&str] = &[
    "--no-defaults",
    "--lc-messages-dir=ROOT/usr/share/mysql",
    "--character-sets-dir=ROOT/usr/share/mysql/charsets/",
    "--plugin-dir=ROOT/usr/lib/mysql/plugin",
];

pub(super) const COMPONENTS: &[Component] = &[
    Component {
        program: "redis-server",
        variable: "FIRSTCOME_TEST_REDIS_SERVER",
        address: "FIRSTCOME_TEST_REDIS_URL",
        impostor: None,
        source: Source::Package {
            name: "redis-server",
            launchers: &[
                Launcher::plain("redis-server", "usr/bin/redis-server"),
                Launcher::plain("redis-cli", "usr/bin/redis-cli"),
                Launcher::plain("redis-benchmark", "usr/bin/redis-benchmark"),
            ],
        },
    },
    Component {
        program: "valkey-server",
        variable: "FIRSTCOME_TEST_VALKEY_SERVER",
        address: "FIRSTCOME_TEST_VALKEY_URL",
        impostor: None,
        source: Source::Package {
            name: "valkey-server",
            launchers: &[Launcher::plain("valkey-server", "usr/bin/valkey-server")],
        },
    },
    Component {
        program: "mysqld",
        variable: "FIRSTCOME_TEST_MYSQLD",
        address: "FIRSTCOME_TEST_MYSQL_URL",
        // Where MariaDB is installed, `mysqld` is often another name for it.
        impostor: Some("MariaDB"),
        source: Source::Package {
            name: "mysql-server-core",
            launchers: &[Launcher {
                name: "mysqld",
                program: "usr/sbin/mysqld",
                options: SQL_OPTIONS,
            }],
        },
    },
    Component {
        program: "mariadbd",
        variable: "FIRSTCOME_TEST_MARIADBD",
        address: "FIRSTCOME_TEST_MARIADB_URL",
        impostor: None,
        source: Source::Package {
            name: "mariadb-server-core",
            launchers: &[Launcher {
                name: "mariadbd",
                program: "usr/sbin/mariadbd",
                options: SQL_OPTIONS,
            }],
        },
    },
    Component {
        program: "kafka",
        variable: "FIRSTCOME_TEST_KAFKA_HOME",
        address: "FIRSTCOME_TEST_KAFKA_BROKERS",
        impostor: None,
        source: Source::Jars {
            pom: include_str!("kafka-pom.xml"),
            main: "kafka_2.13-",
        },
    },
];

impl Component {
    /// Answers with where it comes from.
    pub(super) fn bring(
        &self,
        home: &Path,
        apt: &mut Apt,
        terminal: &Terminal,
        again: bool,
    ) -> anyhow::Result<String> {
        if let Some(named) = variable(self.variable) {
            let path = PathBuf::from(named);
            if self.is_right(&path) {
                return Ok(format!("{} ({})", path.display(), self.variable));
            }
            bail!("{} names {}, which is none", self.variable, path.display());
        }
        if let Some(path) = self.on_path() {
            return Ok(format!("{} (on the PATH)", path.display()));
        }
        let root = home.join(self.program);
        let stamp = root.join("recipe");
        let is_here = fs::read_to_string(&stamp).is_ok_and(|recipe| recipe == RECIPE);
        if is_here && !again {
            return Ok("unpacked before".to_owned());
        }
        let unfinished = home.join(format!("{}.unfinished", self.program));
        remove(&unfinished)?;
        let fetched = match &self.source {
            Source::Package { name, .. } => apt
                .download(name, terminal)
                .and_then(|packages| packages.unpack(name, &unfinished)),
            Source::Jars { pom, main } => maven::fetch(pom, main, home, &unfinished, terminal),
        };
        let version = fetched.map_err(|error| {
            let variables = format!(
                "{} may name one, or {} a running server",
                self.variable, self.address
            );
            anyhow::anyhow!("{error:#}; {variables}")
        })?;
        fs::write(unfinished.join("recipe"), RECIPE).context("the recipe's number")?;
        remove(&root)?;
        fs::rename(&unfinished, &root).with_context(|| root.display().to_string())?;
        if let Source::Package { launchers, .. } = &self.source {
            launcher::write(home, self.program, launchers)?;
        }
        Ok(format!("unpacked {version}"))
    }

    /// Whether it is what the variable should name.
    fn is_right(&self, path: &Path) -> bool {
        match &self.source {
            Source::Package { .. } => is_program(path),
            Source::Jars { .. } => path.join("libs").is_dir(),
        }
    }

    fn on_path(&self) -> Option<PathBuf> {
        if matches!(self.source, Source::Jars { .. }) {
            return None;
        }
        let path = variable("PATH")?;
        let mut found = env::split_paths(&path).map(|directory| directory.join(self.program));
        found.find(|path| is_program(path) && !self.is_impostor(path))
    }

    fn is_impostor(&self, program: &Path) -> bool {
        let Some(word) = self.impostor else {
            return false;
        };
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(word))
    }
}

/// An empty variable is an absent one.
pub(super) fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

pub(super) fn remove(directory: &Path) -> anyhow::Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory).with_context(|| directory.display().to_string())?;
    }
    Ok(())
}
