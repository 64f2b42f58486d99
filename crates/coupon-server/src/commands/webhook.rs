//! `firstcome webhook`: the shop's endpoints, over HTTP.

use crate::cli::Shared;
use crate::client::{AdminOptions, converse};
use crate::commands::cells::cell;
use crate::table::{Table, listing};
use crate::terminal;
use clap::{Args, Subcommand};
use coupon_app::{NotificationId, NotificationKind};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::process::ExitCode;

const PATH: &str = "/v1/admin/webhooks";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes a webhook and prints its secret, once
    #[command(after_help = "\
Examples:
  firstcome webhook create https://shop.example/hooks/coupons
  firstcome webhook create https://shop.example/hooks --event issued_coupon.redeemed --event coupon.sold_out")]
    Create(Create),
    /// Lists every webhook without its secrets
    #[command(after_help = "Examples:\n  firstcome webhook list\n  firstcome webhook list --json")]
    List(Admin),
    /// Shows one webhook
    #[command(after_help = "Examples:\n  firstcome webhook show 1")]
    Show(One),
    /// Changes a webhook; what is not named stays
    #[command(after_help = "\
Examples:
  firstcome webhook change 1 --url https://shop.example/v2/hooks
  firstcome webhook change 1 --event issued_coupon.expired
  firstcome webhook change 1 --all-events")]
    Change(Change),
    /// Sends a webhook nothing until it is enabled again
    #[command(after_help = "Examples:\n  firstcome webhook disable 1")]
    Disable(One),
    /// Sends a webhook again what happens from now on
    #[command(after_help = "Examples:\n  firstcome webhook enable 1")]
    Enable(One),
    /// Gives a webhook another secret and prints it, once; the one before is good for another day
    #[command(after_help = "Examples:\n  firstcome webhook rotate-secret 1")]
    RotateSecret(One),
    /// Sends a webhook a ping and prints what came of it
    #[command(after_help = "Examples:\n  firstcome webhook ping 1")]
    Ping(One),
    /// Lists what is on its way to a webhook, what arrived, and what was given up
    #[command(
        after_help = "Examples:\n  firstcome webhook deliveries 1\n  firstcome webhook deliveries 1 --json"
    )]
    Deliveries(One),
    /// Has a delivery that has come to an end tried again, under the same id
    #[command(after_help = "Examples:\n  firstcome webhook replay 1 redeemed-1-17-1")]
    Replay(Replay),
    /// Deletes a webhook; what is still on its way to it is given up
    #[command(after_help = "Examples:\n  firstcome webhook delete 1")]
    Delete(One),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Where to
    url: String,

    /// What for, in your words
    #[arg(long, default_value = "")]
    description: String,

    /// What it is sent; may be repeated; everything if not given
    #[arg(long = "event", value_parser = event)]
    events: Vec<&'static str>,

    #[command(flatten)]
    admin: AdminOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Change {
    /// The webhook's id, as `webhook list` shows it
    id: u32,

    /// Where to
    #[arg(long)]
    url: Option<String>,

    /// What for, in your words
    #[arg(long)]
    description: Option<String>,

    /// What it is sent from now on; may be repeated
    #[arg(long = "event", value_parser = event, conflicts_with = "all_events")]
    events: Vec<&'static str>,

    /// It is sent everything from now on
    #[arg(long)]
    all_events: bool,

    #[command(flatten)]
    admin: AdminOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Admin {
    #[command(flatten)]
    admin: AdminOptions,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The webhook's id, as `webhook list` shows it
    id: u32,

    #[command(flatten)]
    admin: AdminOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The webhook's id, as `webhook list` shows it
    id: u32,

    /// The delivery's id, as `webhook deliveries` shows it
    delivery: NotificationId,

    #[command(flatten)]
    admin: AdminOptions,
}

fn event(name: &str) -> Result<&'static str, String> {
    let kind = NotificationKind::parse(name);
    kind.map(NotificationKind::event).ok_or_else(|| {
        let names = NotificationKind::ALL.map(NotificationKind::event);
        format!("there are {}", names.join(", "))
    })
}

