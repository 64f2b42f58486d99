//! A sentinel, which tells clients who of a primary and its replicas is the primary now.

use std::fs;

use crate::error::ServerError;
use crate::limits::{self, PORT_ATTEMPTS};
use crate::place::{self, Component};
use crate::port::free_port;
use crate::server::Server;
use crate::wait::wait_until;

use super::Redis;
use super::wire::{self, Answer};

/// One sentinel of a test's own, which decides alone. It ends when it is dropped.
#[derive(Debug)]
pub struct RedisSentinel {
    server: Server,
    port: u16,
    group: String,
    /// Of the default user.
    password: Option<String>,
}

impl RedisSentinel {
    /// Starts a sentinel that watches this primary, and whatever replicas it has, under the group's name.
    ///
    /// # Errors
    ///
    /// As [`Redis::start`].
    pub fn start(primary: &Redis, group: &str) -> Result<Self, ServerError> {
        Self::start_with(primary, primary.port(), group, &[])
    }

    /// The same, reaching the primary by this port of it, with more lines in the sentinel's file. With `requirepass` among
    /// them its own questions show that password.
    ///
    /// # Errors
    ///
    /// As [`Redis::start`].
    pub fn start_with(
        primary: &Redis,
        primary_port: u16,
        group: &str,
        more: &[(&str, &str)],
    ) -> Result<Self, ServerError> {
        // The same program in another mode.
        const COMPONENT: &Component = &place::REDIS;
        let program = COMPONENT.find()?;
        let mut attempt = 1;
        loop {
            let mut sentinel = Self {
                server: Server::new(COMPONENT.program, program.clone())?,
                port: free_port()?,
                group: group.to_owned(),
                password: more
                    .iter()
                    .find(|(name, _)| *name == "requirepass")
                    .map(|(_, word)| (*word).to_owned()),
            };
            let file = sentinel.server.scratch().join("sentinel.conf");
            let written = fs::write(&file, sentinel.settings(primary, primary_port, more));
            sentinel.server.prepare("the sentinel's file", written)?;
            let file = file.to_string_lossy().into_owned();
            sentinel.server.set_arguments([file, "--sentinel".to_owned()]);
            match sentinel.launch() {
                // Somebody else may have taken the port.
                Err(ServerError::Failed { .. }) if attempt < PORT_ATTEMPTS => attempt += 1,
                launched => return launched.map(|()| sentinel),
            }
        }
    }

    /// Sentinels write what they learn into their file, and take no other settings than those in it.
    fn settings(&self, primary: &Redis, primary_port: u16, more: &[(&str, &str)]) -> String {
        let (group, data) = (&self.group, self.server.data_dir());
        let mut lines = vec![
            format!("port {}", self.port),
            "bind 127.0.0.1".to_owned(),
            format!("dir {}", data.display()),
            "daemonize no".to_owned(),
            format!("sentinel monitor {group} 127.0.0.1 {primary_port} 1"),
            format!("sentinel down-after-milliseconds {group} 1000"),
            format!("sentinel failover-timeout {group} 5000"),
        ];
        lines.extend(
            primary
                .password
                .iter()
                .map(|word| format!("sentinel auth-pass {group} {word}")),
        );
        lines.extend(more.iter().map(|(name, value)| format!("{name} {value}")));
        lines.push(String::new());
        lines.join("\n")
    }

    fn launch(&mut self) -> Result<(), ServerError> {
        let (port, component) = (self.port, self.server.component());
        let password = self.password.clone();
        self.server.launch(|| {
            let answer = wire::ask(component, port, password.as_deref(), &["PING"]);
            matches!(answer, Ok(Answer::Text(text)) if text == "PONG")
        })
    }

    /// On which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it calls the group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// On which port the primary listens, as it tells clients.
    ///
    /// # Errors
    ///
    /// If it cannot be reached, or says nothing of the kind.
    pub fn primary_port(&self) -> Result<u16, ServerError> {
        let told = self.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", &self.group])?;
        let told = told.text();
        let port = told.rsplit(' ').next().and_then(|port| port.parse().ok());
        port.ok_or_else(|| self.server.failed(&format!("it names no primary: {told:?}")))
    }

    /// Makes the replica the primary, once it knows of one that is fit, and waits until it tells clients so.
    ///
    /// # Errors
    ///
    /// If no replica takes over.
    pub fn fail_over(&self) -> Result<(), ServerError> {
        let before = self.primary_port()?;
        // Until it has heard of the replica it refuses.
        let begun = wait_until(limits::START, || {
            self.command(&["SENTINEL", "FAILOVER", &self.group]).is_ok()
        });
        let done = begun
            && wait_until(limits::START, || {
                self.primary_port().is_ok_and(|port| port != before)
            });
        if done {
            Ok(())
        } else {
            Err(self.server.failed("no replica takes over"))
        }
    }

    fn command(&self, words: &[&str]) -> Result<Answer, ServerError> {
        wire::ask(
            self.server.component(),
            self.port,
            self.password.as_deref(),
            words,
        )
    }
}
