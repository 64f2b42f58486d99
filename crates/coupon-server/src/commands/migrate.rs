//! `firstcome migrate`: makes or updates the tables of the database that many servers share.

use crate::cli::Shared;
use crate::client::converse;
use crate::wiring::database_url;
use crate::{telemetry, terminal};
use anyhow::Context as _;
use clap::Args;
use std::process::ExitCode;
use store_mysql::MysqlStore;

#[derive(Debug, Args)]
#[command(after_help = "\
Run it before servers and workers of a new version start; they refuse to start on tables of another version. Doing it
again is harmless, also by several at once.

Example:
  FIRSTCOME_DATABASE_URL=mysql://shop:secret@127.0.0.1/shop firstcome migrate")]
pub(crate) struct Options {}

pub(crate) fn run(shared: &Shared, _options: &Options) -> anyhow::Result<ExitCode> {
    let settings = shared.settle(Vec::new())?.settings;
    telemetry::start(&settings.log)?;
    let url = database_url(&settings)?;
    converse(async {
        MysqlStore::migrate(&url)
            .await
            .context("cannot migrate the database")
    })?;
    terminal::say_line("the tables are up to date")?;
    Ok(ExitCode::SUCCESS)
}
