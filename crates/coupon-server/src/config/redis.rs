//! Settings of Redis.

use super::{Findings, Secret};
use ledger_redis::Setting;
use serde::{Deserialize, Serialize};

/// How Redis or Valkey is reached, and what is asked of it. Without addresses there is none.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RedisSettings {
    /// What the addresses are those of.
    pub(crate) kind: RedisKind,
    /// `host:port` of the server, of the sentinels, or of some of the cluster's nodes.
    pub(crate) addresses: Vec<String>,
    /// What the sentinels call the group; only with them.
    pub(crate) group: String,
    /// The user; empty for the default one.
    pub(crate) user: String,
    /// The password; a secret. Empty for none.
    pub(crate) password: Secret,
    /// The user at the sentinels, which have users of their own; empty for the default one.
    pub(crate) sentinel_user: String,
    /// The password at the sentinels; a secret. Empty for none.
    pub(crate) sentinel_password: Secret,
    /// Whether TLS is spoken, to sentinels too.
    pub(crate) tls: bool,
    /// The authority to trust, as a PEM file; empty for the system's.
    pub(crate) tls_authority_file: String,
    /// Our own certificate, as a PEM file; empty for none.
    pub(crate) tls_certificate_file: String,
    /// Its key, as a PEM file.
    pub(crate) tls_key_file: String,
    /// What every key begins with. Two installations that share a server need two.
    pub(crate) prefix: String,
    /// How long a reply may take. Too high keeps users waiting; too low makes answers indeterminate that a busy disk
    /// would still have given.
    pub(crate) response_timeout_ms: u64,
    /// How long a lock is lent for `redis-lock`. Too high, and a dead server holds a coupon up for so long; too low,
    /// and locks run out while batches are decided, which is then done in vain.
    pub(crate) lock_lease_ms: u64,
    /// Settings of Redis that the operator answers for, because they cannot be read or are weaker on purpose.
    pub(crate) declared: Vec<String>,
    /// Whether a coupon is opened again by itself although answered issues were lost with Redis. Their positions are
    /// named in the log and never used again. If not, it stays closed until `firstcome verify --repair` permits it, in
    /// case the Redis that was lost can be brought back.
    pub(crate) reopen_despite_loss: bool,
}

/// What the addresses are those of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RedisKind {
    /// One server.
    #[default]
    Single,
    /// Sentinels.
    Sentinel,
    /// Nodes of a cluster.
    Cluster,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            kind: RedisKind::default(),
            addresses: Vec::new(),
            group: String::new(),
            user: String::new(),
            password: Secret::default(),
            sentinel_user: String::new(),
            sentinel_password: Secret::default(),
            tls: false,
            tls_authority_file: String::new(),
            tls_certificate_file: String::new(),
            tls_key_file: String::new(),
            prefix: "firstcome".to_owned(),
            response_timeout_ms: 2_000,
            lock_lease_ms: 2_000,
            declared: Vec::new(),
            reopen_despite_loss: true,
        }
    }
}

impl RedisSettings {
    /// Whether there is one.
    pub(crate) fn is_set(&self) -> bool {
        !self.addresses.is_empty()
    }

    /// The declared settings.
    pub(crate) fn declared(&self) -> Vec<Setting> {
        let named = |name: &String| Setting::ALL.into_iter().find(|one| one.name() == name);
        self.declared.iter().filter_map(named).collect()
    }

    pub(super) fn check(&self, findings: &mut Findings) {
        let address = |text: &String| {
            text.rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        findings.expect(
            self.addresses.iter().all(address),
            "redis.addresses",
            "must be host:port each",
        );
        findings.expect(
            self.kind != RedisKind::Single || self.addresses.len() <= 1,
            "redis.addresses",
            "must be one, unless redis.kind is sentinel or cluster",
        );
        findings.expect(
            (self.kind == RedisKind::Sentinel) != self.group.is_empty(),
            "redis.group",
            "must be set with redis.kind sentinel, and only then",
        );
        findings.expect(
            self.user.is_empty() || self.password.get().is_some(),
            "redis.user",
            "needs redis.password beside it",
        );
        findings.expect(
            self.sentinel_user.is_empty() || self.sentinel_password.get().is_some(),
            "redis.sentinel_user",
            "needs redis.sentinel_password beside it",
        );
        findings.expect(
            self.kind == RedisKind::Sentinel || self.sentinel_password.get().is_none(),
            "redis.sentinel_password",
            "must be set only with redis.kind sentinel",
        );
        findings.expect(
            self.tls_certificate_file.is_empty() == self.tls_key_file.is_empty(),
            "redis.tls_key_file",
            "and redis.tls_certificate_file must be set together",
        );
        let files = [
            &self.tls_authority_file,
            &self.tls_certificate_file,
            &self.tls_key_file,
        ];
        findings.expect(
            self.tls || files.iter().all(|file| file.is_empty()),
            "redis.tls",
            "must be true when files for it are named",
        );
        let visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        findings.expect(
            visible(&self.prefix) && self.prefix.len() <= 64 && !self.prefix.contains(['{', '}']),
            "redis.prefix",
            "must be 1 to 64 visible ASCII characters without braces",
        );
        let names = Setting::ALL.map(Setting::name);
        findings.expect(
            self.declared.iter().all(|name| names.contains(&name.as_str())),
            "redis.declared",
            format!("must name some of {}", names.join(", ")),
        );
        let time = (10, 60_000);
        findings.expect_range(self.response_timeout_ms, time, "redis.response_timeout_ms");
        findings.expect_range(self.lock_lease_ms, time, "redis.lock_lease_ms");
    }
}
