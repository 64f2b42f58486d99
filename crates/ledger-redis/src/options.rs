//! How to reach Redis, and what the operator has declared.

use crate::health::Setting;
use crate::identity::Identity;
use secrecy::SecretString;
use std::time::Duration;

/// How a ledger, a worker or a lock reaches Redis.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// Where it is.
    pub target: Target,
    /// User and password, if it asks for them.
    pub login: Option<Login>,
    /// User and password at the sentinels, if those ask for them. They have users of their own.
    pub sentinel_login: Option<Login>,
    /// TLS to the servers, if they ask for it.
    pub tls: Option<Tls>,
    /// What every key begins with. Two installations that share a server need two.
    pub prefix: Box<str>,
    /// How long a connection may take to come about. Longer holds up the first batch after an outage; shorter fails on
    /// slow networks.
    pub connect_timeout: Duration,
    /// How long a reply may take before its batch is indeterminate. Longer keeps users waiting; shorter makes answers
    /// indeterminate that a busy disk would still have given.
    pub response_timeout: Duration,
    /// How often settings, role and identity of the servers are looked at.
    pub probe_every: Duration,
    /// How often the board is brought up to date with what other servers did.
    pub refresh_every: Duration,
    /// Settings that the operator answers for, because they cannot be read or are weaker on purpose.
    pub declared: Vec<Setting>,
    /// The servers as they were when the present epochs began; `None` to take them as they are found first.
    pub expected: Option<Identity>,
    /// Whether nothing is decided until somebody has compared the state with the store and opened the ledger.
    pub begins_closed: bool,
    /// What only tests and measurements may change.
    #[cfg(feature = "sim")]
    pub sim: crate::Sim,
}

impl RedisOptions {
    /// Everything as usual, at this target.
    pub fn at(target: Target) -> Self {
        Self {
            target,
            login: None,
            sentinel_login: None,
            tls: None,
            prefix: "firstcome".into(),
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(2),
            probe_every: Duration::from_secs(5),
            refresh_every: Duration::from_millis(500),
            declared: Vec::new(),
            expected: None,
            begins_closed: false,
            #[cfg(feature = "sim")]
            sim: crate::Sim::default(),
        }
    }
}

/// Where Redis is. Addresses are `host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One server.
    Single(String),
    /// The master of a group that sentinels watch.
    Sentinel {
        /// The sentinels.
        addresses: Vec<String>,
        /// What they call the group.
        group: String,
    },
    /// A cluster, by some of its nodes.
    Cluster(Vec<String>),
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user; `None` for the default one.
    pub user: Option<String>,
    /// The password.
    pub password: SecretString,
}

/// TLS, by rustls and aws-lc-rs. Certificates and keys are PEM.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Whom to trust; `None` for the system's authorities.
    pub authority: Option<Vec<u8>>,
    /// Our own certificate and key, if servers ask for them.
    pub client: Option<(Vec<u8>, SecretString)>,
}
