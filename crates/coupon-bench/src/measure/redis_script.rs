//! P7 and P8: issuing by the script in Redis.
//!
//! The Redis is the bench's own, with `appendfsync always`. For P7 the product's ledger stands behind a combiner in this
//! process, 4,096 requests are under way, and its rival is redis-benchmark, which calls the very same script with one
//! user a call. For P8 the script is called in batches as it is and with its stream entry taken out. Script, keys and
//! arguments are overheard from the product, not written down here.

mod audit;
mod overheard;

use crate::house;
use crate::results::{Better, Figure, Found, Goal, Unit};
use crate::session::Session;
use crate::users::{self, USER_BYTES};
use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use audit::{Stream, audit};
use coupon_app::{Board, Combiner, CouponIds, Lane, StoreError};
use coupon_core::{CouponId, Strategy};
use coupon_testkit::Redis;
use ledger_redis::{RedisLedger, RedisOptions, Target};
use overheard::{Call, Tap, without_stream_entry};
use redis::{Connection, ConnectionLike as _, Value};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Requests under way at the ledger.
const IN_FLIGHT: usize = 4_096;
/// Issues of the ledger in a round.
const ISSUES: u32 = 600_000;
const QUICK_ISSUES: u32 = 200_000;
/// Users of one call where the bench itself calls.
const BATCH: u32 = 1_024;
const BATCHES: u32 = 400;
const QUICK_BATCHES: u32 = 150;
/// Calls of redis-benchmark in a round.
const CALLS: u32 = 90_000;
const QUICK_CALLS: u32 = 30_000;
const CONNECTIONS: &str = "64";
/// redis-benchmark puts twelve digits of a random number in the place of this word.
const RANDOM: &str = "__rand_int__";
const RANDOM_BELOW: &str = "2147483647";

/// P7.
pub(super) fn take_against_benchmark(session: &mut Session) -> anyhow::Result<Found> {
    let (count, calls) = (
        session.pick(ISSUES, QUICK_ISSUES),
        session.pick(CALLS, QUICK_CALLS),
    );
    let (mut ratios, mut batched, mut single, mut sizes) = (vec![], vec![], vec![], vec![]);
    for round in 0..=session.wishes.rounds {
        let mut bench = Bench::start()?;
        let (rate, batch) = bench.issue(count)?;
        let call = bench.publish()?;
        let hash = call.hash.clone();
        let alone = bench.benchmark(&call, &hash, calls, Stream::Kept)?;
        if round == 0 {
            // The first is for warming up.
            continue;
        }
        let ratio = rate / alone;
        session.say(format!(
            "round {round} of {}: {rate:.0}/s in batches of {batch:.0}, {alone:.0}/s by redis-benchmark: {ratio:.1}",
            session.wishes.rounds
        ));
        ratios.push(ratio);
        batched.push(rate);
        single.push(alone);
        sizes.push(batch);
    }
    let mut found = Found::default();
    found.figures.push(Figure {
        name: "issue by the script in Redis in batches, rate / redis-benchmark with one user a call"
            .to_owned(),
        unit: Unit::Times,
        better: Better::More,
        at_least: Goal::new("4", 4.0),
        aim: Goal::new("6", 6.0),
        values: ratios,
    });
    found.beside("issues a second, in batches", Unit::PerSecond, batched);
    found.beside(
        "issues a second by redis-benchmark, one user a call",
        Unit::PerSecond,
        single,
    );
    found.beside("requests in a batch, on average", Unit::Count, sizes);
    found.note(format!(
        "{count} issues a round with {IN_FLIGHT} under way in this process, against {calls} calls of the same script on \
         {CONNECTIONS} connections of redis-benchmark without pipelining, user ids of {USER_BYTES} bytes; Redis with appendonly \
         yes and appendfsync always, and no rewriting of its file meanwhile; after each round positions, users and stream of \
         both were audited"
    ));
    Ok(found)
}

