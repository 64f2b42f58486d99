//! The settings of clients, and where what they say goes.

use crate::limits::{MAX_FETCHED_KIB, MAX_QUEUE_KIB, MAX_RECORD_BYTES, MAX_UNANSWERED};
use crate::options::{Acks, KafkaOptions, Mechanism, WorkerOptions};
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use secrecy::ExposeSecret as _;

/// Says what the library says where our own words go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Voice;

/// A line of the library's log.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, line: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => tracing::warn!(facility, line, "Kafka client"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            tracing::debug!(facility, line, "Kafka client");
        }
    }
}

/// An error that belongs to no call: the library tries again by itself.
pub(crate) fn error(error: &KafkaError, reason: &str) {
    tracing::debug!(%error, reason, "Kafka client");
}

impl ClientContext for Voice {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log(level, facility, line);
    }

    fn error(&self, trouble: KafkaError, reason: &str) {
        error(&trouble, reason);
    }
}

impl ConsumerContext for Voice {}

fn millis(duration: std::time::Duration) -> String {
    duration.as_millis().to_string()
}

/// What every client needs.
pub(crate) fn base(options: &KafkaOptions) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", options.brokers.join(","))
        .set("client.id", "firstcome")
        .set("topic.metadata.refresh.interval.ms", "30000")
        .set("reconnect.backoff.max.ms", "1000")
        .set_log_level(RDKafkaLogLevel::Info);
    let protocol = match (&options.tls, &options.login) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    if let Some(tls) = &options.tls {
        if let Some(authority) = &tls.authority {
            config.set("ssl.ca.pem", authority);
        }
        if let Some((certificate, key)) = &tls.client {
            config
                .set("ssl.certificate.pem", certificate)
                .set("ssl.key.pem", key.expose_secret());
        }
    }
    if let Some(login) = &options.login {
        let mechanism = match login.mechanism {
            Mechanism::Plain => "PLAIN",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha512 => "SCRAM-SHA-512",
        };
        config
            .set("sasl.mechanism", mechanism)
            .set("sasl.username", &login.user)
            .set("sasl.password", login.password.expose_secret());
    }
    config
}

/// A producer that repeats by itself, and whose repetitions the broker tells apart.
pub(crate) fn producer(options: &KafkaOptions) -> ClientConfig {
    let (acks, idempotence) = match options.acks {
        Acks::All => ("all", "true"),
        Acks::Leader => ("1", "false"),
    };
    let mut config = base(options);
    config
        .set("acks", acks)
        .set("enable.idempotence", idempotence)
        .set("message.timeout.ms", millis(options.publish_timeout))
        .set("linger.ms", "2")
        .set("compression.type", "lz4")
        .set("partitioner", "murmur2_random")
        .set("message.max.bytes", MAX_RECORD_BYTES.to_string())
        .set("queue.buffering.max.messages", (2 * MAX_UNANSWERED).to_string())
        .set("queue.buffering.max.kbytes", MAX_QUEUE_KIB.to_string());
    config
}

/// A consumer that commits only what it is told to, and begins at the beginning.
pub(crate) fn consumer(options: &KafkaOptions, group: &str) -> ClientConfig {
    let mut config = base(options);
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false")
        .set("fetch.wait.max.ms", "100")
        .set("fetch.message.max.bytes", MAX_RECORD_BYTES.to_string())
        .set("queued.max.messages.kbytes", MAX_FETCHED_KIB.to_string())
        .set("socket.timeout.ms", millis(options.request_timeout));
    config
}

/// The same as a member of its group.
pub(crate) fn member(options: &KafkaOptions, worker: &WorkerOptions) -> ClientConfig {
    let mut config = consumer(options, &worker.group);
    config
        .set("client.id", &worker.name)
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", millis(worker.session_timeout))
        .set("heartbeat.interval.ms", millis(worker.session_timeout / 4))
        .set("topic.metadata.refresh.interval.ms", "5000");
    config
}
