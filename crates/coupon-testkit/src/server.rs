//! What all servers share: a program with its arguments, a scratch directory, a log, and the ways to end it
//! and start it again.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::error::ServerError;
use crate::limits;
use crate::wait::wait_until;
use crate::watchdog::Watchdog;

/// One server of ours, running or not.
#[derive(Debug)]
pub(crate) struct Server {
    component: &'static str,
    program: PathBuf,
    arguments: Vec<OsString>,
    watchdog: Watchdog,
}

impl Server {
    /// Not running yet.
    pub(crate) fn new(component: &'static str, program: PathBuf) -> Result<Self, ServerError> {
        let watchdog = tempfile::Builder::new()
            .prefix("firstcome-test-")
            .tempdir()
            .and_then(Watchdog::over)
            .map_err(|source| ServerError::Prepare {
                component,
                what: "a scratch directory".to_owned(),
                source,
            })?;
        let server = Self {
            component,
            program,
            arguments: Vec::new(),
            watchdog,
        };
        server.prepare("the data directory", fs::create_dir_all(server.data_dir()))?;
        Ok(server)
    }

    pub(crate) fn component(&self) -> &'static str {
        self.component
    }

    pub(crate) fn scratch(&self) -> &Path {
        self.watchdog.scratch()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.watchdog.scratch().join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.watchdog.scratch().join("log")
    }

    pub(crate) fn set_arguments(&mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) {
        self.arguments = arguments.into_iter().map(Into::into).collect();
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        let server = self.watchdog.server()?;
        Some(server.as_raw_nonzero().get().unsigned_abs())
    }

    /// Starts the program and waits until `ready` says that it answers. One that runs is killed first.
    pub(crate) fn launch(&mut self, mut ready: impl FnMut() -> bool) -> Result<(), ServerError> {
        let started = self.watchdog.start(&self.program, &self.arguments);
        self.prepare("starting it", started)?;
        let mut ended = false;
        let answered = wait_until(limits::START, || {
            ended = !self.watchdog.is_alive();
            ended || ready()
        });
        if answered && !ended {
            return Ok(());
        }
        self.watchdog.kill();
        Err(self.failed(if ended {
            "it ended"
        } else {
            "it did not answer in time"
        }))
    }

    /// The program's failure, with the end of its log.
    pub(crate) fn failed(&self, why: &str) -> ServerError {
        let log = fs::read(self.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(limits::LOG_LINES)..];
        ServerError::Failed {
            component: self.component,
            reason: format!("{why}; its last words:\n{}", last.join("\n")),
        }
    }

    /// kill -9; returns when the process is gone. Nothing happens if it already is.
    pub(crate) fn kill9(&mut self) {
        self.watchdog.kill();
    }

    /// Asks the server to end in order, and kills it if it does not.
    pub(crate) fn stop(&mut self) {
        // If it does not run there is nobody to ask.
        if self.watchdog.signal(Signal::TERM).is_ok() {
            wait_until(limits::STOP, || !self.watchdog.is_alive());
        }
        self.watchdog.kill();
    }

    /// The process stands still, its connections stay open.
    pub(crate) fn pause(&self) -> Result<(), ServerError> {
        self.signal(Signal::STOP)
    }

    pub(crate) fn resume(&self) -> Result<(), ServerError> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), ServerError> {
        self.watchdog.signal(signal).map_err(|source| ServerError::Talk {
            component: self.component,
            source,
        })
    }

    /// Says what was being prepared when it failed.
    pub(crate) fn prepare<T>(&self, what: &str, done: io::Result<T>) -> Result<T, ServerError> {
        done.map_err(|source| ServerError::Prepare {
            component: self.component,
            what: what.to_owned(),
            source,
        })
    }

    /// Removes everything that the server has stored.
    pub(crate) fn empty_data_dir(&self) -> Result<(), ServerError> {
        let data = self.data_dir();
        self.prepare("emptying the data directory", fs::remove_dir_all(&data))?;
        self.prepare("the data directory", fs::create_dir_all(&data))
    }
}
