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
use super::launcher;

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
    pub(super) package: &'static str,
    /// Programs of the package to be started by their names: name, path, options that go first, in which
    /// `ROOT` stands for where the packages are.
    pub(super) launchers: &'static [(&'static str, &'static str, &'static [&'static str])],
}

pub(super) const COMPONENTS: &[Component] = &[
    Component {
        program: "redis-server",
        variable: "FIRSTCOME_TEST_REDIS_SERVER",
        address: "FIRSTCOME_TEST_REDIS_URL",
        impostor: None,
        package: "redis-server",
        launchers: &[
            ("redis-server", "usr/bin/redis-server", &[]),
            ("redis-cli", "usr/bin/redis-cli", &[]),
            ("redis-benchmark", "usr/bin/redis-benchmark", &[]),
        ],
    },
    Component {
        program: "valkey-server",
        variable: "FIRSTCOME_TEST_VALKEY_SERVER",
        address: "FIRSTCOME_TEST_VALKEY_URL",
        impostor: None,
        package: "valkey-server",
        launchers: &[("valkey-server", "usr/bin/valkey-server", &[])],
    },
    Component {
        program: "mysqld",
        variable: "FIRSTCOME_TEST_MYSQLD",
        address: "FIRSTCOME_TEST_MYSQL_URL",
        // Where MariaDB is installed, `mysqld` is often another name for it.
        impostor: Some("MariaDB"),
        package: "mysql-server-core",
        launchers: &[(
            "mysqld",
            "usr/sbin/mysqld",
            &[
                "--no-defaults",
                "--lc-messages-dir=ROOT/usr/share/mysql",
                "--character-sets-dir=ROOT/usr/share/mysql/charsets",
                "--plugin-dir=ROOT/usr/lib/mysql/plugin",
            ],
        )],
    },
    Component {
        program: "mariadbd",
        variable: "FIRSTCOME_TEST_MARIADBD",
        address: "FIRSTCOME_TEST_MARIADB_URL",
        impostor: None,
        package: "mariadb-server-core",
        launchers: &[(
            "mariadbd",
            "usr/sbin/mariadbd",
            &[
                "--no-defaults",
                "--lc-messages-dir=ROOT/usr/share/mysql",
                "--character-sets-dir=ROOT/usr/share/mysql/charsets/",
                "--plugin-dir=ROOT/usr/lib/mysql/plugin",
            ],
        )],
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
            if is_program(&path) {
                return Ok(format!("{} ({})", path.display(), self.variable));
            }
            bail!("{} names {}, which is no program", self.variable, path.display());
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
        let packages = apt.download(self.package, terminal).map_err(|error| {
            let variables = format!(
                "{} may name one, or {} a running server",
                self.variable, self.address
            );
            anyhow::anyhow!("{error:#}; {variables}")
        })?;
        let unfinished = home.join(format!("{}.unfinished", self.program));
        remove(&unfinished)?;
        let version = packages.unpack(self.package, &unfinished)?;
        fs::write(unfinished.join("recipe"), RECIPE).context("the recipe's number")?;
        remove(&root)?;
        fs::rename(&unfinished, &root).with_context(|| root.display().to_string())?;
        for (name, path, options) in self.launchers {
            launcher::write(home, name, self.program, path, options)?;
        }
        Ok(format!("unpacked {version}"))
    }

    fn on_path(&self) -> Option<PathBuf> {
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
