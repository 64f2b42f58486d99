//! Two servers and two workers on MariaDB and Redis, with Kafka between stream and database or without.

use super::admin::exchange;
use super::{Admin, Child, ToStore, Usage, free_address};
use crate::load::{Outcome, RequestForm, Salvo, Users};
use crate::server::child::pause;
use anyhow::{Context as _, bail, ensure};
use coupon_testkit::{Kafka, KafkaOptions, Redis, RedisOptions, Sql, SqlDatabase, SqlEngine, SqlOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const ADMIN_KEY: &str = "fck_bench_an_administrators_key_for_measuring_only_0123456789";
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LONGEST_CATCH_UP: Duration = Duration::from_secs(120);
/// So that the rows of a run fit into memory: the tests' own pool is small.
const BUFFER_POOL: &str = "512M";
/// Servers, and as many workers.
const EACH: usize = 2;

/// A running fleet. Everything ends when it is dropped: first the processes, then what they stand on.
#[derive(Debug)]
pub(crate) struct Fleet {
    servers: Vec<Child>,
    /// Beside them, with the same engines: servers that refuse nothing from memory. Only where they were asked for.
    forgetful: Vec<Child>,
    workers: Vec<Child>,
    pub(crate) admin: Admin,
    service_key: String,
    executable: PathBuf,
    pub(crate) database: SqlDatabase,
    redis: Redis,
    sql: Sql,
    kafka: Option<Kafka>,
}

/// A coupon that nobody made, although there could be one of this id.
const UNKNOWN: u64 = 268_000_000;

/// Which servers of a fleet are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusing {
    /// Those that refuse from memory what they may, as by default.
    FromMemory,
    /// Those that have the ledger decide every refusal.
    FromLedger,
}

/// Whether a server takes requests with this key.
fn knows(address: SocketAddr, key: &str) -> bool {
    let mut form = RequestForm::issue(address, UNKNOWN, key);
    let request =
        String::from_utf8_lossy(form.fill(0)).replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1);
    exchange(address, request.as_bytes()).is_ok_and(|(status, _)| status == 404)
}

impl Fleet {
    /// Starts the engines with their durable settings, makes tables and topics, and starts all four processes.
    pub(crate) fn start(executable: &Path, directory: &Path, by_kafka: bool) -> anyhow::Result<Self> {
        Self::start_beside(executable, directory, by_kafka, 0)
    }

    /// Without Kafka, and with two servers more that refuse nothing from memory.
    pub(crate) fn start_of_both(executable: &Path, directory: &Path) -> anyhow::Result<Self> {
        Self::start_beside(executable, directory, false, EACH)
    }

