//! `firstcome openapi`: the document of the HTTP interface, as the server serves it.

use crate::cli::Shared;
use crate::terminal;
use clap::Args;
use coupon_http::Hall;
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(after_help = "\
A running server serves the same document at /openapi.json and shows it at /docs.

Examples:
  firstcome openapi > openapi.json
  firstcome openapi | jq '.paths | keys'")]
pub(crate) struct Options {}

pub(crate) fn run(_shared: &Shared, _options: &Options) -> anyhow::Result<ExitCode> {
    terminal::say_line(Hall::document().trim_end())?;
    Ok(ExitCode::SUCCESS)
}
