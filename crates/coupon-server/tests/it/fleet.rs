//! Several servers and workers on one database and one Redis.

use crate::harness::{Caller, Scratch, Server, converse};
use coupon_testkit::{Redis, RedisOptions, Sql, SqlDatabase, SqlEngine, SqlOptions, or_skip};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

pub(crate) const ADMIN_KEY: &str = "the-administrators-key-of-many-servers";

/// A database with tables, a Redis, and what every process of the fleet is told.
pub(crate) struct Fleet {
    pub(crate) scratch: Scratch,
    pub(crate) database: SqlDatabase,
    pub(crate) redis: Redis,
    /// What every process is told beside.
    more: Vec<(&'static str, String)>,
    /// The database server, if it is this fleet's own.
    pub(crate) own: Option<Sql>,
}

impl Fleet {
    /// On MariaDB's shared server and a Redis of its own; `None` where one of them cannot be had.
    pub(crate) fn open() -> Option<Self> {
        Self::with(&RedisOptions::durable())
    }

    pub(crate) fn with(redis: &RedisOptions) -> Option<Self> {
        let server = or_skip(Sql::shared(SqlEngine::MariaDb))?;
        let redis = or_skip(Redis::start(redis))?;
        Some(Self::made_of(
            server.fresh_database().unwrap(),
            redis,
            None,
            Vec::new(),
        ))
    }

    /// On a database server of its own.
    pub(crate) fn on(database: &SqlOptions) -> Option<Self> {
        let own = or_skip(Sql::start(database))?;
        let redis = or_skip(Redis::start(&RedisOptions::durable()))?;
        Some(Self::made_of(
            own.fresh_database().unwrap(),
            redis,
            Some(own),
            Vec::new(),
        ))
    }

