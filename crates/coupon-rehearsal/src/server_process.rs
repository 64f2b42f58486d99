//! A server of the rehearsal's own: started as a child process, killed without warning, started again.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::admin::AdminClient;
use crate::plan::Credential;
use crate::target::{Target, TargetError};

const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
const ONE_LOOK: Duration = Duration::from_secs(1);
const LOG_TAIL_BYTES: usize = 2_000;

/// How to start a server of one's own.
#[derive(Clone)]
pub struct ServerProcessPlan {
    /// The `firstcome` executable.
    pub executable: PathBuf,
    /// Its data directory; kept over a kill.
    pub data_dir: PathBuf,
    /// The port on 127.0.0.1; see [`free_port`].
    pub port: u16,
    /// The administrator's key, handed over in the environment.
    pub admin_key: String,
    /// Further arguments after `serve`.
    pub arguments: Vec<String>,
    /// Where its output goes; it is appended to.
    pub log: PathBuf,
    /// How long it may take to become ready, recovery included.
    pub ready_within: Duration,
}

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub struct ServerProcess {
    plan: ServerProcessPlan,
    target: Target,
    child: Child,
}

/// Why there is no running server.
#[derive(Debug, thiserror::Error)]
pub enum ServerProcessError {
    /// It could not be started, killed or waited for.
    #[error("the server process: {0}")]
    Io(#[from] io::Error),
    /// The address is unusable.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// It ended before it was ready.
    #[error("the server ended with {status} before it was ready; its log ends with:\n{log}")]
    Ended {
        /// How it ended.
        status: String,
        /// The end of its log.
        log: String,
    },
    /// It runs and is not ready in time.
    #[error("the server was not ready within {within:?}; its log ends with:\n{log}")]
    NotReady {
        /// How long it had.
        within: Duration,
        /// The end of its log.
        log: String,
    },
}

impl std::fmt::Debug for ServerProcessPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerProcessPlan")
            .field("executable", &self.executable)
            .field("data_dir", &self.data_dir)
            .field("port", &self.port)
            .field("admin_key", &"***")
            .finish_non_exhaustive()
    }
}

/// A port on 127.0.0.1 that nobody listens on now.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl ServerProcess {
    /// Starts `serve --listen 127.0.0.1:PORT --data-dir DIR` and waits until it is ready.
    pub async fn start(plan: ServerProcessPlan) -> Result<Self, ServerProcessError> {
        let target = Target::resolve(&format!("http://127.0.0.1:{}", plan.port)).await?;
        let child = spawn(&plan)?;
        let mut server = Self { plan, target, child };
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// Where it listens.
    pub fn base_url(&self) -> String {
        self.target.base_url()
    }

    /// Kills it with SIGKILL, starts it again on the same port and data, and waits until it is ready.
    pub async fn kill_and_restart(&mut self) -> Result<(), ServerProcessError> {
        self.child.kill().await?;
        self.child = spawn(&self.plan)?;
        self.wait_until_ready().await
    }

    /// Asks it to end and waits; kills it if it does not end in time.
    pub async fn stop(mut self, within: Duration) -> Result<(), ServerProcessError> {
        self.ask_to_end();
        if tokio::time::timeout(within, self.child.wait()).await.is_err() {
            self.child.kill().await?;
        }
        Ok(())
    }

    /// A child that has ended has no id any more, and then there is nobody to ask.
    fn ask_to_end(&self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = id.and_then(rustix::process::Pid::from_raw) {
            let _gone = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
    }

    async fn wait_until_ready(&mut self) -> Result<(), ServerProcessError> {
        let deadline = Instant::now() + self.plan.ready_within;
        let mut client = AdminClient::new(self.target.clone(), Credential::bearer(&self.plan.admin_key));
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(ServerProcessError::Ended {
                    status: status.to_string(),
                    log: self.log_tail(),
                });
            }
            if tokio::time::timeout(ONE_LOOK, client.is_ready())
                .await
                .unwrap_or(false)
            {
                return Ok(());
            }
            if Instant::now() > deadline {
                let within = self.plan.ready_within;
                return Err(ServerProcessError::NotReady {
                    within,
                    log: self.log_tail(),
                });
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read(&self.plan.log).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(LOG_TAIL_BYTES)..]).into_owned()
    }
}

fn spawn(plan: &ServerProcessPlan) -> io::Result<Child> {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&plan.log)?;
    Command::new(&plan.executable)
        .arg("serve")
        .arg("--listen")
        .arg(format!("127.0.0.1:{}", plan.port))
        .arg("--data-dir")
        .arg(&plan.data_dir)
        .args(&plan.arguments)
        .env("FIRSTCOME_ADMIN_KEY", &plan.admin_key)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
}
