//! A server and the small process that watches over it.
//!
//! Tests end in many ways: they return, panic, are killed, or their process exits while a server that all of
//! them share still runs. So each server is the child of a shell that waits on a pipe from this process.
//! Whatever ends this process closes the pipe; the shell then kills the server and removes its scratch
//! directory. The shell leads a process group of its own, so that an interrupt from the terminal or the end
//! of the test's group does not reach it before it has cleaned up.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// The server stays a child of the shell that is not waited for until it is to end, so its number cannot
/// pass to another process meanwhile.
const SCRIPT: &str = r#"
log=$1 scratch=$2
shift 2
"$@" </dev/null >>"$log" 2>&1 &
server=$!
echo "$server"
read -r word
kill -KILL "$server"
wait "$server"
[ "$word" = keep ] || rm -rf -- "$scratch"
"#;

/// What the shell reads when the server is to end and its files are to stay.
const KEEP: &[u8] = b"keep\n";

/// A running server.
#[derive(Debug)]
pub(crate) struct Watched {
    shell: Child,
    server: Pid,
}

impl Watched {
    /// Starts the program; what it says goes to the end of `log`. Unless ended by [`Watched::kill`], it ends
    /// together with `scratch` when this process does.
    pub(crate) fn start(
        program: &Path,
        arguments: &[impl AsRef<OsStr>],
        log: &Path,
        scratch: &Path,
    ) -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "watchdog"])
            .arg(log)
            .arg(scratch)
            .arg(program)
            .args(arguments)
            .current_dir(scratch)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        let output = shell.stdout.take().expect("standard output is piped");
        BufReader::new(output).read_line(&mut line)?;
        let number = line.trim().parse().ok().and_then(Pid::from_raw);
        let Some(server) = number else {
            return Err(io::Error::other(format!(
                "the watchdog said {line:?} instead of a process id"
            )));
        };
        Ok(Self { shell, server })
    }

    /// Whether the server has not ended.
    pub(crate) fn is_alive(&self) -> bool {
        // The state follows the program's name, which may itself contain brackets.
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.server.as_raw_nonzero()));
        let state = stat.ok().and_then(|stat| {
            let (_, rest) = stat.rsplit_once(") ")?;
            rest.chars().next()
        });
        state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
    }

    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(self.server, signal)?)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.server.as_raw_nonzero().get().unsigned_abs()
    }

    /// Kills the server and returns when it is gone.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            // If the shell is gone there is nothing left to tell it.
            let _ = pipe.write_all(KEEP);
        }
        // It waits for the server, whose end cannot be put off.
        let _ = self.shell.wait();
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.end();
    }
}