pub(crate) fn run(shared: &Shared, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Create(options) => create(shared, &options)?,
        Command::List(options) => list(shared, &options)?,
        Command::Show(options) => show(shared, &options)?,
        Command::Change(options) => change(shared, &options)?,
        Command::Disable(options) => switch(shared, &options, false)?,
        Command::Enable(options) => switch(shared, &options, true)?,
        Command::RotateSecret(options) => rotate(shared, &options)?,
        Command::Ping(options) => return ping(shared, &options),
        Command::Deliveries(options) => deliveries(shared, &options)?,
        Command::Replay(options) => replay(shared, &options)?,
        Command::Delete(options) => delete(shared, &options)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn create(shared: &Shared, options: &Create) -> anyhow::Result<()> {
    let client = options.admin.client(shared)?;
    let mut wanted = json!({ "url": options.url, "description": options.description });
    if !options.events.is_empty() {
        wanted["events"] = json!(options.events);
    }
    let made = converse(client.must(Method::POST, PATH, Some(&wanted)))?;
    print_secret(shared, &made)
}

fn rotate(shared: &Shared, options: &One) -> anyhow::Result<()> {
    let client = options.admin.client(shared)?;
    let path = format!("{PATH}/{}/rotate-secret", options.id);
    let rotated = converse(client.must(Method::POST, &path, None))?;
    print_secret(shared, &rotated)
}

fn print_secret(shared: &Shared, webhook: &Value) -> anyhow::Result<()> {
    if shared.json {
        return Ok(terminal::say_json(webhook)?);
    }
    let names = ["id", "url", "events", "previousSecretUntil", "secret"];
    terminal::say(&listing(&names.map(|name| (name, member(webhook, name)))))?;
    terminal::say_line(
        "Keep the secret now: it is not shown again. The receiver checks signatures with it.",
    )?;
    Ok(())
}

fn list(shared: &Shared, options: &Admin) -> anyhow::Result<()> {
    let client = options.admin.client(shared)?;
    let webhooks = converse(client.all(PATH, None))?;
    if shared.json {
        return Ok(terminal::say_json(&Value::Array(webhooks))?);
    }
    let mut table = Table::new(&["ID", "URL", "EVENTS", "ENABLED", "REASON"], 1);
    for webhook in &webhooks {
        let names = ["id", "url", "events", "enabled", "disabledReason"];
        table.row(names.iter().map(|name| member(webhook, name)).collect());
    }
    Ok(terminal::say(&table.text())?)
}

/// A member of a webhook. One without a list of events is sent all of them.
fn member(webhook: &Value, name: &str) -> String {
    match name {
        "events" if webhook.get(name).is_none_or(Value::is_null) => "all".to_owned(),
        _ => cell(webhook, name),
    }
}

fn show(shared: &Shared, options: &One) -> anyhow::Result<()> {
    let client = options.admin.client(shared)?;
    let path = format!("{PATH}/{}", options.id);
    print(shared, &converse(client.must(Method::GET, &path, None))?)
}

fn print(shared: &Shared, webhook: &Value) -> anyhow::Result<()> {
    if shared.json {
        return Ok(terminal::say_json(webhook)?);
    }
    let names = [
        "id",
        "url",
        "description",
        "events",
        "enabled",
        "disabledAt",
        "disabledReason",
        "previousSecretUntil",
        "createdAt",
    ];
    terminal::say(&listing(&names.map(|name| (name, member(webhook, name)))))?;
    Ok(())
}

fn change(shared: &Shared, options: &Change) -> anyhow::Result<()> {
    let mut wanted = Map::new();
    if let Some(url) = &options.url {
        wanted.insert("url".to_owned(), json!(url));
    }
    if let Some(description) = &options.description {
        wanted.insert("description".to_owned(), json!(description));
    }
    if options.all_events {
        wanted.insert("events".to_owned(), Value::Null);
    } else if !options.events.is_empty() {
        wanted.insert("events".to_owned(), json!(options.events));
    }
    patch(shared, &options.admin, options.id, &Value::Object(wanted))
}

fn switch(shared: &Shared, options: &One, enabled: bool) -> anyhow::Result<()> {
    let wanted = json!({ "enabled": enabled });
    patch(shared, &options.admin, options.id, &wanted)
}

fn patch(shared: &Shared, admin: &AdminOptions, id: u32, wanted: &Value) -> anyhow::Result<()> {
    let client = admin.client(shared)?;
    let path = format!("{PATH}/{id}");
    let changed = converse(client.must(Method::PATCH, &path, Some(wanted)))?;
    print(shared, &changed)
}

/// Exits with 1 if the receiver did not take it.
fn ping(shared: &Shared, options: &One) -> anyhow::Result<ExitCode> {
    let client = options.admin.client(shared)?;
    let path = format!("{PATH}/{}/ping", options.id);
    let answer = converse(client.must(Method::POST, &path, None))?;
    if shared.json {
        terminal::say_json(&answer)?;
    } else {
        let names = ["outcome", "status", "detail"];
        terminal::say(&listing(&names.map(|name| (name, cell(&answer, name)))))?;
    }
    let taken = answer.get("outcome").and_then(Value::as_str) == Some("delivered");
    Ok(if taken {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn deliveries(shared: &Shared, options: &One) -> anyhow::Result<()> {
    let client = options.admin.client(shared)?;
    let path = format!("{PATH}/{}/deliveries", options.id);
    let deliveries = converse(client.all(&path, None))?;
    if shared.json {
        return Ok(terminal::say_json(&Value::Array(deliveries))?);
    }
    let mut table = Table::new(&["ID", "STATE", "ATTEMPTS", "DUE", "STATUS", "DETAIL"], 1);
    for delivery in &deliveries {
        let names = ["id", "state", "attempts", "dueAt", "status", "detail"];
        table.row(names.iter().map(|name| cell(delivery, name)).collect());
    }
    Ok(terminal::say(&table.text())?)
}

fn replay(shared: &Shared, options: &Replay) -> anyhow::Result<()> {
    let client = options.admin.client(shared)?;
    let path = format!("{PATH}/{}/deliveries/{}/replay", options.id, options.delivery);
    converse(client.must(Method::POST, &path, None))?;
    if !shared.json {
        terminal::say_line(format!("{} is tried again", options.delivery))?;
    }
    Ok(())
}

fn delete(shared: &Shared, options: &One) -> anyhow::Result<()> {
    let client = options.admin.client(shared)?;
    let path = format!("{PATH}/{}", options.id);
    converse(client.must(Method::DELETE, &path, None))?;
    if !shared.json {
        terminal::say_line(format!("deleted {}", options.id))?;
    }
    Ok(())
}
