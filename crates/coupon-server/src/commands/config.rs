//! `firstcome config show`: the settings in force and where each came from.

use crate::cli::Shared;
use crate::config::{shown_as_json, shown_as_toml};
use crate::terminal;
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prints every setting with its value and its source, secrets masked
    ///
    /// The output is itself a configuration file, apart from the secrets.
    #[command(after_help = "\
Examples:
  firstcome config show
  FIRSTCOME_LOG_FILTER=debug firstcome config show --config firstcome.toml
  firstcome config show --json --set http.loops=2")]
    Show,
}

pub(crate) fn run(shared: &Shared, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Show => {
            let effective = shared.settle(Vec::new())?;
            if shared.json {
                terminal::say_json(&shown_as_json(&effective))?;
            } else {
                terminal::say(&shown_as_toml(&effective))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
