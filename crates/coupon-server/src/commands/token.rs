//! `firstcome token`: a user's token, for trying things out.

use crate::cli::Shared;
use crate::terminal;
use crate::times::Length;
use crate::user_tokens::TokenMint;
use anyhow::{Context as _, ensure};
use clap::Args;
use coupon_core::UserId;
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(after_help = "\
The token is signed with the secret in the data directory, or with FIRSTCOME_JWT_SECRET. Whoever has it is
that user until it expires. In production the shop's login makes tokens with the same secret.

Examples:
  firstcome token --user alice
  TOKEN=$(firstcome token --user alice --ttl 10m)
  curl -X POST http://127.0.0.1:8080/v1/coupons/1/issues -H \"Authorization: Bearer $TOKEN\" \\
       -H 'Content-Type: application/json' -d '{}'")]
pub(crate) struct Options {
    /// The user's id, as the shop writes it
    #[arg(long)]
    user: String,

    /// How long the token is believed
    #[arg(long, value_name = "LENGTH", default_value = "1h")]
    ttl: Length,
}

pub(crate) fn run(shared: &Shared, options: &Options) -> anyhow::Result<ExitCode> {
    let settings = shared.settle(Vec::new())?.settings;
    let user = UserId::parse(options.user.as_str()).context("--user")?;
    let ttl_s = options
        .ttl
        .seconds()
        .context("--ttl must be in days or smaller units")?;
    ensure!(ttl_s >= 1, "--ttl must be at least one second");
    let token = TokenMint::of(&settings)?.token(user.as_str(), ttl_s)?;
    if shared.json {
        terminal::say_json(&json!({ "token": token, "userId": user.as_str(), "expiresInSeconds": ttl_s }))?;
    } else {
        terminal::say_line(token)?;
    }
    Ok(ExitCode::SUCCESS)
}
