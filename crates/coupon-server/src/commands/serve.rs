//! `firstcome serve`: the whole service in one process.

use crate::cli::Shared;
use crate::config::{LogFormat, SettingFlag};
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(after_help = "\
The first start makes the data directory, an administrator's key (shown once) and a secret for users' tokens. Stop
with Ctrl+C or SIGTERM: what was accepted is answered first. A second signal ends it at once.

It speaks plain HTTP. Where others can reach it, put a proxy with TLS in front and name that in http.trusted_proxies.

Examples:
  firstcome serve
  firstcome serve --listen 0.0.0.0:8080 --data-dir /var/lib/firstcome --log-format json
  FIRSTCOME_ADMIN_KEY=$(openssl rand -hex 32) firstcome serve --config firstcome.toml
  firstcome serve --listen 127.0.0.1:0 --set limits.issues_per_second_and_user=2")]
pub(crate) struct Options {
    /// The address and port; port 0 takes a free one [env: FIRSTCOME_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,

    /// How log lines look [env: FIRSTCOME_LOG_FORMAT] [default: auto]
    #[arg(long, value_enum, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

impl Options {
    fn flags(&self) -> Vec<SettingFlag> {
        let listen = self.listen.as_ref().map(|address| SettingFlag {
            flag: "--listen",
            key: "listen".to_owned(),
            value: address.clone(),
        });
        let log_format = self.log_format.map(|format| SettingFlag {
            flag: "--log-format",
            key: "log.format".to_owned(),
            value: format.name().to_owned(),
        });
        listen.into_iter().chain(log_format).collect()
    }
}

pub(crate) fn run(shared: &Shared, options: &Options) -> anyhow::Result<ExitCode> {
    let _settings = shared.settle(options.flags())?.settings;
    anyhow::bail!("being built")
}
