//! What all servers share: a program with its arguments, a scratch directory, a log, and the ways to end it
//! and start it again.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::error::ServerError;
use crate::limits;
use crate::wait::wait_until;
use crate::watchdog::Watched;

/// One server of ours, running or not.
#[derive(Debug)]
pub(crate) struct Server {
    component: &'static str,
    program: PathBuf,
    arguments: Vec<OsString>,
    // Before the directory: fields are dropped in this order, and the server writes there until its end.
    running: Option<Watched>,
    scratch: TempDir,
}

impl Server {
    /// Not running yet.
    pub(crate) fn new(component: &'static str, program: PathBuf) -> Result<Self, ServerError> {
        let scratch = tempfile::Builder::new()
            .prefix("firstcome-test-")
            .tempdir()
            .map_err(|source| ServerError::Prepare {
                component,
                what: "a scratch directory".to_owned(),
                source,
            })?;
        let server = Self {
            component,
            program,
            arguments: Vec::new(),
            running: None,
            scratch,
        };
        server.prepare("the data directory", fs::create_dir_all(server.data_dir()))?;
        Ok(server)
    }

    pub(crate) fn component(&self) -> &'static str {
        self.component
    }

    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.scratch.path().join("log")
    }

    pub(crate) fn set_arguments(&mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) {
        self.arguments = arguments.into_iter().map(Into::into).collect();
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Watched::pid)
    }

    /// Starts the program and waits until `ready` says that it answers.
    pub(crate) fn launch(&mut self, mut ready: impl FnMut() -> bool) -> Result<(), ServerError> {
        self.kill9();
        let started = Watched::start(&self.program, &self.arguments, &self.log(), self.scratch.path());
        let watched = started.map_err(|source| ServerError::Prepare {
            component: self.component,
            what: format!("starting {}", self.program.display()),
            source,
        })?;
        let mut ended = false;
        let answered = wait_until(limits::START, || {
            ended = !watched.is_alive();
            ended || ready()
        });
        if answered && !ended {
            self.running = Some(watched);
            return Ok(());
        }
        watched.kill();
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
        if let Some(watched) = self.running.take() {
            watched.kill();
        }
    }

    /// Asks the server to end in order, and kills it if it does not.
    pub(crate) fn stop(&mut self) {
        if let Some(watched) = self.running.take() {
            // It may have ended by itself; then there is nobody to ask.
            if watched.signal(Signal::TERM).is_ok() {
                wait_until(limits::STOP, || !watched.is_alive());
            }
            watched.kill();
        }
    }

    /// The process stands still, its connections stay open.
    pub(crate) fn pause(&self) -> Result<(), ServerError> {
        self.signal(Signal::STOP)
    }

    pub(crate) fn resume(&self) -> Result<(), ServerError> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), ServerError> {
        let sent = match &self.running {
            Some(watched) => watched.signal(signal),
            None => Err(io::Error::other("it is not running")),
        };
        sent.map_err(|source| ServerError::Talk {
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
