//! `firstcome coupon`: coupons on a running server, over HTTP like any other client.

mod clone;
mod create;

use crate::cli::Shared;
use crate::client::{AdminOptions, converse, with_query};
use crate::commands::cells::cell;
use crate::table::{Table, listing};
use crate::times::Moment;
use crate::{clock, terminal};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use coupon_core::CouponId;
use reqwest::Method;
use serde_json::Value;
use std::process::ExitCode;

const PATH: &str = "/v1/admin/coupons";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Publishes a coupon
    Create(Box<create::Options>),
    /// Publishes a coupon with the terms of another
    Clone(Box<clone::Options>),
    /// Lists coupons
    #[command(after_help = "\
Examples:
  firstcome coupon list
  firstcome coupon list --limit 5 --json
  firstcome coupon list --state open --label campaign=spring --name opening --closes-before +1d")]
    List(Box<List>),
    /// Shows one coupon with its counts
    #[command(
        after_help = "Examples:\n  firstcome coupon show 1\n  firstcome coupon show 1 --json | jq .stats.issued"
    )]
    Show(One),
    /// Refuses issues until resumed
    #[command(after_help = "Examples:\n  firstcome coupon pause 1")]
    Pause(One),
    /// Issues again
    #[command(after_help = "Examples:\n  firstcome coupon resume 1")]
    Resume(One),
    /// Ends issuing for good; what is issued stays valid
    #[command(after_help = "Examples:\n  firstcome coupon close 1")]
    Close(One),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those with this in their name
    #[arg(long)]
    name: Option<String>,

    /// Only those in this state: scheduled, open, paused, soldOut or closed
    #[arg(long)]
    state: Option<String>,

    /// Only those with this label, KEY or KEY=VALUE; may be repeated, and then all must be there
    #[arg(long = "label", value_name = "KEY[=VALUE]")]
    labels: Vec<String>,

    /// Only those that open at this time or later
    #[arg(long, value_name = "TIME")]
    opens_from: Option<Moment>,

    /// Only those that open before this time
    #[arg(long, value_name = "TIME", visible_alias = "opens-until")]
    opens_before: Option<Moment>,

    /// Only those that end at this time or later
    #[arg(long, value_name = "TIME")]
    closes_from: Option<Moment>,

    /// Only those that end before this time
    #[arg(long, value_name = "TIME", visible_alias = "closes-until")]
    closes_before: Option<Moment>,

    /// At most so many; all when absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,

    #[command(flatten)]
    admin: AdminOptions,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The coupon's id, as `coupon list` shows it
    id: CouponId,

    #[command(flatten)]
    admin: AdminOptions,
}

pub(crate) fn run(shared: &Shared, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Create(options) => create::run(shared, &options)?,
        Command::Clone(options) => clone::run(shared, &options)?,
        Command::List(options) => list(shared, &options)?,
        Command::Show(options) => show(shared, &options)?,
        Command::Pause(options) => steer(shared, &options, "pause")?,
        Command::Resume(options) => steer(shared, &options, "resume")?,
        Command::Close(options) => steer(shared, &options, "close")?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(shared: &Shared, options: &List) -> anyhow::Result<()> {
    let client = options.admin.client(shared)?;
    let most = options.limit.and_then(|limit| usize::try_from(limit).ok());
    let coupons = converse(client.all(&options.path(clock::now())?, most))?;
    if shared.json {
        return Ok(terminal::say_json(&Value::Array(coupons))?);
    }
    if coupons.is_empty() {
        terminal::say_line("no coupons; make one with `firstcome coupon create --help`")?;
        return Ok(());
    }
    let mut table = Table::new(
        &["ID", "NAME", "STATE", "ISSUED", "QUANTITY", "OPENS", "CLOSES"],
        1,
    );
    for coupon in &coupons {
        let quantity = quantity(coupon);
        let [id, name, state, issued] = ["id", "name", "state", "issued"].map(|name| cell(coupon, name));
        let [opens, closes] = ["opensAt", "closesAt"].map(|name| cell(coupon, name));
        table.row(vec![id, name, state, issued, quantity, opens, closes]);
    }
    Ok(terminal::say(&table.text())?)
}

impl List {
    /// The list's path with what it is searched by.
    fn path(&self, now: jiff::Timestamp) -> anyhow::Result<String> {
        let moment = |given: &Option<Moment>, flag: &'static str| {
            let instant = given.as_ref().map(|moment| moment.from(now).context(flag));
            instant
                .transpose()
                .map(|instant| instant.map(|it| it.to_string()))
        };
        let labels = self.labels.iter().map(|label| ("label", Some(label.clone())));
        let rest = [
            ("name", self.name.clone()),
            ("state", self.state.clone()),
            ("opensFrom", moment(&self.opens_from, "--opens-from")?),
            ("opensUntil", moment(&self.opens_before, "--opens-before")?),
            ("closesFrom", moment(&self.closes_from, "--closes-from")?),
            ("closesUntil", moment(&self.closes_before, "--closes-before")?),
        ];
        Ok(with_query(PATH, labels.chain(rest)))
    }
}

