//! Where a rehearsal is played: on a server that runs, or on one of its own.

use super::key_of;
use crate::cli::Shared;
use crate::client::AdminOptions;
use crate::config::Settings;
use crate::keys;
use crate::terminal;
use anyhow::{Context as _, ensure};
use coupon_rehearsal::{Fault, ServerProcess, ServerProcessPlan, free_port};
use secrecy::{ExposeSecret as _, SecretString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::Mutex;

const READY_WITHIN: Duration = Duration::from_secs(60);
const END_WITHIN: Duration = Duration::from_secs(30);

/// A server to rehearse on, and what is needed to speak to it.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) base_url: String,
    pub(super) admin_key: SecretString,
    /// The settings by which users' tokens are made.
    pub(super) settings: Settings,
    own: Option<Own>,
}

/// A server of the rehearsal's own.
#[derive(Debug)]
struct Own {
    /// Several faults may want it; dropping the last handle kills the child.
    server: Arc<Mutex<Option<ServerProcess>>>,
    scratch: TempDir,
    /// Where its data is, when the caller said where: that is kept in any case.
    kept: Option<PathBuf>,
}

impl Stage {
    /// A server that somebody else runs.
    pub(super) fn of(shared: &Shared, admin: &AdminOptions) -> anyhow::Result<Self> {
        let (admin_key, settings) = key_of(shared, admin)?;
        Ok(Self {
            base_url: admin.server.base_url(&settings)?,
            admin_key,
            settings,
            own: None,
        })
    }

    /// A server of its own in a scratch directory beside the report, which is on a disk that the caller chose; the
    /// system's temporary directory may be in memory, where nothing is durable.
    pub(super) async fn own(shared: &Shared, beside: &Path) -> anyhow::Result<Self> {
        let scratch = tempfile::Builder::new()
            .prefix("server-")
            .tempdir_in(beside)
            .context("cannot make a scratch directory")?;
        let kept = shared.data_dir.clone();
        if let Some(directory) = &kept {
            expect_unused(directory)?;
        }
        let data_dir = kept.clone().unwrap_or_else(|| scratch.path().join("data"));
        let admin_key = SecretString::from(keys::random_key()?);
        let plan = ServerProcessPlan {
            executable: std::env::current_exe().context("cannot find this program's own file")?,
            data_dir: data_dir.clone(),
            port: free_port().context("cannot find a free port")?,
            admin_key: admin_key.expose_secret().to_owned(),
            arguments: shared.forwarded(),
            log: scratch.path().join("server.log"),
            ready_within: READY_WITHIN,
        };
        let server = ServerProcess::start(plan)
            .await
            .context("cannot start a server of its own")?;
        let mut settings = shared.settle(Vec::new())?.settings;
        settings.data_dir = data_dir;
        Ok(Self {
            base_url: server.base_url(),
            admin_key,
            settings,
            own: Some(Own {
                server: Arc::new(Mutex::new(Some(server))),
                scratch,
                kept,
            }),
        })
    }

    /// A fault for each time at which the own server is to be killed.
    pub(super) fn kills(&self, times: &[Duration]) -> Vec<Fault> {
        let Some(own) = &self.own else {
            return Vec::new();
        };
        let kill = |at: &Duration| {
            let server = Arc::clone(&own.server);
            Fault::at(*at, "SIGKILL", async move {
                match server.lock().await.as_mut() {
                    Some(server) => server.kill_and_restart().await.map_err(|error| error.to_string()),
                    None => Err("the server has ended".to_owned()),
                }
            })
        };
        times.iter().map(kill).collect()
    }

    /// Ends the own server. Its data is kept when the verdict is not a pass: it is evidence.
    pub(super) async fn clear(self, passed: bool) -> anyhow::Result<()> {
        let Some(own) = self.own else {
            return Ok(());
        };
        if let Some(server) = own.server.lock().await.take() {
            server.stop(END_WITHIN).await.context("cannot end the server")?;
        }
        if !passed {
            let scratch = own.scratch.keep();
            let data_dir = own.kept.unwrap_or_else(|| scratch.join("data"));
            terminal::complain(&format!(
                "the server's log is kept in {}, its data in {} (audit it with `firstcome verify --data-dir`)",
                scratch.display(),
                data_dir.display()
            ));
        }
        Ok(())
    }
}

/// A rehearsal kills its server and sells coupons that nobody wants: not on top of anything that is there.
fn expect_unused(directory: &Path) -> anyhow::Result<()> {
    let used = std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some());
    ensure!(
        !used,
        "{} is not empty; with --self name an empty or a new directory with --data-dir, or none",
        directory.display()
    );
    Ok(())
}
