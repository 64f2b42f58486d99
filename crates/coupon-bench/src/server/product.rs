//! The product as users run it: `firstcome serve` with its default settings.

use super::{Admin, Answer, Child, Usage, free_address};
use crate::load::RequestForm;
use crate::server::child::pause;
use anyhow::{Context as _, bail};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const ADMIN_KEY: &str = "fck_bench_an_administrators_key_for_measuring_only_0123456789";
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LONGEST_CATCH_UP: Duration = Duration::from_secs(600);

/// A running product.
#[derive(Debug)]
pub(crate) struct Product {
    child: Child,
    executable: PathBuf,
    directory: PathBuf,
    pub(crate) admin: Admin,
    service_key: String,
}

/// How far the store was behind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lag {
    /// Issues that it did not have when the load ended.
    pub(crate) issues: u64,
    /// How long it then took to get them.
    pub(crate) caught_up_after: Duration,
}

impl Product {
    /// Starts it on a data directory and waits until it is ready.
    pub(crate) fn start(executable: &Path, directory: &Path) -> anyhow::Result<Self> {
        Self::start_with(executable, directory, &[])
    }

    /// The same with settings of its own, each `name=value`.
    pub(crate) fn start_with(executable: &Path, directory: &Path, settings: &[&str]) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(executable);
        command
            .arg("serve")
            .arg("--listen")
            .arg(address.to_string())
            .arg("--data-dir")
            .arg(directory)
            .args(settings.iter().flat_map(|setting| ["--set", setting]))
            .env("FIRSTCOME_ADMIN_KEY", ADMIN_KEY);
        let log = directory.with_extension("log");
        let mut child = Child::start("the server", command, address, &log)?;
        let admin = Admin::new(address, ADMIN_KEY);
        child.wait_until(|_| admin.is_ready())?;
        let service_key = admin.service_key()?;
        Ok(Self {
            child,
            executable: executable.to_owned(),
            directory: directory.to_owned(),
            admin,
            service_key,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.child.address()
    }

    /// What it has used.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        self.child.usage()
    }

    /// Requests for this coupon with a service key.
    pub(crate) fn form(&self, coupon: u64) -> RequestForm {
        RequestForm::issue(self.address(), coupon, &self.service_key)
    }

    /// Requests to redeem the positions `first` to `last` of this coupon.
    pub(crate) fn redemption(&self, coupon: u64, first: u64, last: u64) -> RequestForm {
        RequestForm::redeem(self.address(), coupon, &self.service_key, first, last)
    }

    /// Requests for what a user holds, of whom each holds so many.
    pub(crate) fn wallet(&self, held: usize) -> RequestForm {
        RequestForm::wallet(self.address(), &self.service_key, held)
    }

    /// The answer to somebody who gets a coupon.
    pub(crate) fn issued_answer(&self) -> anyhow::Result<Answer> {
        let coupon = self.admin.create(Some(1))?;
        Answer::of(self.address(), &mut self.form(coupon), 0, 201)
    }

    /// Waits until the store has every issue of a coupon.
    pub(crate) fn catch_up(&self, coupon: u64) -> anyhow::Result<Lag> {
        let began = Instant::now();
        let issues = self.admin.counts(coupon)?.pending;
        while self.admin.counts(coupon)?.pending > 0 {
            if began.elapsed() > LONGEST_CATCH_UP {
                bail!("the store does not catch up");
            }
            pause(LOOK_EVERY);
        }
        Ok(Lag {
            issues,
            caught_up_after: began.elapsed(),
        })
    }

    /// Has `firstcome` do something with a data directory at rest; what it says, in JSON.
    pub(crate) fn at_rest(
        executable: &Path,
        directory: &Path,
        words: &[&str],
    ) -> anyhow::Result<serde_json::Value> {
        let output = Command::new(executable)
            .arg("--json")
            .arg("--data-dir")
            .arg(directory)
            .args(words)
            .output()
            .with_context(|| format!("cannot run {}", words.join(" ")))?;
        if !output.status.success() {
            bail!(
                "{} failed:\n{}",
                words.join(" "),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Stops it.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.child.stop()
    }

    /// Stops it and has it audit its data directory at rest.
    pub(crate) fn stop_and_verify(self) -> anyhow::Result<()> {
        let Self {
            child,
            executable,
            directory,
            ..
        } = self;
        child.stop()?;
        let verified = Command::new(executable)
            .arg("verify")
            .arg("--data-dir")
            .arg(&directory)
            .output()
            .context("cannot run the audit")?;
        if !verified.status.success() {
            bail!(
                "the audit of the data directory failed:\n{}{}",
                String::from_utf8_lossy(&verified.stdout),
                String::from_utf8_lossy(&verified.stderr)
            );
        }
        Ok(())
    }
}