fn show(shared: &Shared, options: &One) -> anyhow::Result<()> {
    let client = options.admin.client(shared)?;
    let path = format!("{PATH}/{}", options.id);
    let stats_path = format!("{path}/stats");
    let (mut coupon, stats) = converse(async {
        let coupon = client.must(Method::GET, &path, None).await?;
        let stats = client.must(Method::GET, &stats_path, None).await?;
        Ok((coupon, stats))
    })?;
    if shared.json {
        if let Some(members) = coupon.as_object_mut() {
            members.insert("stats".to_owned(), stats);
        }
        return Ok(terminal::say_json(&coupon)?);
    }
    let mut pairs = members(&coupon);
    let counts = ["redeemed", "cancelled", "expired", "revoked", "pending"];
    pairs.extend(counts.map(|name| (name, cell(&stats, name))));
    Ok(terminal::say(&listing(&pairs))?)
}

fn steer(shared: &Shared, options: &One, verb: &str) -> anyhow::Result<()> {
    let client = options.admin.client(shared)?;
    let path = format!("{PATH}/{}/{verb}", options.id);
    let coupon = converse(client.must(Method::POST, &path, None))?;
    if shared.json {
        return Ok(terminal::say_json(&coupon)?);
    }
    terminal::say_line(format!("coupon {} is now {}", options.id, cell(&coupon, "state")))?;
    Ok(())
}

/// Shows a coupon as a list of its members.
fn say_coupon(coupon: &Value) -> anyhow::Result<()> {
    Ok(terminal::say(&listing(&members(coupon)))?)
}

/// What people want to know of a coupon.
fn members(coupon: &Value) -> Vec<(&'static str, String)> {
    let validity = match coupon.get("validFor").and_then(Value::as_str) {
        Some(length) => format!("{length} from the issue"),
        None => format!("until {}", cell(coupon, "expiresAt")),
    };
    vec![
        ("id", cell(coupon, "id")),
        ("name", cell(coupon, "name")),
        ("state", cell(coupon, "state")),
        ("opens", cell(coupon, "opensAt")),
        ("closes", cell(coupon, "closesAt")),
        ("valid", validity),
        ("strategy", cell(coupon, "strategy")),
        ("ack", cell(coupon, "ack")),
        ("quantity", quantity(coupon)),
        ("issued", cell(coupon, "issued")),
        ("remaining", cell(coupon, "remaining")),
        ("revision", cell(coupon, "revision")),
    ]
}

fn quantity(coupon: &Value) -> String {
    if coupon.get("quantity").is_some_and(Value::is_null) {
        "unlimited".to_owned()
    } else {
        cell(coupon, "quantity")
    }
}
