//! The servers that are measured, each a child process: the product and the baseline.

mod admin;
mod answer;
mod audit;
mod child;
mod executable;
mod fleet;
mod product;
mod to_store;
mod usage;

pub(crate) use admin::Admin;
pub(crate) use answer::Answer;
pub(crate) use audit::audit;
pub(crate) use child::{Child, pause};
pub(crate) use executable::{product_executable, repository};
pub(crate) use fleet::{Fleet, Refusing};
pub(crate) use product::Product;
pub(crate) use to_store::ToStore;
pub(crate) use usage::Usage;

use anyhow::Context as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

/// A port of this machine that nobody listens on now.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}

/// Starts a baseline that answers so, as a child of this process.
pub(crate) fn baseline(answer: &Answer, scratch: &Path) -> anyhow::Result<Child> {
    let address = free_address()?;
    let directory = tempfile::Builder::new()
        .prefix("baseline-")
        .tempdir_in(scratch)?
        .keep();
    let file = directory.join("answer.json");
    std::fs::write(&file, serde_json::to_vec_pretty(answer)?)?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("baseline")
        .arg("--listen")
        .arg(address.to_string())
        .arg("--answer")
        .arg(&file);
    Child::start("the baseline", command, address, &directory.join("log"))
}