    /// On MariaDB's shared server and a Redis of its own, with these variables for every process.
    pub(crate) fn told(more: Vec<(&'static str, String)>) -> Option<Self> {
        let server = or_skip(Sql::shared(SqlEngine::MariaDb))?;
        let redis = or_skip(Redis::start(&RedisOptions::durable()))?;
        Some(Self::made_of(server.fresh_database().unwrap(), redis, None, more))
    }

    fn made_of(
        database: SqlDatabase,
        redis: Redis,
        own: Option<Sql>,
        more: Vec<(&'static str, String)>,
    ) -> Self {
        let fleet = Self {
            scratch: Scratch::new(),
            database,
            redis,
            more,
            own,
        };
        let migrated = fleet.command(&["migrate"]).output().unwrap();
        assert!(migrated.status.success(), "{}", crate::harness::told(&migrated));
        fleet
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_on(self.database.url(), arguments)
    }

    pub(crate) fn command_on(&self, database: &str, arguments: &[&str]) -> Command {
        self.command_at(database, self.redis.port(), arguments)
    }

    /// A command that reaches database and Redis elsewhere: through a proxy.
    pub(crate) fn command_at(&self, database: &str, redis: u16, arguments: &[&str]) -> Command {
        let mut command = self.scratch.command(arguments);
        command
            .env("FIRSTCOME_DATABASE_URL", database)
            .env("FIRSTCOME_REDIS_ADDRESSES", format!("127.0.0.1:{redis}"))
            .env("FIRSTCOME_ADMIN_KEY", ADMIN_KEY)
            .env("FIRSTCOME_JWT_SECRET", "j".repeat(40))
            .env("FIRSTCOME_KEY_SEED", "s".repeat(40))
            .env("FIRSTCOME_HTTP_LOOPS", "1")
            .env("FIRSTCOME_LIMITS_ISSUES_PER_SECOND_AND_USER", "0")
            .env("FIRSTCOME_WORK_CLAIM_AFTER_MS", "500")
            .envs(self.more.iter().map(|(name, value)| (*name, value)));
        command
    }

    pub(crate) fn serve(&self, arguments: &[&str]) -> Server {
        let all = [&["serve", "--listen", "127.0.0.1:0"][..], arguments].concat();
        Server::start(self.command(&all))
    }

    pub(crate) fn serve_at(&self, database: &str, redis: u16, arguments: &[&str]) -> Server {
        let all = [&["serve", "--listen", "127.0.0.1:0"][..], arguments].concat();
        Server::start(self.command_at(database, redis, &all))
    }

    pub(crate) fn work(&self) -> Server {
        Server::start(self.command(&["work", "--listen", "127.0.0.1:0"]))
    }

    /// A worker that reaches the database elsewhere, and commits there nothing but what it brings: others run the jobs.
    pub(crate) fn work_on(&self, database: &str) -> Server {
        let arguments = ["work", "--listen", "127.0.0.1:0", "--set", "jobs.run=false"];
        Server::start(self.command_on(database, &arguments))
    }

    /// How many entries a coupon's stream has.
    pub(crate) fn entries(&self, coupon: &str) -> u64 {
        let id = coupon.rsplit('/').next().unwrap();
        let stream = format!("firstcome:{{{id}}}:stream");
        let length = self.redis.command(&["XLEN", &stream]).unwrap();
        length.text().parse().unwrap()
    }

    /// Waits until everything that was told is stored and nothing else: one per user, positions without a gap, the
    /// stream empty, so that ledger and store are the same, and nothing in quarantine.
    pub(crate) fn assert_settled(&self, coupon: &str, told: &BTreeMap<String, u64>) {
        let stored = self.await_stored(coupon, told.len());
        for (user, position) in told {
            assert_eq!(stored.get(user), Some(position), "{user}");
        }
        assert_exact(&stored, u64::try_from(stored.len()).unwrap());
        wait_for(|| (self.entries(coupon) == 0).then_some(()));
        let id = coupon.rsplit('/').next().unwrap();
        let users = self
            .redis
            .command(&["HLEN", &format!("firstcome:{{{id}}}:users")])
            .unwrap();
        assert_eq!(
            users.text(),
            self.stored(coupon).len().to_string(),
            "ledger and store are the same"
        );
        let detained = self.database.query("SELECT COUNT(*) FROM quarantine").unwrap();
        assert_eq!(detained[0][0].as_deref(), Some("0"));
    }

    /// Who holds which position, as the database has it.
    pub(crate) fn stored(&self, coupon: &str) -> BTreeMap<String, u64> {
        let id = coupon.rsplit('/').next().unwrap();
        let sql = format!("SELECT user_id, position FROM issued_coupons WHERE coupon_id = {id}");
        let rows = self.database.query(&sql).unwrap();
        let holder = |row: &Vec<Option<String>>| {
            let cell = |column: usize| row[column].clone().unwrap();
            (cell(0), cell(1).parse().unwrap())
        };
        rows.iter().map(holder).collect()
    }

    /// Waits until the database has so many.
    pub(crate) fn await_stored(&self, coupon: &str, count: usize) -> BTreeMap<String, u64> {
        wait_for(|| {
            let stored = self.stored(coupon);
            (stored.len() >= count).then_some(stored)
        })
    }
}

/// Waits until it is there.
pub(crate) fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let until = std::time::Instant::now() + crate::harness::PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(std::time::Instant::now() < until, "it never came");
        converse(async { tokio::time::sleep(std::time::Duration::from_millis(20)).await });
    }
}

/// An administrator at one of the servers.
pub(crate) fn admin(server: &Server) -> Caller {
    Caller::new(server, ADMIN_KEY)
}

/// A new coupon that is open.
pub(crate) fn publish(admin: &Caller, quantity: u32, more: &Value) -> String {
    let mut wanted = serde_json::json!({
        "name": "Opening day", "quantity": quantity, "validFor": "P30D",
        "opensAt": "2026-01-01T00:00:00Z", "closesAt": "2099-01-01T00:00:00Z",
    });
    for (name, value) in more.as_object().unwrap() {
        wanted[name] = value.clone();
    }
    let (status, coupon) = admin.ask(Method::POST, "/v1/admin/coupons", Some(wanted));
    assert_eq!(status, StatusCode::CREATED, "{coupon}");
    format!("/v1/coupons/{}", coupon["id"])
}

/// Positions are 1..n and each user has one.
pub(crate) fn assert_exact(holders: &BTreeMap<String, u64>, count: u64) {
    let positions: BTreeSet<u64> = holders.values().copied().collect();
    assert!(
        positions.iter().copied().eq(1..=count),
        "positions are 1..{count}: {positions:?}"
    );
    assert_eq!(u64::try_from(holders.len()).unwrap(), count);
}
