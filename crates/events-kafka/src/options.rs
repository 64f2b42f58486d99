//! How to reach Kafka, what stands where, and what the operator has declared.

use crate::health::Setting;
use secrecy::SecretString;
use std::time::Duration;

/// How a feed, a worker or a command reaches Kafka.
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    /// Some of the brokers, `host:port`. The others are found through them.
    pub brokers: Vec<String>,
    /// TLS to the brokers, if they ask for it. Needs the feature `tls`.
    pub tls: Option<Tls>,
    /// User and password, if they ask for them.
    pub login: Option<Login>,
    /// The topic of what was decided.
    pub topic: String,
    /// The topic of dead letters.
    pub dead_letters: String,
    /// The topic of notifications.
    pub notifications: String,
    /// What events name as their source, a URI reference. Two installations that share a topic need two.
    pub source: String,
    /// Who must have a record before it counts as published.
    pub acks: Acks,
    /// How long a record may take until it is on the topic, repetitions included. Shorter makes more publishing fail
    /// that a change of leaders would have let pass; longer holds up what comes behind.
    pub publish_timeout: Duration,
    /// How long a question to the cluster may take.
    pub request_timeout: Duration,
    /// How often the settings that the promise rests on are looked at.
    pub probe_every: Duration,
    /// Settings that the operator answers for, because they cannot be read or are weaker on purpose.
    pub declared: Vec<Setting>,
}

impl KafkaOptions {
    /// Everything as usual, at these brokers.
    pub fn at(brokers: Vec<String>) -> Self {
        Self {
            brokers,
            tls: None,
            login: None,
            topic: "firstcome.issued".to_owned(),
            dead_letters: "firstcome.issued.dlq".to_owned(),
            notifications: "firstcome.notifications".to_owned(),
            source: "/firstcome".to_owned(),
            acks: Acks::All,
            publish_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(10),
            probe_every: Duration::from_secs(30),
            declared: Vec::new(),
        }
    }
}

/// Who must have a record before it counts as published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// Every replica in sync, `min.insync.replicas` of them at least; repetitions are told apart by the broker.
    All,
    /// The leader alone: what it took and nobody else has is lost with it. Weak, so it must be declared.
    Leader,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Login {
    /// How the password is proved.
    pub mechanism: Mechanism,
    /// The user.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// How a password is proved (SASL).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// The password itself: only over TLS.
    Plain,
    /// Salted challenge and response. Needs the feature `tls`.
    ScramSha256,
    /// The same with a longer hash.
    ScramSha512,
}

/// TLS, by OpenSSL. Certificates and keys are PEM.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Whom to trust; `None` for the system's authorities.
    pub authority: Option<String>,
    /// Our own certificate and key, if brokers ask for them.
    pub client: Option<(String, SecretString)>,
}

/// How one worker takes part.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// The group: all workers of one group share the partitions.
    pub group: String,
    /// This worker's name in the brokers' logs.
    pub name: String,
    /// After how long without a sign of life a worker's partitions go to others. Shorter moves them for a pause;
    /// longer makes those of a dead worker wait.
    pub session_timeout: Duration,
    /// After how long in the hands of this worker's caller a record is handed out again. Shorter hands records out
    /// twice while the store is merely slow.
    pub hand_again_after: Duration,
}

impl WorkerOptions {
    /// Everything as usual, in this group.
    pub fn of(group: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            name: "firstcome".to_owned(),
            session_timeout: Duration::from_secs(10),
            hand_again_after: Duration::from_secs(60),
        }
    }
}

/// What topics are made like, where they do not exist.
#[derive(Clone, Debug)]
pub struct TopicPlan {
    /// Partitions of the topic: at most so many workers of one group share the work. Can be raised later.
    pub partitions: u16,
    /// Brokers that keep each record. Fewer than three let no broker fail without publishing coming to a halt.
    pub replicas: u16,
    /// Of these, how many must have a record before it counts as published.
    pub min_insync: u16,
    /// How long records are kept, at the least. It must be longer than the longest outage of the store.
    pub retention: Duration,
}

impl Default for TopicPlan {
    fn default() -> Self {
        Self {
            partitions: 12,
            replicas: 3,
            min_insync: 2,
            retention: Duration::from_secs(7 * 86_400),
        }
    }
}
