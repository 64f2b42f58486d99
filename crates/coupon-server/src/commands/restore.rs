//! `firstcome restore`.

use crate::cli::Shared;
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct Options {}

pub(crate) fn run(_shared: &Shared, _options: &Options) -> anyhow::Result<ExitCode> {
    anyhow::bail!("being built")
}
