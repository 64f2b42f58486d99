//! Settings of the database that many servers share.

use super::{Findings, Secret};
use coupon_core::Strategy;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

/// MySQL or MariaDB. With a URL this is one of many servers; without, it is the only one and keeps a data directory.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DatabaseSettings {
    /// `mysql://user:password@host:port/database`, with `?ssl-mode=VERIFY_IDENTITY&ssl-ca=...` for TLS; a secret.
    pub(crate) url: Secret,
    /// Connections that answer queries and take deliveries. Too few make queries wait for each other; too many, times
    /// the number of processes, use up the database's own limit.
    pub(crate) store_connections: u32,
    /// Combiners of each strategy, each with a connection that decides. Too few, and a coupon whose row another server
    /// has locked holds up others; too many make batches smaller.
    pub(crate) combiners: u32,
    /// Settings of the database that the operator answers for, by their names there: they are not judged. One too many
    /// is a promise that nobody keeps.
    pub(crate) declared: Vec<String>,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            url: Secret::default(),
            store_connections: 8,
            combiners: 4,
            declared: Vec::new(),
        }
    }
}

impl DatabaseSettings {
    /// Whether there is one.
    pub(crate) fn is_set(&self) -> bool {
        self.url.get().is_some()
    }

    pub(super) fn check(&self, findings: &mut Findings) {
        findings.expect(
            self.url
                .get()
                .is_none_or(|url| url.expose_secret().starts_with("mysql://")),
            "database.url",
            "must begin with mysql://, as in mysql://user:password@host:3306/database, for MariaDB too",
        );
        findings.expect_range(
            u64::from(self.store_connections),
            (1, 1_024),
            "database.store_connections",
        );
        findings.expect_range(u64::from(self.combiners), (1, 64), "database.combiners");
    }
}

/// Who decides a coupon that does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DefaultStrategy {
    /// The fastest that is offered.
    #[default]
    Auto,
    /// The journal.
    Journal,
    /// The row lock.
    Database,
    /// The database under a lock in Redis.
    RedisLock,
    /// The script in Redis.
    RedisScript,
}

impl DefaultStrategy {
    /// The strategy itself, unless the server chooses.
    pub(crate) fn chosen(self) -> Option<Strategy> {
        match self {
            Self::Auto => None,
            Self::Journal => Some(Strategy::Journal),
            Self::Database => Some(Strategy::Database),
            Self::RedisLock => Some(Strategy::RedisLock),
            Self::RedisScript => Some(Strategy::RedisScript),
        }
    }

    pub(super) fn is_offered(self, database: bool, redis: bool) -> bool {
        match self {
            Self::Auto => true,
            Self::Journal => !database,
            Self::Database => database,
            Self::RedisLock | Self::RedisScript => database && redis,
        }
    }
}