/// P8.
pub(super) fn take_without_stream(session: &mut Session) -> anyhow::Result<Found> {
    let (batches, calls) = (
        session.pick(BATCHES, QUICK_BATCHES),
        session.pick(CALLS, QUICK_CALLS),
    );
    let (mut ratios, mut single_ratios, mut on, mut off) = (vec![], vec![], vec![], vec![]);
    for round in 0..=session.wishes.rounds {
        let mut bench = Bench::start()?;
        let as_it_is = bench.publish()?;
        let without = bench.load(&without_stream_entry(&as_it_is.text)?)?;
        let ways = [(as_it_is.hash, Stream::Kept), (without, Stream::Without)];
        let rates = bench.batches(&ways, batches)?;
        let mut single = [0.0; 2];
        for (place, (hash, stream)) in ways.iter().enumerate() {
            let call = bench.publish()?;
            single[place] = bench.benchmark(&call, hash, calls, *stream)?;
        }
        if round == 0 {
            // The first is for warming up.
            continue;
        }
        let (ratio, single_ratio) = (rates[0] / rates[1], single[0] / single[1]);
        session.say(format!(
            "round {round} of {}: {:.0}/s with the stream entry, {:.0}/s without: {ratio:.2} (one user a call {single_ratio:.2})",
            session.wishes.rounds, rates[0], rates[1]
        ));
        ratios.push(ratio);
        single_ratios.push(single_ratio);
        on.push(rates[0]);
        off.push(rates[1]);
    }
    let mut found = Found::default();
    found.figures.push(Figure {
        name: format!("the script in Redis, batches of {BATCH}, rate with its stream entry / without"),
        unit: Unit::Ratio,
        better: Better::More,
        at_least: Goal::new("0.75", 0.75),
        aim: Goal::new("0.9", 0.9),
        values: ratios,
    });
    found.beside("issues a second with the stream entry", Unit::PerSecond, on);
    found.beside("issues a second without", Unit::PerSecond, off);
    found.beside(
        "one user a call by redis-benchmark, rate with the stream entry / without",
        Unit::Ratio,
        single_ratios,
    );
    found.note(format!(
        "{batches} calls a round each way on one connection, in turns, of the product's script and of the same text without the \
         lines of the stream entry, on a new server each round; Redis with appendonly yes and appendfsync always; after each round positions, \
         users and stream were audited"
    ));
    Ok(found)
}

/// The server, and the product's ledger on it.
struct Bench {
    combiner: Combiner,
    lane: Lane,
    connection: Connection,
    /// Texts of scripts that the ledger has loaded.
    scripts: Vec<Vec<u8>>,
    redis: Redis,
    _runtime: Runtime,
}

