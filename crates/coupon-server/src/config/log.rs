//! Settings of the log.

use super::Findings;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// What is logged, and how it looks. The log goes to standard error.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogSettings {
    /// `auto` is `human` on a terminal and `json` elsewhere.
    pub(crate) format: LogFormat,
    /// Which events, in tracing's filter syntax (`warn`, `info,coupon_http=debug`). Too high a level hides why
    /// something was refused; too low (`debug`, `trace`) costs throughput.
    pub(crate) filter: String,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    /// Human on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line, for machines.
    Json,
}

impl LogFormat {
    /// Its written form.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Human => "human",
            Self::Json => "json",
        }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::Auto,
            filter: "info".to_owned(),
        }
    }
}

impl LogSettings {
    pub(super) fn check(&self, findings: &mut Findings) {
        findings.expect(
            EnvFilter::try_new(&self.filter).is_ok(),
            "log.filter",
            "must be a filter such as info or info,coupon_http=debug",
        );
    }
}
