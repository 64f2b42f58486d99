//! The command line: which commands there are, and the options that several share.

use crate::commands::{
    audit_log, backup, config, coupon, dead_letters, healthcheck, jobs, key, migrate, notification, openapi,
    rehearse, restore, serve, token, verify, webhook, work,
};
use crate::config::{Effective, Layers, SettingFlag};
use crate::environment;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

const ABOUT: &str = "\
Issues limited coupons, first come, first served: exactly as many as there are, one per user, durably.
선착순 쿠폰 발급 서비스: 정해진 수량만, 한 사람에게 한 장씩, 안전하게 발급합니다.";

const EXAMPLES: &str = "\
Try it out, each line in a terminal of its own or one after the other:
  firstcome serve
  firstcome coupon create --name 'Grand opening' --quantity 100 --opens now --closes +1h --valid-for 30d
  TOKEN=$(firstcome token --user alice)
  curl -X POST http://127.0.0.1:8080/v1/coupons/1/issues -H \"Authorization: Bearer $TOKEN\" \\
       -H 'Content-Type: application/json' -d '{}'
  firstcome coupon show 1
  firstcome rehearse --self

Settings come from flags, then FIRSTCOME_... variables, then the file named by --config, then defaults;
`firstcome config show` lists them with their sources. Commands exit with 0 when they did what they were
asked, 1 when not, and 2 when the command line was wrong.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "firstcome", version, about = ABOUT, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Shared {
    /// The configuration file; firstcome.example.toml describes it
    #[arg(long, global = true, value_name = "FILE", env = "FIRSTCOME_CONFIG")]
    config: Option<PathBuf>,

    /// The data directory [env: FIRSTCOME_DATA_DIR] [default: ./data]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Sets any setting but secrets, as in --set log.filter=debug
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,

    /// Answers as JSON, for programs; a failure as an object with `error` on standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the service: API and documentation; alone, or as one of many servers
    Serve(serve::Options),
    /// Brings what Redis has decided to the database, as one of any number of workers
    Work(work::Options),
    /// Makes or updates what many servers share: the database's tables, and the topics of Kafka
    Migrate(migrate::Options),
    /// Creates, lists and steers coupons on a running server
    #[command(subcommand)]
    Coupon(coupon::Command),
    /// Makes, lists and revokes API keys on a running server
    #[command(subcommand)]
    Key(key::Command),
    /// Makes, lists and steers webhooks on a running server
    #[command(subcommand)]
    Webhook(webhook::Command),
    /// Shows what people are told
    #[command(subcommand)]
    Notification(notification::Command),
    /// Runs jobs by hand: expiry, reminders, deliveries
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// Lists, replays and dismisses what could not be taken where it was brought
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    /// Tells what administrators did on a running server
    #[command(subcommand)]
    AuditLog(audit_log::Command),
    /// Makes a user's token (JWT), for trying things out
    Token(token::Options),
    /// Plays a sale against a server and gives a verdict on what it answered
    Rehearse(Box<rehearse::Options>),
    /// Audits what a server, or a data directory at rest, holds
    Verify(verify::Options),
    /// Saves everything into one file, while the server runs or not
    Backup(backup::Options),
    /// Makes a new data directory from a backup
    Restore(restore::Options),
    /// Prints the OpenAPI document of the HTTP interface
    Openapi(openapi::Options),
    /// Shows the settings in force
    #[command(subcommand)]
    Config(config::Command),
    /// Exits with 0 if the server is ready and 1 if not; for containers
    Healthcheck(healthcheck::Options),
}

impl Cli {
    /// Runs the command.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let shared = &self.shared;
        match self.command {
            Command::Serve(options) => serve::run(shared, &options),
            Command::Work(options) => work::run(shared, &options),
            Command::Migrate(options) => migrate::run(shared, &options),
            Command::Coupon(command) => coupon::run(shared, command),
            Command::Key(command) => key::run(shared, command),
            Command::Webhook(command) => webhook::run(shared, command),
            Command::Notification(command) => notification::run(shared, &command),
            Command::Jobs(command) => jobs::run(shared, &command),
            Command::DeadLetters(command) => dead_letters::run(shared, command),
            Command::AuditLog(command) => audit_log::run(shared, command),
            Command::Token(options) => token::run(shared, &options),
            Command::Rehearse(options) => rehearse::run(shared, &options),
            Command::Verify(options) => verify::run(shared, &options),
            Command::Backup(options) => backup::run(shared, &options),
            Command::Restore(options) => restore::run(shared, &options),
            Command::Openapi(options) => openapi::run(shared, &options),
            Command::Config(command) => config::run(shared, &command),
            Command::Healthcheck(options) => healthcheck::run(shared, &options),
        }
    }
}

impl Shared {
    /// The arguments that give another process of this program the same settings, its data directory excepted.
    pub(crate) fn forwarded(&self) -> Vec<String> {
        let file = self
            .config
            .iter()
            .map(|file| format!("--config={}", file.display()));
        let set = self
            .settings
            .iter()
            .map(|(key, value)| format!("--set={key}={value}"));
        file.chain(set).collect()
    }

    /// The settings in force, with what a command's own flags set.
    pub(crate) fn settle(&self, own: Vec<SettingFlag>) -> anyhow::Result<Effective> {
        let mut flags: Vec<SettingFlag> = self
            .settings
            .iter()
            .map(|(key, value)| SettingFlag {
                flag: "--set",
                key: key.clone(),
                value: value.clone(),
            })
            .collect();
        flags.extend(self.data_dir.as_ref().map(|directory| SettingFlag {
            flag: "--data-dir",
            key: "data_dir".to_owned(),
            value: directory.to_string_lossy().into_owned(),
        }));
        flags.extend(own);
        let layers = Layers {
            file: self.config.clone(),
            flags,
        };
        Ok(layers.settle(environment::variable)?)
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("a setting is written KEY=VALUE, such as log.filter=debug")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