    fn start_beside(
        executable: &Path,
        directory: &Path,
        by_kafka: bool,
        forgetful: usize,
    ) -> anyhow::Result<Self> {
        let missing = "`cargo xtask servers` brings what is missing here";
        let options = SqlOptions::on(SqlEngine::MariaDb).set("innodb-buffer-pool-size", BUFFER_POOL);
        let sql = Sql::start(&options).context(missing)?;
        let database = sql.fresh_database()?;
        let redis = Redis::start(&RedisOptions::durable()).context(missing)?;
        let kafka = by_kafka.then(|| Kafka::start(&KafkaOptions::default()));
        let kafka = kafka.transpose().context(missing)?;
        let command = |arguments: &[&str]| {
            let mut command = Command::new(executable);
            command
                .args(arguments)
                .current_dir(directory)
                .env("FIRSTCOME_DATABASE_URL", database.url())
                .env("FIRSTCOME_REDIS_ADDRESSES", format!("127.0.0.1:{}", redis.port()))
                .env("FIRSTCOME_ADMIN_KEY", ADMIN_KEY)
                .env("FIRSTCOME_JWT_SECRET", "j".repeat(40))
                .env("FIRSTCOME_KEY_SEED", "s".repeat(40));
            if let Some(kafka) = &kafka {
                // One broker keeps what three should: that is declared.
                command
                    .env("FIRSTCOME_KAFKA_BROKERS", kafka.bootstrap())
                    .env("FIRSTCOME_KAFKA_REPLICAS", "1")
                    .env("FIRSTCOME_KAFKA_MIN_INSYNC_REPLICAS", "1")
                    .env(
                        "FIRSTCOME_KAFKA_DECLARED",
                        "min.insync.replicas,replication.factor",
                    );
            }
            command
        };
        let migrated = command(&["migrate"]).output().context("cannot run migrate")?;
        ensure!(
            migrated.status.success(),
            "migrate failed:\n{}",
            String::from_utf8_lossy(&migrated.stderr)
        );
        let start = |verb: &'static str, more: &[&str], number: usize| {
            let address = free_address()?;
            let command = command(&[&[verb, "--listen", &address.to_string()], more].concat());
            let log = directory.join(format!("{verb}-{number}.log"));
            let mut child = Child::start(verb, command, address, &log)?;
            let admin = Admin::new(address, ADMIN_KEY);
            child.wait_until(|_| admin.is_ready())?;
            anyhow::Ok(child)
        };
        let all = |verb, more: &[&str], numbers: std::ops::RangeInclusive<usize>| {
            numbers
                .map(|number| start(verb, more, number))
                .collect::<anyhow::Result<Vec<_>>>()
        };
        let (mut servers, workers) = (all("serve", &[], 1..=EACH)?, all("work", &[], 1..=EACH)?);
        let asking = ["--set", "refuse_from_memory=false"];
        let mut forgetful = all("serve", &asking, EACH + 1..=EACH + forgetful)?;
        let first = servers.first().context("a fleet without a server")?;
        let admin = Admin::new(first.address(), ADMIN_KEY);
        let service_key = admin.service_key()?;
        for server in servers.iter_mut().chain(&mut forgetful) {
            // Keys come to the other servers a moment later.
            server.wait_until(|server| knows(server.address(), &service_key))?;
        }
        Ok(Self {
            admin,
            service_key,
            executable: executable.to_owned(),
            servers,
            forgetful,
            workers,
            database,
            redis,
            sql,
            kafka,
        })
    }

    /// Loads every server of this kind beside the others with its share of `count` requests for this coupon, and adds up
    /// what they answered. `load` is told the server's place, its address, and its share.
    pub(crate) fn load(
        &self,
        refusing: Refusing,
        coupon: u64,
        first_user: u64,
        count: u64,
        load: impl Fn(u64, SocketAddr, &Salvo) -> anyhow::Result<Outcome> + Sync,
    ) -> anyhow::Result<Outcome> {
        let asked = match refusing {
            Refusing::FromMemory => &self.servers,
            Refusing::FromLedger => &self.forgetful,
        };
        ensure!(!asked.is_empty(), "this fleet has no such servers");
        let servers = u64::try_from(asked.len())?;
        let load = &load;
        let outcomes = std::thread::scope(|scope| {
            let mut running = Vec::new();
            let mut next = first_user;
            for (place, server) in (0..).zip(asked) {
                let share = count / servers + u64::from(place < count % servers);
                let form = RequestForm::issue(server.address(), coupon, &self.service_key);
                let salvo = Salvo::of(form, Users::Fresh(next), share);
                next += share;
                running.push(scope.spawn(move || load(place, server.address(), &salvo)));
            }
            let join = |thread: std::thread::ScopedJoinHandle<'_, anyhow::Result<_>>| {
                thread.join().ok().context("a load panicked")?
            };
            running.into_iter().map(join).collect::<anyhow::Result<Vec<_>>>()
        })?;
        Outcome::together(outcomes)
    }

    /// What each process has used, by name.
    pub(crate) fn usage(&self) -> anyhow::Result<Vec<(String, Usage)>> {
        let mut all = Vec::new();
        for (what, children) in [("serve", &self.servers), ("work", &self.workers)] {
            for (number, child) in (1..).zip(children) {
                all.push((format!("{what} {number}"), child.usage()?));
            }
        }
        let kafka = self.kafka.as_ref().and_then(|kafka| kafka.pid(1));
        for (name, pid) in [
            ("redis", self.redis.pid()),
            ("mariadbd", self.sql.pid()),
            ("kafka", kafka),
        ] {
            if let Some(pid) = pid {
                all.push((name.to_owned(), Usage::of(pid)?));
            }
        }
        Ok(all)
    }

    /// Waits until everything issued has reached the store, and nothing is on its way any more, then holds the store
    /// against the load: so many, each once, on positions without a gap, and nothing put aside. Returns how long it waited.
    pub(crate) fn settle(&self, coupon: u64, issued: u64) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let stored = || self.number(&format!("SELECT issued FROM coupons WHERE id = {coupon}"));
        let stream = format!("firstcome:{{{coupon}}}:stream");
        let waiting = || anyhow::Ok(self.redis.command(&["XLEN", &stream])?.text().parse::<u64>()?);
        while stored()? < issued || waiting()? > 0 {
            if began.elapsed() > LONGEST_CATCH_UP {
                bail!(
                    "the store does not catch up: it has {} of {issued}, and {} entries wait",
                    stored()?,
                    waiting()?
                );
            }
            pause(LOOK_EVERY);
        }
        let waited = began.elapsed();
        for (what, expected) in [
            ("COUNT(*)", issued),
            ("COUNT(DISTINCT user_id)", issued),
            ("COUNT(DISTINCT position)", issued),
            ("COALESCE(MIN(position), 0)", u64::from(issued > 0)),
            ("COALESCE(MAX(position), 0)", issued),
        ] {
            let sql = format!("SELECT {what} FROM issued_coupons WHERE coupon_id = {coupon}");
            let found = self.number(&sql)?;
            ensure!(
                found == expected,
                "{what} of the store is {found} instead of {expected}"
            );
        }
        ensure!(stored()? == issued, "the store counts {} of {issued}", stored()?);
        let detained = self.number("SELECT COUNT(*) FROM quarantine")?;
        ensure!(detained == 0, "{detained} records are in quarantine");
        Ok(waited)
    }

    fn number(&self, sql: &str) -> anyhow::Result<u64> {
        let rows = self.database.query(sql)?;
        let cell = rows.first().and_then(|row| row.first()?.as_deref());
        let text = cell.with_context(|| format!("no answer to {sql}"))?;
        text.parse()
            .with_context(|| format!("{text:?} is no number: {sql}"))
    }

    /// The time from issue to store, as all workers have counted it.
    pub(crate) fn to_store(&self) -> anyhow::Result<ToStore> {
        let mut sum = ToStore::default();
        for worker in &self.workers {
            let address = worker.address();
            let request = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
            let (_, body) = exchange(address, request.as_bytes())?;
            sum = sum.with(&ToStore::read(&String::from_utf8_lossy(&body)));
        }
        Ok(sum)
    }

    /// Has the product hold ledger and database against each other, every coupon and every issue, and stops everything
    /// in order.
    pub(crate) fn verify_and_stop(self) -> anyhow::Result<()> {
        let first = self.servers.first().context("a fleet without a server")?;
        let verified = Command::new(&self.executable)
            .args(["verify", "--server", &format!("http://{}", first.address())])
            .env("FIRSTCOME_ADMIN_KEY", ADMIN_KEY)
            .output()
            .context("cannot run the audit")?;
        ensure!(
            verified.status.success(),
            "the audit of ledger and database failed:\n{}{}",
            String::from_utf8_lossy(&verified.stdout),
            String::from_utf8_lossy(&verified.stderr)
        );
        for child in self.servers.into_iter().chain(self.forgetful).chain(self.workers) {
            child.stop()?;
        }
        Ok(())
    }
}