impl Bench {
    fn start() -> anyhow::Result<Self> {
        // Whoever rewrites its file takes a core; when that comes is no property of a batch.
        let options = coupon_testkit::RedisOptions::durable().set("auto-aof-rewrite-percentage", "0");
        let redis =
            Redis::start(&options).context("there is no Redis here; `cargo xtask servers` brings one")?;
        let mut connection = redis::Client::open(redis.url())?.get_connection()?;
        let tap = Tap::open(redis.port())?;
        // As many threads as the server gives to its engines.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let ledger = runtime.block_on(RedisLedger::open(
            RedisOptions::at(Target::Single(format!("127.0.0.1:{}", redis.port()))),
            runtime.handle().clone(),
            Arc::new(Board::new()),
            Arc::new(Ids::default()),
            None,
        ))?;
        let scripts = tap.scripts(&mut connection)?;
        let combiner =
            Combiner::start("redis-script", Arc::new(ledger)).context("cannot start the ledger's thread")?;
        let lane = combiner.lane();
        Ok(Self {
            combiner,
            lane,
            connection,
            scripts,
            redis,
            _runtime: runtime,
        })
    }

    /// Has the ledger issue all of a new coupon: how many a second, and how many in a batch.
    fn issue(&mut self, count: u32) -> anyhow::Result<(f64, f64)> {
        // One is issued beforehand, to see where.
        let call = self.publish()?;
        let before = self.combiner.stats();
        let began = Instant::now();
        house::issue(&self.lane, call.coupon, 1, u64::from(count), IN_FLIGHT)?;
        let took = began.elapsed().as_secs_f64();
        let batches = self.combiner.stats().batches - before.batches;
        ensure!(batches > 0, "the combiner has counted no batches");
        let issued = audit(&mut self.connection, &call, Stream::Kept)?;
        let everybody = (0..=u64::from(count)).map(users::user).collect();
        issued.must_be(&everybody)?;
        Ok((f64::from(count) / took, f64::from(count) / batches as f64))
    }

    /// A new coupon of which user 0 has one, and the call that gave it.
    fn publish(&mut self) -> anyhow::Result<Call> {
        let coupon = house::create(&self.lane, Strategy::RedisScript, None, house::MONTH)?;
        let tap = Tap::open(self.redis.port())?;
        house::issue(&self.lane, coupon, 0, 1, 1)?;
        tap.call(&mut self.connection, coupon, &users::user(0), &self.scripts)
    }

    /// Loads a script.
    fn load(&mut self, text: &[u8]) -> anyhow::Result<String> {
        let mut load = redis::cmd("SCRIPT");
        Ok(load.arg("LOAD").arg(text).query(&mut self.connection)?)
    }

    /// Calls two scripts with batches of users in turns, each for a coupon of its own; users a second of each.
    fn batches(&mut self, ways: &[(String, Stream); 2], batches: u32) -> anyhow::Result<[f64; 2]> {
        let calls = [self.publish()?, self.publish()?];
        let mut took = [Duration::ZERO; 2];
        for number in 0..batches {
            let first = 1 + u64::from(number * BATCH);
            let users: Vec<_> = (first..first + u64::from(BATCH)).map(users::user).collect();
            // Whoever comes first in one turn comes last in the next.
            let turn = if number % 2 == 0 { [0, 1] } else { [1, 0] };
            for place in turn {
                let packed = calls[place].with(&ways[place].0, &users).get_packed_command();
                let began = Instant::now();
                let told = self.connection.req_packed_command(&packed)?;
                took[place] += began.elapsed();
                all_were_issued(&told)?;
            }
        }
        let count = batches * BATCH;
        let everybody = (0..=u64::from(count)).map(users::user).collect();
        for (call, (_, stream)) in calls.iter().zip(ways) {
            audit(&mut self.connection, call, *stream)?.must_be(&everybody)?;
        }
        Ok(took.map(|took| f64::from(count) / took.as_secs_f64()))
    }

    /// Has redis-benchmark call a script with one user a call; calls a second, as it says itself.
    fn benchmark(&mut self, call: &Call, hash: &str, calls: u32, stream: Stream) -> anyhow::Result<f64> {
        let program = Redis::benchmark().context("there is no redis-benchmark here")?;
        // Sixteen bytes with the digits.
        let user = coupon_core::UserId::parse(format!("user{RANDOM}"))?;
        let output = Command::new(program)
            .args(["-h", "127.0.0.1", "-p", &self.redis.port().to_string()])
            .args(["-c", CONNECTIONS, "-P", "1", "-n", &calls.to_string()])
            .args(["-r", RANDOM_BELOW, "--csv", "-e"])
            .args(call.words(hash, &[user])?)
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let rate = said.lines().last().and_then(|line| line.split("\",\"").nth(1));
        let rate = rate
            .and_then(|rate| rate.parse().ok())
            .filter(|_| output.status.success());
        let rate = rate.with_context(|| format!("redis-benchmark failed: {output:?}"))?;
        // What it throws away are the answers; what was issued is there.
        let issued = audit(&mut self.connection, call, stream)?;
        issued.must_be_about(u64::from(calls) + 1)?;
        Ok(rate)
    }
}

/// That the script has issued to everybody who was asked for.
fn all_were_issued(told: &Value) -> anyhow::Result<()> {
    let outcomes = if let Value::Array(fields) = told {
        fields.get(15)
    } else {
        None
    };
    let issued = matches!(outcomes, Some(Value::BulkString(codes)) if codes.len() == BATCH as usize && codes.iter().all(|code| *code == b'i'));
    ensure!(issued, "not everybody was issued one: {told:?}");
    Ok(())
}

/// Ids of coupons, one after the other.
#[derive(Default)]
struct Ids(AtomicU32);

#[async_trait]
impl CouponIds for Ids {
    async fn next_id(&self) -> Result<Option<CouponId>, StoreError> {
        Ok(CouponId::new(self.0.fetch_add(1, Ordering::Relaxed) + 1).ok())
    }
}
