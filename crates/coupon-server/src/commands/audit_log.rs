//! `firstcome audit-log`: what administrators did on a running server, over HTTP.

use crate::cli::Shared;
use crate::client::{AdminOptions, converse, with_query};
use crate::commands::cells::cell;
use crate::table::Table;
use crate::times::Moment;
use crate::{clock, terminal};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use coupon_core::CouponId;
use serde_json::Value;
use std::process::ExitCode;

const PATH: &str = "/v1/admin/audit-log";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists what administrators did, the newest first; with --json also what it was before and after
    #[command(after_help = "\
Examples:
  firstcome audit-log list
  firstcome audit-log list --coupon 1 --action coupon.paused
  firstcome audit-log list --actor 4f1c2a9b7d3e5f60 --from 2027-03-01T00:00:00+09:00 --json | jq '.[].after'")]
    List(Box<List>),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only what was done to this coupon and to what is issued of it
    #[arg(long, value_name = "ID")]
    coupon: Option<CouponId>,

    /// Only what the key with this id did
    #[arg(long, value_name = "KEY_ID")]
    actor: Option<String>,

    /// Only this action, such as coupon.paused or key.revoked
    #[arg(long)]
    action: Option<String>,

    /// Only from this time on
    #[arg(long, value_name = "TIME")]
    from: Option<Moment>,

    /// Only before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,

    /// At most so many; all when absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,

    #[command(flatten)]
    admin: AdminOptions,
}

pub(crate) fn run(shared: &Shared, command: Command) -> anyhow::Result<ExitCode> {
    let Command::List(options) = command;
    list(shared, &options)?;
    Ok(ExitCode::SUCCESS)
}

fn list(shared: &Shared, options: &List) -> anyhow::Result<()> {
    let client = options.admin.client(shared)?;
    let now = clock::now();
    let moment = |given: &Option<Moment>, flag: &'static str| {
        let instant = given.as_ref().map(|moment| moment.from(now).context(flag));
        instant
            .transpose()
            .map(|instant| instant.map(|it| it.to_string()))
    };
    let path = with_query(
        PATH,
        [
            ("couponId", options.coupon.map(|id| id.to_string())),
            ("actor", options.actor.clone()),
            ("action", options.action.clone()),
            ("from", moment(&options.from, "--from")?),
            ("until", moment(&options.until, "--until")?),
        ],
    );
    let most = options.limit.and_then(|limit| usize::try_from(limit).ok());
    let entries = converse(client.all(&path, most))?;
    if shared.json {
        return Ok(terminal::say_json(&Value::Array(entries))?);
    }
    let mut table = Table::new(&["AT", "ACTION", "ON", "BY", "REQUEST"], 4);
    for entry in &entries {
        let on = [
            "issuedCouponId",
            "couponId",
            "keyId",
            "notificationId",
            "webhookId",
            "deadLetterId",
        ]
        .map(|name| cell(entry, name));
        let on = on
            .into_iter()
            .find(|cell| cell != "-")
            .unwrap_or_else(|| "-".to_owned());
        let [at, action, by, request] = ["at", "action", "actor", "requestId"].map(|name| cell(entry, name));
        table.row(vec![at, action, on, by, request]);
    }
    Ok(terminal::say(&table.text())?)
}
