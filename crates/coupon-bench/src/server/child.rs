//! A server as a child process: started, waited for, and ended with its parent.

use super::Usage;
use anyhow::{Context as _, bail};
use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a server may take to answer and to end. Recovering ten million issues takes its time.
const PATIENCE: Duration = Duration::from_secs(600);

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Child {
    name: &'static str,
    process: std::process::Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Child {
    /// Starts it, with its output in `log`, and waits until somebody listens on `address`.
    pub(crate) fn start(
        name: &'static str,
        mut command: Command,
        address: SocketAddr,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let output = File::create(log)?;
        let process = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("{name} could not be started: {command:?}"))?;
        let mut child = Self {
            name,
            process,
            address,
            log: log.to_owned(),
        };
        child.wait_until(|child| TcpStream::connect(child.address).is_ok())?;
        Ok(child)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has used.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.process.id())
    }

    /// Waits until something is true of the running process.
    pub(crate) fn wait_until(&mut self, is: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is(self) {
            if let Some(status) = self.process.try_wait()? {
                bail!(
                    "{} ended with {status}; its log ends with:\n{}",
                    self.name,
                    self.log_end()
                );
            }
            if Instant::now() > deadline {
                bail!(
                    "{} was not ready in time; its log ends with:\n{}",
                    self.name,
                    self.log_end()
                );
            }
            pause(LOOK_EVERY);
        }
        Ok(())
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.process.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        let pid = pid.context("a process without an id")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.process.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!(
                    "{} ended with {status}; its log ends with:\n{}",
                    self.name,
                    self.log_end()
                ),
                None if Instant::now() > deadline => bail!("{} does not end", self.name),
                None => pause(LOOK_EVERY),
            }
        }
    }

    fn log_end(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(2_000)..]).into_owned()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // If it has ended already there is nothing to kill; and nobody is left to tell of an error.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits for another process, which gives no sign when it is ready.
#[expect(
    clippy::disallowed_methods,
    reason = "what is waited for happens in another process"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
