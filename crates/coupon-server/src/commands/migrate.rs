//! `firstcome migrate`: makes or updates what many servers share: the tables of the database, the topics of Kafka.

use crate::cli::Shared;
use crate::client::converse;
use crate::wiring::{database_url, kafka_options, topic_plan};
use crate::{telemetry, terminal};
use anyhow::Context as _;
use clap::Args;
use std::process::ExitCode;
use store_mysql::MysqlStore;

#[derive(Debug, Args)]
#[command(after_help = "\
Run it before servers and workers of a new version start; they refuse to start on tables of another version. Doing it
again is harmless, also by several at once. With kafka.brokers set it makes the topics that do not exist; without a
database that is the topic of notifications alone.

Example:
  FIRSTCOME_DATABASE_URL=mysql://shop:secret@127.0.0.1/shop firstcome migrate")]
pub(crate) struct Options {}

pub(crate) fn run(shared: &Shared, _options: &Options) -> anyhow::Result<ExitCode> {
    let settings = shared.settle(Vec::new())?.settings;
    telemetry::start(&settings.log)?;
    // A server that works alone has its own tables, but its notifications may go to Kafka.
    let alone = !settings.database.is_set() && settings.kafka.tells();
    if !alone {
        let url = database_url(&settings)?;
        converse(async {
            MysqlStore::migrate(&url)
                .await
                .context("cannot migrate the database")
        })?;
        terminal::say_line("the tables are up to date")?;
    }
    if let Some(kafka) = kafka_options(&settings.kafka)? {
        let plan = topic_plan(&settings.kafka);
        let made = converse(async {
            let making = if alone {
                events_kafka::create_notifications_topic(&kafka, &plan).await
            } else {
                events_kafka::create_topics(&kafka, &plan).await
            };
            making.context("cannot make the topics (kafka.brokers)")
        })?;
        for one in made {
            let how = if one.fresh {
                "was made"
            } else {
                "is there; left as it is"
            };
            terminal::say_line(format!("topic {} {how}", one.topic))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
