//! `firstcome key`: API keys of services and administrators, over HTTP.

use crate::cli::Shared;
use crate::client::{AdminOptions, converse, escaped};
use crate::commands::cells::cell;
use crate::table::{Table, listing};
use crate::times::Moment;
use crate::{clock, terminal};
use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};
use std::process::ExitCode;

const PATH: &str = "/v1/admin/keys";
/// A name in the list is cut to no less, so that one key is told from another.
const NAME_COLUMNS: usize = 24;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes a key and prints it, once
    #[command(after_help = "\
Examples:
  firstcome key create --name shop --scope issue --scope redeem
  firstcome key create --name 'Kim, marketing' --scope admin --expires +90d
  KEY=$(firstcome key create --name shop --scope issue --json | jq -r .key)")]
    Create(Create),
    /// Lists every key without its secret, revoked ones too
    #[command(after_help = "Examples:\n  firstcome key list\n  firstcome key list --json")]
    List(List),
    /// Revokes a key for good; whoever uses it is refused from then on
    #[command(
        after_help = "Examples:\n  firstcome key revoke 4f1c2a9b7d3e5f60   (the id that `key list` shows)"
    )]
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What administrators call it
    #[arg(long)]
    name: String,

    /// What it may do: issue for any user, redeem for any user, or everything; may be repeated
    #[arg(long = "scope", value_enum, required = true)]
    scopes: Vec<Scope>,

    /// When it ends by itself; never when absent
    #[arg(long, value_name = "TIME")]
    expires: Option<Moment>,

    #[command(flatten)]
    admin: AdminOptions,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    admin: AdminOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The key's id, as `key list` shows it
    id: String,

    #[command(flatten)]
    admin: AdminOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scope {
    /// Issue for any user
    Issue,
    /// Redeem for any user
    Redeem,
    /// Everything
    Admin,
}

impl Scope {
    fn name(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Redeem => "redeem",
            Self::Admin => "admin",
        }
    }
}

pub(crate) fn run(shared: &Shared, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Create(options) => create(shared, &options)?,
        Command::List(options) => list(shared, &options)?,
        Command::Revoke(options) => revoke(shared, &options)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn create(shared: &Shared, options: &Create) -> anyhow::Result<()> {
    let client = options.admin.client(shared)?;
    let scopes: Vec<&str> = options.scopes.iter().map(|scope| scope.name()).collect();
    let expires = options.expires.as_ref();
    let expires = expires.map(|moment| moment.from(clock::now()).context("--expires"));
    let wanted = json!({ "name": options.name, "scopes": scopes, "expiresAt": expires.transpose()? });
    let made = converse(client.must(Method::POST, PATH, Some(&wanted)))?;
    if shared.json {
        return Ok(terminal::say_json(&made)?);
    }
    terminal::say(&listing(&[
        ("id", cell(&made, "id")),
        ("name", cell(&made, "name")),
        ("scopes", cell(&made, "scopes")),
        ("expires", cell(&made, "expiresAt")),
        ("key", cell(&made, "key")),
    ]))?;
    terminal::say_line("Keep the key now: it is not shown again. Send it as `Authorization: Bearer KEY`.")?;
    Ok(())
}

fn list(shared: &Shared, options: &List) -> anyhow::Result<()> {
    let client = options.admin.client(shared)?;
    let keys = converse(client.all(PATH, None))?;
    if shared.json {
        return Ok(terminal::say_json(&Value::Array(keys))?);
    }
    let mut table = Table::new(
        &["ID", "NAME", "SCOPES", "CREATED", "USED", "EXPIRES", "REVOKED"],
        1,
    )
    .at_least(NAME_COLUMNS);
    for key in &keys {
        let names = [
            "id",
            "name",
            "scopes",
            "createdAt",
            "lastUsedAt",
            "expiresAt",
            "revokedAt",
        ];
        table.row(names.iter().map(|name| cell(key, name)).collect());
    }
    Ok(terminal::say(&table.text())?)
}

fn revoke(shared: &Shared, options: &Revoke) -> anyhow::Result<()> {
    let client = options.admin.client(shared)?;
    let path = format!("{PATH}/{}/revoke", escaped(&options.id).collect::<String>());
    let answer = converse(client.must(Method::POST, &path, None))?;
    if shared.json {
        return Ok(terminal::say_json(&answer)?);
    }
    terminal::say_line(format!("revoked {}", options.id))?;
    Ok(())
}
