//! The initial content of a database server, made once for each program and copied for each server.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{FlockOperation, flock};

use crate::error::ServerError;
use crate::limits;
use crate::place::{self, Component};
use crate::wait::wait_until;

use super::SqlEngine;

/// Raised when the content is made in another way, so that old ones are not used any more.
const VERSION: u32 = 1;

/// The directory to copy. The first caller on a machine makes it, others wait for it.
pub(super) fn of(
    engine: SqlEngine,
    component: &'static Component,
    program: &Path,
) -> Result<PathBuf, ServerError> {
    let maker = Maker {
        engine,
        component: component.program,
        program,
    };
    let home = place::servers().join("templates");
    maker.prepare("the directory for templates", fs::create_dir_all(&home))?;
    let name = maker.prepare("looking at the program", maker.name())?;
    let template = home.join(&name);
    if template.is_dir() {
        return Ok(template);
    }
    let lock = File::create(home.join(format!("{name}.lock")));
    let lock = maker.prepare("the template's lock", lock)?;
    let locked = flock(&lock, FlockOperation::LockExclusive).map_err(io::Error::from);
    maker.prepare("the template's lock", locked)?;
    if !template.is_dir() {
        // One that this is left of was killed; its server may still be writing there, so the name is a new one.
        let unfinished = tempfile::Builder::new().prefix("unfinished-").tempdir_in(&home);
        let unfinished = maker.prepare("a template's directory", unfinished)?;
        let data = unfinished.path().join("data");
        maker.prepare("a template's directory", fs::create_dir(&data))?;
        maker.install(&data)?;
        maker.prepare("the finished template", fs::rename(&data, &template))?;
    }
    Ok(template)
}

/// Copies a directory with all it holds.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// What every start of such a server is given. The sizes keep the copies small; `--no-defaults` must come first.
pub(super) fn fixed_arguments(data: &Path) -> Vec<String> {
    let mut arguments = vec![
        "--no-defaults".to_owned(),
        format!("--datadir={}", data.display()),
        "--innodb-data-file-path=ibdata1:8M:autoextend".to_owned(),
    ];
    if rustix::process::geteuid().is_root() {
        // Both refuse to be root unless told that it is meant.
        arguments.push("--user=root".to_owned());
    }
    arguments
}

struct Maker<'a> {
    engine: SqlEngine,
    component: &'static str,
    program: &'a Path,
}

impl Maker<'_> {
    /// Differs for programs that differ, so that an upgraded server begins with content of its own.
    fn name(&self) -> io::Result<String> {
        let found = fs::metadata(self.program)?;
        let version = Command::new(self.program)
            .args(["--no-defaults", "--version"])
            .output()?;
        let mut hasher = DefaultHasher::new();
        (
            VERSION,
            self.program,
            found.len(),
            found.modified()?,
            version.stdout,
        )
            .hash(&mut hasher);
        Ok(format!("{}-{:016x}", self.component, hasher.finish()))
    }

    fn prepare<T>(&self, what: &str, done: io::Result<T>) -> Result<T, ServerError> {
        done.map_err(|source| ServerError::Prepare {
            component: self.component,
            what: what.to_owned(),
            source,
        })
    }

    fn install(&self, data: &Path) -> Result<(), ServerError> {
        let mut command = Command::new(self.program);
        command.args(fixed_arguments(data));
        let script = match self.engine {
            SqlEngine::MariaDb => {
                command.args([
                    "--bootstrap",
                    "--innodb-log-file-size=16M",
                    "--innodb-buffer-pool-size=32M",
                    "--max-allowed-packet=8M",
                    "--net-buffer-length=16K",
                ]);
                self.mariadb_tables()?
            }
            SqlEngine::MySql => {
                command.args([
                    "--initialize-insecure",
                    "--innodb-redo-log-capacity=16M",
                    "--innodb-buffer-pool-size=32M",
                    "--mysqlx=OFF",
                    "--secure-file-priv=NULL",
                ]);
                Vec::new()
            }
        };
        let log = data.with_extension("log");
        let output = self.prepare("the log", File::create(&log))?;
        let again = self.prepare("the log", output.try_clone())?;
        let spawned = command.stdin(Stdio::piped()).stdout(output).stderr(again).spawn();
        let mut child = self.prepare("starting it", spawned)?;
        if let Some(mut input) = child.stdin.take() {
            // It may end before it has read everything; its status tells.
            let _ = input.write_all(&script);
        }
        let mut status = None;
        wait_until(limits::INSTALL, || {
            status = child.try_wait().ok().flatten();
            status.is_some()
        });
        if status.is_some_and(|status| status.success()) {
            return Ok(());
        }
        if status.is_none() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let said = fs::read(&log).unwrap_or_default();
        Err(ServerError::Failed {
            component: self.component,
            reason: format!(
                "its initial content could not be made:\n{}",
                String::from_utf8_lossy(&said)
            ),
        })
    }

    /// What MariaDB's own installer feeds to the server, without the texts of the help.
    fn mariadb_tables(&self) -> Result<Vec<u8>, ServerError> {
        let share = self.share()?;
        // No socket account: root then has no password.
        let mut script =
            b"CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\nSET @skip_auth_anonymous=1;\n"
                .to_vec();
        for name in [
            "mysql_system_tables.sql",
            "mysql_performance_tables.sql",
            "mysql_system_tables_data.sql",
        ] {
            let text = fs::read(share.join(name));
            script.extend(self.prepare(&format!("{name} in {}", share.display()), text)?);
            script.push(b'\n');
        }
        Ok(script)
    }

    /// The directory of its messages and scripts: the server names the character sets in it.
    fn share(&self) -> Result<PathBuf, ServerError> {
        let output = Command::new(self.program)
            .args(["--no-defaults", "--verbose", "--help"])
            .stderr(Stdio::null())
            .output();
        let output = self.prepare("asking for its settings", output)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let charsets = text
            .lines()
            .find_map(|line| line.strip_prefix("character-sets-dir "))
            .map(|path| PathBuf::from(path.trim()));
        let share = charsets.as_deref().and_then(Path::parent).map(Path::to_path_buf);
        share.ok_or_else(|| ServerError::Failed {
            component: self.component,
            reason: "it does not say where its files are".to_owned(),
        })
    }
}
