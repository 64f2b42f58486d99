//! `firstcome healthcheck`: is the server ready? For containers and scripts.

use crate::cli::Shared;
use crate::client::{Client, ServerOptions, converse};
use crate::terminal;
use anyhow::Context as _;
use clap::Args;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// Shorter than the 30 s that container platforms give a check.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  firstcome healthcheck
  firstcome healthcheck --server http://10.0.0.7:8080
  HEALTHCHECK CMD [\"firstcome\", \"healthcheck\"]        (in a Dockerfile)")]
pub(crate) struct Options {
    #[command(flatten)]
    server: ServerOptions,
}

pub(crate) fn run(shared: &Shared, options: &Options) -> anyhow::Result<ExitCode> {
    let settings = shared.settle(Vec::new())?.settings;
    let client = Client::new(options.server.base_url(&settings)?, None)?;
    let answered = converse(async {
        tokio::time::timeout(ANSWER_WITHIN, client.ask(Method::GET, "/readyz", None))
            .await
            .with_context(|| format!("the server did not answer within {} s", ANSWER_WITHIN.as_secs()))?
    })?;
    let ready = answered.status == StatusCode::OK;
    if shared.json {
        terminal::say_json(
            &json!({ "ready": ready, "status": answered.status.as_u16(), "answer": answered.body }),
        )?;
    } else if ready {
        terminal::say_line("ready")?;
    } else {
        terminal::say_line(format!(
            "not ready ({}): {}",
            answered.status.as_u16(),
            reasons(&answered.body)
        ))?;
    }
    Ok(if ready {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What the checks that fail say.
fn reasons(body: &Value) -> String {
    let checks = body
        .get("checks")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let failing =
        checks.filter_map(|(name, check)| Some(format!("{name}: {}", check.get("reason")?.as_str()?)));
    let said = failing.collect::<Vec<_>>().join("; ");
    if said.is_empty() { body.to_string() } else { said }
}
