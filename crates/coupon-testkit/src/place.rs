//! Where servers are found: a variable, the `PATH`, or what `cargo xtask servers` has unpacked.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::ServerError;

/// Names another directory than `target/servers/` of the workspace that this crate was built in.
const SERVERS: &str = "FIRSTCOME_TEST_SERVERS";

/// Something that a test may need from its machine. `xtask/src/servers/component.rs` has the other half of
/// this table: the packages that bring it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Component {
    /// The program's name, on the `PATH` and below `target/servers/bin/`.
    pub(crate) program: &'static str,
    /// The variable that names the program.
    pub(crate) variable: &'static str,
    /// The variable that holds the address of a server that is already running, where one can be shared.
    pub(crate) address: Option<&'static str>,
    /// A word in the answer to `--version` that betrays another product under the same name.
    impostor: Option<&'static str>,
}

pub(crate) const REDIS: Component = Component {
    program: "redis-server",
    variable: "FIRSTCOME_TEST_REDIS_SERVER",
    address: Some("FIRSTCOME_TEST_REDIS_URL"),
    impostor: None,
};

pub(crate) const VALKEY: Component = Component {
    program: "valkey-server",
    variable: "FIRSTCOME_TEST_VALKEY_SERVER",
    address: Some("FIRSTCOME_TEST_VALKEY_URL"),
    impostor: None,
};

pub(crate) const MARIADB: Component = Component {
    program: "mariadbd",
    variable: "FIRSTCOME_TEST_MARIADBD",
    address: Some("FIRSTCOME_TEST_MARIADB_URL"),
    impostor: None,
};

pub(crate) const MYSQL: Component = Component {
    program: "mysqld",
    variable: "FIRSTCOME_TEST_MYSQLD",
    address: Some("FIRSTCOME_TEST_MYSQL_URL"),
    // Where MariaDB is installed, `mysqld` is often another name for it.
    impostor: Some("MariaDB"),
};

/// What Redis's own figures are measured with.
pub(crate) const REDIS_BENCHMARK: Component = Component {
    program: "redis-benchmark",
    variable: "FIRSTCOME_TEST_REDIS_BENCHMARK",
    address: None,
    impostor: None,
};

/// A directory of libraries and no program: it is started by Java.
pub(crate) const KAFKA: Component = Component {
    program: "kafka",
    variable: "FIRSTCOME_TEST_KAFKA_HOME",
    address: Some("FIRSTCOME_TEST_KAFKA_BROKERS"),
    impostor: None,
};

/// Java and the libraries of Kafka's broker.
pub(crate) fn kafka() -> Result<(PathBuf, PathBuf), ServerError> {
    let libraries = match variable(KAFKA.variable) {
        Some(named) => {
            let libraries = PathBuf::from(named).join("libs");
            if !libraries.is_dir() {
                return Err(ServerError::Failed {
                    component: KAFKA.program,
                    reason: format!("{} names a directory without libs/", KAFKA.variable),
                });
            }
            libraries
        }
        None => servers().join("kafka/libs"),
    };
    if !libraries.is_dir() {
        return Err(KAFKA.absent());
    }
    let of_home = variable("JAVA_HOME").map(|home| PathBuf::from(home).join("bin/java"));
    let java = of_home
        .filter(|path| is_program(path))
        .or_else(|| on_path("java"));
    let java = java.ok_or_else(|| ServerError::Absent {
        component: "java",
        reason: "the PATH has none, nor has JAVA_HOME".to_owned(),
    })?;
    Ok((java, libraries))
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    let mut found = env::split_paths(&path).map(|directory| directory.join(program));
    found.find(|path| is_program(path))
}

impl Component {
    /// The program to start.
    pub(crate) fn find(&self) -> Result<PathBuf, ServerError> {
        if let Some(named) = variable(self.variable) {
            let path = PathBuf::from(&named);
            if is_program(&path) {
                return Ok(path);
            }
            return Err(ServerError::Failed {
                component: self.program,
                reason: format!("{} names {}, which is no program", self.variable, path.display()),
            });
        }
        if let Some(path) = on_path(self.program).filter(|path| !self.is_impostor(path)) {
            return Ok(path);
        }
        let unpacked = servers().join("bin").join(self.program);
        if is_program(&unpacked) {
            return Ok(unpacked);
        }
        Err(self.absent())
    }

    /// The address of a server that the user offers.
    pub(crate) fn offered(&self) -> Option<String> {
        let value = variable(self.address?)?;
        Some(value.to_string_lossy().into_owned())
    }

    fn absent(&self) -> ServerError {
        // Left by `cargo xtask servers` when it could not bring the component.
        let told = fs::read_to_string(servers().join("absent").join(self.program)).ok();
        let reason = told.map_or_else(
            || {
                format!(
                    "`cargo xtask servers` brings it, {} names one, or it is found on the PATH",
                    self.variable
                )
            },
            |told| format!("{}; `cargo xtask servers` tries again", told.trim()),
        );
        ServerError::Absent {
            component: self.program,
            reason,
        }
    }

    fn is_impostor(&self, program: &Path) -> bool {
        let Some(word) = self.impostor else {
            return false;
        };
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(word))
    }
}

/// Where unpacked servers lie and templates are kept.
pub(crate) fn servers() -> PathBuf {
    variable(SERVERS).map_or_else(
        || {
            let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
            let root = crates.and_then(Path::parent);
            root.unwrap_or(Path::new(".")).join("target/servers")
        },
        // Servers run in another directory than tests.
        |named| std::path::absolute(&named).unwrap_or_else(|_| PathBuf::from(named)),
    )
}

/// Whether a missing component is a failure: CI sets `CI=true`.
pub(crate) fn nothing_may_be_skipped() -> bool {
    variable("CI").is_some_and(|value| value != OsStr::new("false") && value != OsStr::new("0"))
}

/// An empty variable is an absent one.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
