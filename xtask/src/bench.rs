//! `cargo xtask bench`: measures with the harness, always built as users run the service.

use std::ffi::OsString;

use anyhow::Context as _;

use crate::checkout::Checkout;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Handed to the harness as they are; `cargo xtask bench -- --help` shows them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub(crate) fn run(checkout: &Checkout, options: &Options) -> anyhow::Result<bool> {
    let status = checkout
        .cargo()
        .args(["run", "--release", "--package", "coupon-bench", "--"])
        .args(&options.arguments)
        .status()
        .context("cargo run")?;
    Ok(status.success())
}
