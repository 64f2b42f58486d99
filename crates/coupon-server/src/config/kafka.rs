//! Settings of Kafka.

use super::{Findings, Secret};
use anyhow::Context as _;
use coupon_app::Patience;
use events_kafka::Setting;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How Kafka is reached, what stands where, and what is asked of it. Without brokers there is none, and workers bring
/// what Redis has decided to the database directly.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct KafkaSettings {
    /// `host:port` of some of the brokers; the others are found through them.
    pub(crate) brokers: Vec<String>,
    /// The topic of what was decided.
    pub(crate) topic: String,
    /// The topic of dead letters.
    pub(crate) dead_letters: String,
    /// The topic of notifications; empty for none.
    pub(crate) notifications: String,
    /// The group of the workers that write to the database. Two installations that share a topic need two.
    pub(crate) group: String,
    /// What events name as their source. Two installations that share a topic need two.
    pub(crate) source: String,
    /// The user, if brokers ask for one; empty for none.
    pub(crate) user: String,
    /// The password; a secret.
    pub(crate) password: Secret,
    /// How the password is proved.
    pub(crate) mechanism: KafkaMechanism,
    /// Whether TLS is spoken.
    pub(crate) tls: bool,
    /// The authority to trust, as a PEM file; empty for the system's.
    pub(crate) tls_authority_file: String,
    /// Our own certificate, as a PEM file; empty for none.
    pub(crate) tls_certificate_file: String,
    /// Its key, as a PEM file.
    pub(crate) tls_key_file: String,
    /// Who must have a record before it counts as published.
    pub(crate) acks: KafkaAcks,
    /// How long a record may take until it is on the topic. Too low makes publishing fail that a change of leaders
    /// would have let pass; too high holds up what comes behind.
    pub(crate) publish_timeout_ms: u64,
    /// How long a question to the brokers may take. Too low makes a busy broker look like one that is away.
    pub(crate) request_timeout_ms: u64,
    /// After how long without a sign of life a worker's partitions go to others. Too low moves them for a pause; too
    /// high makes those of a dead worker wait.
    pub(crate) session_timeout_ms: u64,
    /// After how long an issue that Kafka has not brought to the database is brought there directly. Too low carries
    /// twice what Kafka would still have brought; too high makes an outage of Kafka felt for longer.
    pub(crate) overdue_after_ms: u64,
    /// The waits between attempts to put a notification onto its topic, in seconds; none: one attempt.
    pub(crate) retry_s: Vec<u32>,
    /// Partitions of the topic, where `firstcome migrate` makes it: at most so many workers share the work.
    pub(crate) partitions: u16,
    /// Brokers that keep each record, where `firstcome migrate` makes the topics.
    pub(crate) replicas: u16,
    /// Of these, how many must have a record before it counts as published.
    pub(crate) min_insync_replicas: u16,
    /// How long records are kept, where `firstcome migrate` makes the topic. Must be longer than the longest outage of
    /// the database.
    pub(crate) retention_hours: u64,
    /// Settings of topics and producer that the operator answers for, because they cannot be read or are weaker on
    /// purpose.
    pub(crate) declared: Vec<String>,
}

/// How a password is proved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KafkaMechanism {
    /// The password itself: only over TLS.
    Plain,
    /// Salted challenge and response.
    ScramSha256,
    /// The same with a longer hash.
    #[default]
    ScramSha512,
}

/// Who must have a record before it counts as published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KafkaAcks {
    /// Every replica in sync.
    #[default]
    All,
    /// The leader alone.
    Leader,
}

impl Default for KafkaSettings {
    fn default() -> Self {
        Self {
            brokers: Vec::new(),
            topic: "firstcome.issued".to_owned(),
            dead_letters: "firstcome.issued.dlq".to_owned(),
            notifications: "firstcome.notifications".to_owned(),
            group: "firstcome.store".to_owned(),
            source: "/firstcome".to_owned(),
            user: String::new(),
            password: Secret::default(),
            mechanism: KafkaMechanism::default(),
            tls: false,
            tls_authority_file: String::new(),
            tls_certificate_file: String::new(),
            tls_key_file: String::new(),
            acks: KafkaAcks::default(),
            publish_timeout_ms: 30_000,
            request_timeout_ms: 10_000,
            session_timeout_ms: 10_000,
            overdue_after_ms: 30_000,
            retry_s: vec![
                1, 5, 30, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400,
            ],
            partitions: 12,
            replicas: 3,
            min_insync_replicas: 2,
            retention_hours: 168,
            declared: Vec::new(),
        }
    }
}

/// What the declared settings are called here: as Kafka calls them, without spaces.
fn setting_name(setting: Setting) -> String {
    setting.name().replace(' ', ".")
}

