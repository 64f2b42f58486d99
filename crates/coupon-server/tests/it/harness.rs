//! A scratch directory, servers in it, and commands. When a scratch directory goes, nothing may be left running in it.

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_firstcome");
/// Far longer than anything takes; reached only when something hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A directory of a test's own.
pub(crate) struct Scratch(tempfile::TempDir);

impl Scratch {
    pub(crate) fn new() -> Self {
        Self(
            tempfile::Builder::new()
                .prefix("firstcome-it-")
                .tempdir()
                .unwrap(),
        )
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.path().join("data")
    }

    /// A command in this directory, with none of the environment's settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FIRSTCOME_") {
                command.env_remove(name);
            }
        }
        // The scratch directory's mark in the command's environment finds it again if it is left over.
        command.env("IT_SCRATCH", self.path());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed, and returns what it said.
    pub(crate) fn must(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", told(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must fail with 1, and returns why.
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", told(&output));
        String::from_utf8(output.stderr).unwrap()
    }

    /// Starts a server on `./data` and waits until it listens.
    pub(crate) fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    pub(crate) fn serve_with(&self, arguments: &[&str]) -> Server {
        let mut all = vec![
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--set",
            "journal.segment_mib=1",
        ];
        all.extend(arguments);
        Server::start(self.command(&all))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let left = left_over(self.path());
        assert!(left.is_empty(), "processes are left over: {left:?}");
    }
}

/// The ids of running processes that were started in a scratch directory.
fn left_over(scratch: &Path) -> Vec<u32> {
    let mark = format!("IT_SCRATCH={}", scratch.display());
    let processes = std::fs::read_dir("/proc").unwrap();
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| {
        let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|one| one == mark.as_bytes())
    })
    .collect()
}

pub(crate) fn told(output: &Output) -> String {
    format!(
        "{}\n--- stdout\n{}--- stderr\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A running server. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// What it has said on standard output until it listened.
    pub(crate) said: String,
    pub(crate) url: String,
    log: Receiver<String>,
}

impl Server {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = lines(child.stdout.take().unwrap());
        let log = lines(child.stderr.take().unwrap());
        let mut server = Self {
            child,
            said: String::new(),
            url: String::new(),
            log,
        };
        while server.url.is_empty() {
            let Ok(line) = said.recv_timeout(PATIENCE) else {
                let log: Vec<String> = server.log.iter().collect();
                panic!("the server does not listen: {}\n{}", server.said, log.join("\n"));
            };
            if let Some(url) = line.strip_prefix("listening on ") {
                server.url = url.to_owned();
            }
            server.said.push_str(&line);
            server.said.push('\n');
        }
        server
    }

    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for a line in the log that contains `part`.
    pub(crate) fn logs(&self, part: &str) -> String {
        loop {
            let line = self
                .log
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("no {part:?} in the log"));
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Kills it without warning.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end and waits until it has; returns its exit status and the rest of its log.
    pub(crate) fn stop(self) -> (ExitStatus, String) {
        self.signal(rustix::process::Signal::TERM);
        self.wait()
    }

    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let mut log = String::new();
        // The log ends when the process does.
        while let Ok(line) = self.log.recv_timeout(PATIENCE) {
            log.push_str(&line);
            log.push('\n');
        }
        let status = self.child.try_wait().unwrap();
        (status.unwrap_or_else(|| self.child.wait().unwrap()), log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The lines of a pipe as they come, read by a thread so that the writer never waits.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let _nobody_reads = send.send(line);
        }
    });
    receive
}

/// Runs a conversation over HTTP.
pub(crate) fn converse<T>(conversation: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(conversation)
}

/// Whoever is refused for now is told after how many seconds to ask again, and nobody else is. Held against every answer
/// that any test gets, also in the middle of a fault.
fn assert_says_when_to_come_back(status: StatusCode, headers: &HeaderMap, answer: &Value) {
    let later = match status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::FORBIDDEN => answer["code"] == "not-yet-open",
        _ => false,
    };
    let told = headers
        .get(RETRY_AFTER)
        .map(|value| value.to_str().unwrap().parse::<u64>());
    match told {
        Some(seconds) => assert!(
            later && seconds.is_ok_and(|it| it > 0),
            "{status} {headers:?} {answer}"
        ),
        None => assert!(!later, "{status} without Retry-After: {answer}"),
    }
}

/// An HTTP client with a bearer.
#[derive(Clone)]
pub(crate) struct Caller {
    http: Client,
    url: String,
    bearer: String,
}

impl Caller {
    pub(crate) fn new(server: &Server, bearer: &str) -> Self {
        // Each conversation has a runtime of its own, and a connection must not outlive the one that it was made on.
        let http = Client::builder()
            .pool_max_idle_per_host(0)
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .unwrap();
        Self {
            http,
            url: server.url.clone(),
            bearer: bearer.trim().to_owned(),
        }
    }

    /// With the administrator's key that the server keeps.
    pub(crate) fn admin(scratch: &Scratch, server: &Server) -> Self {
        Self::new(
            server,
            &std::fs::read_to_string(scratch.data_dir().join("admin-key")).unwrap(),
        )
    }

    pub(crate) async fn try_ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(StatusCode, Value), reqwest::Error> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.bearer);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await?;
        let answer = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if path != "/readyz" {
            assert_says_when_to_come_back(status, &headers, &answer);
        }
        Ok((status, answer))
    }

    pub(crate) fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        converse(self.try_ask(method, path, body)).unwrap()
    }

    /// Publishes a coupon and returns its path.
    pub(crate) fn publish(&self, quantity: u32) -> String {
        let wanted = serde_json::json!({
            "name": "Opening day", "quantity": quantity, "validFor": "P30D",
            "opensAt": "2026-01-01T00:00:00Z", "closesAt": "2099-01-01T00:00:00Z",
        });
        let (status, coupon) = self.ask(Method::POST, "/v1/admin/coupons", Some(wanted));
        assert_eq!(status, StatusCode::CREATED, "{coupon}");
        format!("/v1/coupons/{}", coupon["id"])
    }

    /// Issues to a user on behalf of the shop.
    pub(crate) fn issue(&self, coupon: &str, user: &str) -> (StatusCode, Value) {
        let body = serde_json::json!({ "userId": user });
        self.ask(Method::POST, &format!("{coupon}/issues"), Some(body))
    }
}
