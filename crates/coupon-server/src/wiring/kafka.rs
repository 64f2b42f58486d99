//! Kafka as this configuration wants it, and who looks at it.

use super::{Engines, redis_options};
use crate::config::{KafkaAcks, KafkaMechanism, KafkaSettings, Settings};
use anyhow::Context as _;
use coupon_app::{DeadLetterOffice, DeliveryStore};
use coupon_http::Remarks;
use coupon_worker::Publishing;
use events_kafka::{Acks, KafkaFeed, KafkaOptions, Login, Mechanism, Tls, TopicPlan, WorkerOptions};
use ledger_redis::RedisLetters;
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use store_mysql::QuarantineOffice;

/// The group of the streams whose workers vouch that the store has an entry.
pub(crate) const STORE_GROUP: &str = "store";
/// The group of the streams whose workers publish.
pub(crate) const FEED_GROUP: &str = "feed";
/// How often a server looks at the settings of topics.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// How Kafka is reached; `None` when there is none.
pub(crate) fn kafka_options(settings: &KafkaSettings) -> anyhow::Result<Option<KafkaOptions>> {
    if !settings.is_set() {
        return Ok(None);
    }
    let password = settings.password.get();
    let login = password.map(|password| Login {
        mechanism: match settings.mechanism {
            KafkaMechanism::Plain => Mechanism::Plain,
            KafkaMechanism::ScramSha256 => Mechanism::ScramSha256,
            KafkaMechanism::ScramSha512 => Mechanism::ScramSha512,
        },
        user: settings.user.clone(),
        password,
    });
    let mut options = KafkaOptions::at(settings.brokers.clone());
    options.login = login;
    options.tls = settings.tls.then(|| tls(settings)).transpose()?;
    options.topic.clone_from(&settings.topic);
    options.dead_letters.clone_from(&settings.dead_letters);
    options.notifications.clone_from(&settings.notifications);
    options.source.clone_from(&settings.source);
    options.acks = match settings.acks {
        KafkaAcks::All => Acks::All,
        KafkaAcks::Leader => Acks::Leader,
    };
    options.publish_timeout = Duration::from_millis(settings.publish_timeout_ms);
    options.request_timeout = Duration::from_millis(settings.request_timeout_ms);
    options.declared = settings.declared();
    Ok(Some(options))
}

fn tls(settings: &KafkaSettings) -> anyhow::Result<Tls> {
    let read = |file: &String| fs::read_to_string(file).with_context(|| format!("cannot read {file}"));
    let authority = &settings.tls_authority_file;
    let authority = (!authority.is_empty()).then(|| read(authority)).transpose()?;
    let client = if settings.tls_certificate_file.is_empty() {
        None
    } else {
        let key = read(&settings.tls_key_file)?;
        Some((read(&settings.tls_certificate_file)?, key.into()))
    };
    Ok(Tls { authority, client })
}

/// How a worker takes part.
pub(crate) fn member_options(settings: &KafkaSettings, name: &str) -> WorkerOptions {
    WorkerOptions {
        name: format!("firstcome-{name}"),
        session_timeout: Duration::from_millis(settings.session_timeout_ms),
        ..WorkerOptions::of(settings.group.clone())
    }
}

/// What topics are made like.
pub(crate) fn topic_plan(settings: &KafkaSettings) -> TopicPlan {
    TopicPlan {
        partitions: settings.partitions,
        replicas: settings.replicas,
        min_insync: settings.min_insync_replicas,
        retention: Duration::from_secs(settings.retention_hours.saturating_mul(3_600)),
    }
}

/// Every place where an issue may lie that could not be taken, with its word.
pub(crate) fn dead_letters(
    settings: &Settings,
    engines: &Engines,
) -> anyhow::Result<Vec<(&'static str, Arc<dyn DeadLetterOffice>)>> {
    let quarantine = QuarantineOffice::of(engines.store.as_ref().clone());
    let mut offices: Vec<(&'static str, Arc<dyn DeadLetterOffice>)> =
        vec![("quarantine", Arc::new(quarantine))];
    let kafka = kafka_options(&settings.kafka)?;
    if settings.redis.is_set() {
        let store: Arc<dyn DeliveryStore> = Arc::clone(&engines.store) as _;
        let mut targets = vec![(STORE_GROUP.to_owned(), store)];
        if let Some(options) = &kafka {
            let feed = Arc::new(KafkaFeed::new(options.clone()));
            targets.push((FEED_GROUP.to_owned(), Arc::new(Publishing::new(feed))));
        }
        let options = redis_options(&settings.redis)?;
        let office = RedisLetters::new(options, targets, engines.handle().clone());
        offices.push(("stream", Arc::new(office)));
    }
    if let Some(options) = kafka {
        let office = events_kafka::DeadLetters::new(options, &settings.kafka.group);
        offices.push(("kafka", Arc::new(office)));
    }
    Ok(offices)
}

/// Tells on a server's readiness which settings of Kafka are weak. Brokers that cannot be reached are the workers'
/// trouble: servers issue without them, and what they issue waits in the stream.
pub(crate) fn watch(settings: &Settings, engines: &Engines, remarks: Remarks) -> anyhow::Result<()> {
    let Some(options) = kafka_options(&settings.kafka)? else {
        return Ok(());
    };
    let feed = KafkaFeed::new(options);
    engines.handle().spawn(async move {
        loop {
            match feed.weaknesses().await {
                Ok(weak) => remarks.set("kafka", (!weak.is_empty()).then(|| weak.join("; "))),
                Err(error) => tracing::debug!(%error, "the settings of Kafka were not looked at"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    Ok(())
}
