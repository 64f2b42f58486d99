//! `firstcome dead-letters`: what could not be taken where it was brought, over HTTP.

use crate::cli::Shared;
use crate::client::{AdminOptions, Client, converse, escaped};
use crate::commands::cells::cell;
use crate::table::Table;
use crate::terminal;
use anyhow::ensure;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};
use std::process::ExitCode;

const PATH: &str = "/v1/admin/dead-letters";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists what could not be taken and has not been looked after, oldest first
    #[command(after_help = "\
Examples:
  firstcome dead-letters list
  firstcome dead-letters list --place notification.mail
  firstcome dead-letters list --json")]
    List(List),
    /// Brings dead letters to where they belong again, from the oldest through the named one
    #[command(override_usage = "\
firstcome dead-letters replay [OPTIONS] <ID>
       firstcome dead-letters replay [OPTIONS] --all [--place <PLACE>]")]
    #[command(after_help = "\
What still cannot be taken comes back as a new letter. Doing it again is harmless. A letter that cannot be brought
again stops it; dismiss that one first.

Examples:
  firstcome dead-letters replay kafka-0-17   (the id that `dead-letters list` shows)
  firstcome dead-letters replay --all
  firstcome dead-letters replay --all --place notification.mail")]
    Replay(Change),
    /// Takes dead letters off the list without bringing them, from the oldest through the named one
    #[command(override_usage = "\
firstcome dead-letters dismiss [OPTIONS] <ID>
       firstcome dead-letters dismiss [OPTIONS] --all [--place <PLACE>]")]
    #[command(after_help = "\
Make sure first that nobody misses them: what they say is not brought anywhere any more.

Example:
  firstcome dead-letters dismiss kafka-0-17   (the id that `dead-letters list` shows)")]
    Dismiss(Change),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only what lies there: quarantine, stream, kafka, notification.mail, notification.webhook, notification.kafka
    ///
    /// A server has those of them that it can fill: one that works alone has neither quarantine nor stream nor kafka
    /// here, for its issues do not travel.
    #[arg(long)]
    place: Option<String>,

    #[command(flatten)]
    admin: AdminOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Change {
    /// The letter through which to go, as `dead-letters list` shows it
    #[arg(required_unless_present = "all")]
    id: Option<String>,

    /// Every letter that is on the list now
    #[arg(long, conflicts_with = "id")]
    all: bool,

    /// Of these only what lies there, as with `list`; an ID says itself where it lies
    #[arg(long, conflicts_with = "id")]
    place: Option<String>,

    #[command(flatten)]
    admin: AdminOptions,
}

/// The path of the list, of all places or of one.
fn path(place: Option<&str>) -> String {
    let place = place.map(|place| format!("?place={}", escaped(place).collect::<String>()));
    format!("{PATH}{}", place.unwrap_or_default())
}

pub(crate) fn run(shared: &Shared, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List(options) => list(shared, &options)?,
        Command::Replay(options) => return replay(shared, &options),
        Command::Dismiss(options) => dismiss(shared, &options)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(shared: &Shared, options: &List) -> anyhow::Result<()> {
    let client = options.admin.client(shared)?;
    let letters = converse(client.all(&path(options.place.as_deref()), None))?;
    if shared.json {
        return Ok(terminal::say_json(&Value::Array(letters))?);
    }
    let mut table = Table::new(
        &[
            "ID",
            "NOTIFICATION",
            "GROUP",
            "REPLAYABLE",
            "COUPON",
            "FIRST",
            "LAST",
            "REASON",
        ],
        2,
    );
    for letter in &letters {
        let names = [
            "id",
            "notificationId",
            "group",
            "replayable",
            "couponId",
            "firstPosition",
            "lastPosition",
            "reason",
        ];
        table.row(names.iter().map(|name| cell(letter, name)).collect());
    }
    Ok(terminal::say(&table.text())?)
}

/// The last letter of each place that is meant.
async fn through(client: &Client, options: &Change) -> anyhow::Result<Vec<String>> {
    if let Some(id) = &options.id {
        return Ok(vec![id.clone()]);
    }
    let mut last: Vec<(String, String)> = Vec::new();
    let text = |letter: &Value, name| {
        let text = letter.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    for letter in client.all(&path(options.place.as_deref()), None).await? {
        let (place, id) = (text(&letter, "place"), text(&letter, "id"));
        match last.iter_mut().find(|(known, _)| *known == place) {
            Some((_, known)) => *known = id,
            None => last.push((place, id)),
        }
    }
    Ok(last.into_iter().map(|(_, id)| id).collect())
}

/// Asks for each of them; the sum of what the answers say under `counted`, and where one was stopped.
fn change(
    shared: &Shared,
    options: &Change,
    verb: &str,
    counted: &str,
) -> anyhow::Result<(u64, Vec<String>)> {
    let client = options.admin.client(shared)?;
    converse(async {
        let (mut sum, mut stopped) = (0, Vec::new());
        for id in through(&client, options).await? {
            let path = format!("{PATH}/{}/{verb}", escaped(&id).collect::<String>());
            let answer = client.must(Method::POST, &path, None).await?;
            let count = answer.get(counted).and_then(Value::as_u64);
            ensure!(count.is_some(), "the server's answer has no {counted}");
            sum += count.unwrap_or_default();
            stopped.extend(answer.get("stoppedAt").and_then(Value::as_str).map(str::to_owned));
        }
        Ok((sum, stopped))
    })
}

fn replay(shared: &Shared, options: &Change) -> anyhow::Result<ExitCode> {
    let (replayed, stopped) = change(shared, options, "replay", "replayed")?;
    if shared.json {
        terminal::say_json(&json!({ "replayed": replayed, "stoppedAt": stopped }))?;
    } else {
        terminal::say_line(format!("replayed {replayed}"))?;
        for id in &stopped {
            terminal::complain(&format!(
                "{id} cannot be brought again and stopped it; look at it, then `firstcome dead-letters dismiss {id}`"
            ));
        }
    }
    Ok(if stopped.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn dismiss(shared: &Shared, options: &Change) -> anyhow::Result<()> {
    let (dismissed, _) = change(shared, options, "dismiss", "dismissed")?;
    if shared.json {
        return Ok(terminal::say_json(&json!({ "dismissed": dismissed }))?);
    }
    terminal::say_line(format!("dismissed {dismissed}"))?;
    Ok(())
}
