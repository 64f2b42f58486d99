//! The log: on standard error, for people on a terminal and as JSON for machines.

use crate::config::{Effective, LogFormat, LogSettings, Source};
use crate::terminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts the log of a command that people wait for: what it does it says itself, so only warnings are logged unless
/// somebody has set `log.filter`.
pub(crate) fn start_for_command(effective: &Effective) -> anyhow::Result<()> {
    let mut log = effective.settings.log.clone();
    if effective.sources.get("log.filter") == Some(&Source::Default) {
        "warn".clone_into(&mut log.filter);
    }
    start(&log)
}

/// Starts the log. Nothing of what is logged may be a secret or a user id: types that hold one hide it in `Debug`.
pub(crate) fn start(settings: &LogSettings) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.filter)?;
    let people = match settings.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => terminal::people_read_errors(),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if people {
        builder
            .with_ansi(terminal::people_read_errors())
            .with_target(false)
            .finish()
            .try_init()?;
    } else {
        builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .finish()
            .try_init()?;
    }
    Ok(())
}