impl KafkaSettings {
    /// Whether there is one.
    pub(crate) fn is_set(&self) -> bool {
        !self.brokers.is_empty()
    }

    /// Whether notifications go there.
    pub(crate) fn tells(&self) -> bool {
        self.is_set() && !self.notifications.is_empty()
    }

    /// The waits between attempts to put a notification onto its topic.
    pub(crate) fn patience(&self) -> anyhow::Result<Patience> {
        notify::patience(&self.retry_s).context("kafka.retry_s")
    }

    /// The declared settings.
    pub(crate) fn declared(&self) -> Vec<Setting> {
        let named = |name: &String| Setting::ALL.into_iter().find(|one| setting_name(*one) == *name);
        self.declared.iter().filter_map(named).collect()
    }

    /// After how long an issue is brought directly.
    pub(crate) fn overdue_after(&self) -> Duration {
        Duration::from_millis(self.overdue_after_ms)
    }

    pub(super) fn check(&self, findings: &mut Findings) {
        let address = |text: &String| {
            text.rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        findings.expect(
            self.brokers.iter().all(address),
            "kafka.brokers",
            "must be host:port each",
        );
        self.check_names(findings);
        self.check_security(findings);
        let time = (100, 300_000);
        findings.expect_range(self.publish_timeout_ms, time, "kafka.publish_timeout_ms");
        findings.expect_range(self.request_timeout_ms, time, "kafka.request_timeout_ms");
        findings.expect_range(
            self.session_timeout_ms,
            (6_000, 300_000),
            "kafka.session_timeout_ms",
        );
        findings.expect_range(self.overdue_after_ms, (100, 3_600_000), "kafka.overdue_after_ms");
        findings.expect_range(self.partitions.into(), (1, 1_000), "kafka.partitions");
        findings.expect_range(self.replicas.into(), (1, 100), "kafka.replicas");
        let replicas = (1, u64::from(self.replicas.max(1)));
        findings.expect_range(
            self.min_insync_replicas.into(),
            replicas,
            "kafka.min_insync_replicas",
        );
        findings.expect_range(self.retention_hours, (1, 87_600), "kafka.retention_hours");
        if let Err(error) = notify::patience(&self.retry_s) {
            findings.expect(false, "kafka.retry_s", format!("must have {error}"));
        }
        let names = Setting::ALL.map(setting_name);
        findings.expect(
            self.declared.iter().all(|name| names.contains(name)),
            "kafka.declared",
            format!("must name some of {}", names.join(", ")),
        );
    }

    fn check_names(&self, findings: &mut Findings) {
        let of_a_topic = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        for (key, name) in [
            ("kafka.topic", &self.topic),
            ("kafka.dead_letters", &self.dead_letters),
            ("kafka.group", &self.group),
        ] {
            findings.expect(
                (1..=200).contains(&name.len()) && name.bytes().all(of_a_topic),
                key,
                "must be 1 to 200 letters, digits, dots, dashes and underscores",
            );
        }
        findings.expect(
            self.notifications.len() <= 200
                && self.notifications.bytes().all(of_a_topic)
                && ![&self.topic, &self.dead_letters].contains(&&self.notifications),
            "kafka.notifications",
            "must be empty, or 1 to 200 letters, digits, dots, dashes and underscores, and a topic of its own",
        );
        findings.expect(
            self.topic != self.dead_letters,
            "kafka.dead_letters",
            "must be another topic than kafka.topic",
        );
        findings.expect(
            (1..=200).contains(&self.source.len()) && self.source.bytes().all(|byte| byte.is_ascii_graphic()),
            "kafka.source",
            "must be 1 to 200 visible ASCII characters",
        );
    }

    fn check_security(&self, findings: &mut Findings) {
        findings.expect(
            self.user.is_empty() == self.password.get().is_none(),
            "kafka.user",
            "and kafka.password must be set together",
        );
        findings.expect(
            self.tls || self.user.is_empty() || self.mechanism != KafkaMechanism::Plain,
            "kafka.mechanism",
            "must not be plain without kafka.tls: it sends the password itself",
        );
        findings.expect(
            self.tls_certificate_file.is_empty() == self.tls_key_file.is_empty(),
            "kafka.tls_key_file",
            "and kafka.tls_certificate_file must be set together",
        );
        let files = [
            &self.tls_authority_file,
            &self.tls_certificate_file,
            &self.tls_key_file,
        ];
        findings.expect(
            self.tls || files.iter().all(|file| file.is_empty()),
            "kafka.tls",
            "must be true when files for it are named",
        );
        findings.expect(
            cfg!(feature = "kafka-tls") || !self.tls && self.user.is_empty(),
            "kafka.tls",
            "and kafka.user need a build with the cargo feature kafka-tls, and OpenSSL",
        );
    }
}
