//! A server's scratch directory and the small process that watches over it and over the server.
//!
//! Tests end in many ways: they return, panic, are killed, or their process exits while a server that all of
//! them share still runs. So each server is the child of a shell that waits on a pipe from this process.
//! Whatever ends this process closes the pipe; the shell then kills the server and removes the directory. The
//! shell leads a process group of its own, so that an interrupt from the terminal or the end of the test's
//! group does not reach it before it has cleaned up.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The server stays a child of the shell that is not waited for until it is to end, so its number cannot
/// pass to another process meanwhile.
const SCRIPT: &str = r#"
scratch=$1
server=
end() {
    [ -n "$server" ] || return
    kill -KILL "$server"
    wait "$server"
    server=
}
while read -r word; do
    case $word in
    start)
        end
        /bin/sh "$scratch/start" </dev/null >>"$scratch/log" 2>&1 &
        server=$!
        echo "$server"
        ;;
    kill)
        end
        echo gone
        ;;
    esac
done
end
rm -rf -- "$scratch"
"#;

/// A scratch directory, and in it a server that runs or not.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    server: Option<Pid>,
    // The shell removes it too; what is left for this is a shell that was killed.
    scratch: TempDir,
}

impl Watchdog {
    /// From now on the directory goes when this process does.
    pub(crate) fn over(scratch: TempDir) -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "watchdog"])
            .arg(scratch.path())
            .process_group(0)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let answers = shell.stdout.take().expect("standard output is piped");
        Ok(Self {
            orders: shell.stdin.take(),
            answers: BufReader::new(answers),
            shell,
            server: None,
            scratch,
        })
    }

    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Starts the program in the directory; what it says goes to the end of `log` there. One that runs is
    /// killed first.
    pub(crate) fn start(&mut self, program: &Path, arguments: &[OsString]) -> io::Result<()> {
        let mut script = b"cd -- ".to_vec();
        script.extend(quoted(self.scratch.path().as_os_str()));
        script.extend(b" || exit 1\nexec ");
        script.extend(quoted(program.as_os_str()));
        for argument in arguments {
            script.push(b' ');
            script.extend(quoted(argument));
        }
        script.push(b'\n');
        fs::write(self.scratch.path().join("start"), script)?;
        self.server = None;
        let answer = self.order("start")?;
        self.server = answer.trim().parse().ok().and_then(Pid::from_raw);
        if self.server.is_none() {
            return Err(io::Error::other(format!(
                "the watchdog said {answer:?} instead of a process id"
            )));
        }
        Ok(())
    }

    /// Kills the server and returns when it is gone. Nothing happens if it does not run.
    pub(crate) fn kill(&mut self) {
        if self.server.take().is_some() {
            // A shell that does not answer is gone; there is nobody else to ask.
            let _ = self.order("kill");
        }
    }

    /// The server's process, until it is killed.
    pub(crate) fn server(&self) -> Option<Pid> {
        self.server
    }

    /// Whether the server runs and has not ended by itself.
    pub(crate) fn is_alive(&self) -> bool {
        let Some(server) = self.server else {
            return false;
        };
        // The state follows the program's name, which may itself contain brackets.
        let stat = fs::read_to_string(format!("/proc/{}/stat", server.as_raw_nonzero()));
        let state = stat.ok().and_then(|stat| {
            let (_, rest) = stat.rsplit_once(") ")?;
            rest.chars().next()
        });
        state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
    }

    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        match self.server {
            Some(server) => Ok(kill_process(server, signal)?),
            None => Err(io::Error::other("it is not running")),
        }
    }

    fn order(&mut self, word: &str) -> io::Result<String> {
        let orders = self.orders.as_mut();
        let orders = orders.ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
        orders.write_all(format!("{word}\n").as_bytes())?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // The end of the orders is the order to clean up.
        drop(self.orders.take());
        // It waits for the server, whose end cannot be put off.
        let _ = self.shell.wait();
    }
}

/// As one word of the shell.
fn quoted(word: &OsStr) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for byte in word.as_bytes() {
        match byte {
            b'\'' => quoted.extend(b"'\\''"),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_argument_arrives_as_it_is() {
        for word in ["", "two words", "it's", "$(id) `id` \\ \" * ; \n end"] {
            let script = [b"printf %s ".to_vec(), quoted(OsStr::new(word))].concat();
            let output = Command::new("/bin/sh")
                .arg("-c")
                .arg(OsStr::from_bytes(&script))
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }
}
