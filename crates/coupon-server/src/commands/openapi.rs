//! `firstcome openapi`: the document of the HTTP interface, as the server serves it.

use crate::cli::Shared;
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(after_help = "\
A running server serves the same document at /openapi.json and shows it at /docs.

Examples:
  firstcome openapi > openapi.json
  firstcome openapi | jq '.paths | keys'")]
pub(crate) struct Options {}

pub(crate) fn run(_shared: &Shared, _options: &Options) -> anyhow::Result<ExitCode> {
    anyhow::bail!("being built")
}
