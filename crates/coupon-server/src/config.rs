//! Settings: what can be set, where each value came from, and what it may be.
//!
//! Four sources are laid over each other, the first that speaks wins: flag, `FIRSTCOME_...` variable, file, default.
//! Names are the same everywhere: `[log] format` in the file is `--set log.format=...` on the command line and
//! `FIRSTCOME_LOG_FORMAT` in the environment. `firstcome.example.toml` describes every one to operators, and a test
//! holds it against this code.

mod authority;
mod database;
#[cfg(test)]
mod example;
mod http;
mod jobs;
mod journal;
mod kafka;
mod layers;
mod limits;
mod log;
mod mail;
mod redis;
mod secret;
mod shown;
mod shutdown;
mod store;
mod tokens;
mod webhooks;
mod work;

use authority::authorities;
pub(crate) use database::{DatabaseSettings, DefaultStrategy};
pub(crate) use http::HttpSettings;
use jobs::{JobsSettings, NotificationSettings, ReminderSettings};
pub(crate) use journal::JournalSettings;
pub(crate) use kafka::{KafkaAcks, KafkaMechanism, KafkaSettings};
pub(crate) use layers::{Effective, Layers, SettingFlag, Source, unknown_variables};
pub(crate) use limits::LimitSettings;
pub(crate) use log::{LogFormat, LogSettings};
pub(crate) use mail::MailSettings;
pub(crate) use redis::{RedisKind, RedisSettings};
use secret::KEPT_KEYS;
pub(crate) use secret::{SECRET_KEYS, Secret};
pub(crate) use shown::{shown_as_json, shown_as_toml};
pub(crate) use shutdown::ShutdownSettings;
pub(crate) use store::StoreSettings;
pub(crate) use tokens::{TokenAlgorithm, TokenSettings};
pub(crate) use webhooks::WebhookSettings;
pub(crate) use work::WorkSettings;

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Where it listens. Port 0 takes any free one. An address that others can reach exposes the service without
    /// TLS: put a proxy in front.
    pub(crate) listen: SocketAddr,
    /// Where journal, store and keys are kept. Belongs on a local disk: a network file system may lie about syncs.
    pub(crate) data_dir: PathBuf,
    /// The administrator's key instead of the one made at the first start. Too short is refused.
    pub(crate) admin_key: Secret,
    /// The secret that users' tokens are signed with, instead of the one made at the first start. Too short is
    /// refused.
    pub(crate) jwt_secret: Secret,
    /// From which the secrets of API keys are derived, instead of the seed made at the first start. Too short is
    /// refused.
    pub(crate) key_seed: Secret,
    /// Who decides a coupon that does not say: `auto` is the fastest that is offered. One that is not offered is
    /// refused.
    pub(crate) default_strategy: DefaultStrategy,
    /// Whether one of many servers repeats refusals for half a second after the ledger has given them. If not, the ledger
    /// decides every one: a change is never late, and a crowd that is too late costs as much as one that wins.
    pub(crate) refuse_from_memory: bool,
    pub(crate) http: HttpSettings,
    pub(crate) limits: LimitSettings,
    pub(crate) tokens: TokenSettings,
    pub(crate) journal: JournalSettings,
    pub(crate) store: StoreSettings,
    pub(crate) database: DatabaseSettings,
    pub(crate) redis: RedisSettings,
    pub(crate) kafka: KafkaSettings,
    pub(crate) work: WorkSettings,
    pub(crate) mail: MailSettings,
    pub(crate) webhooks: WebhookSettings,
    pub(crate) jobs: JobsSettings,
    pub(crate) reminders: ReminderSettings,
    pub(crate) notifications: NotificationSettings,
    pub(crate) shutdown: ShutdownSettings,
    pub(crate) log: LogSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data_dir: PathBuf::from("./data"),
            admin_key: Secret::default(),
            jwt_secret: Secret::default(),
            key_seed: Secret::default(),
            default_strategy: DefaultStrategy::default(),
            refuse_from_memory: true,
            http: HttpSettings::default(),
            limits: LimitSettings::default(),
            tokens: TokenSettings::default(),
            journal: JournalSettings::default(),
            store: StoreSettings::default(),
            database: DatabaseSettings::default(),
            redis: RedisSettings::default(),
            kafka: KafkaSettings::default(),
            work: WorkSettings::default(),
            mail: MailSettings::default(),
            webhooks: WebhookSettings::default(),
            jobs: JobsSettings::default(),
            reminders: ReminderSettings::default(),
            notifications: NotificationSettings::default(),
            shutdown: ShutdownSettings::default(),
            log: LogSettings::default(),
        }
    }
}

/// A value that may not be, although its type is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Which setting, as `section.name`.
    pub(crate) key: &'static str,
    /// What it must be.
    pub(crate) must: String,
}

/// Collects what is wrong with values.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Wrong>);

impl Findings {
    /// Finds `key` wrong unless `right`.
    pub(crate) fn expect(&mut self, right: bool, key: &'static str, must: impl Into<String>) {
        if !right {
            let must = must.into();
            self.0.push(Wrong { key, must });
        }
    }

    /// Finds `key` wrong unless it lies between the two ends, both included.
    pub(crate) fn expect_range(&mut self, value: u64, (least, most): (u64, u64), key: &'static str) {
        self.expect(
            (least..=most).contains(&value),
            key,
            format!("must lie between {least} and {most}"),
        );
    }
}

impl Settings {
    /// Everything that is wrong with the values.
    pub(crate) fn findings(&self) -> Vec<Wrong> {
        let mut findings = Findings::default();
        findings.expect(
            !self.data_dir.as_os_str().is_empty(),
            "data_dir",
            "must not be empty",
        );
        self.admin_key.check("admin_key", &mut findings);
        self.jwt_secret.check("jwt_secret", &mut findings);
        self.key_seed.check("key_seed", &mut findings);
        self.http.check(&mut findings);
        self.limits.check(&mut findings);
        self.tokens.check(&mut findings);
        self.journal.check(&mut findings);
        self.store.check(&mut findings);
        self.database.check(&mut findings);
        self.redis.check(&mut findings);
        self.kafka.check(&mut findings);
        self.work.check(&mut findings);
        self.mail.check(&mut findings);
        self.webhooks.check(&mut findings);
        self.jobs.check(&mut findings);
        self.reminders.check(&mut findings);
        self.notifications.check(&mut findings);
        findings.expect(
            !self.redis.is_set() || self.database.is_set(),
            "redis.addresses",
            "need database.url beside them: Redis decides, the database keeps the record",
        );
        findings.expect(
            !self.kafka.is_set() || self.redis.is_set() || self.kafka.tells(),
            "kafka.brokers",
            "need redis.addresses or kafka.notifications beside them: Kafka carries what Redis has decided, and \
             notifications",
        );
        findings.expect(
            self.default_strategy
                .is_offered(self.database.is_set(), self.redis.is_set()),
            "default_strategy",
            "must be offered: journal without database.url, database with it, redis-script and redis-lock with \
             redis.addresses as well",
        );
        self.shutdown.check(&mut findings);
        self.log.check(&mut findings);
        findings.0
    }
}
