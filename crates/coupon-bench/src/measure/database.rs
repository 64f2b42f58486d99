//! P5 and P6: issuing in a database that many servers share, in batches, against what the same server does without.
//!
//! All in this process and without HTTP, on a MariaDB of the bench's own with the durable settings. The product's
//! ledger stands behind its combiner as the server wires it, and 4,096 requests are under way. P5's rival has a
//! connection for each of 64 callers, on which every request is a transaction of its own that locks the coupon's row;
//! P6's inserts rows and nothing else, so that no row is hot.

mod rivals;

use crate::house;
use crate::results::{Better, Figure, Found, Goal, Unit};
use crate::session::Session;
use crate::users;
use anyhow::{Context as _, ensure};
use coupon_app::{Board, Combiner, Lane};
use coupon_core::{CouponId, Strategy};
use coupon_testkit::{Sql, SqlDatabase, SqlEngine, SqlOptions};
use rivals::{Rival, Rivals};
use std::sync::Arc;
use std::time::Instant;
use store_mysql::{DatabaseLedger, LedgerOptions, MysqlStore};
use tokio::runtime::Runtime;

/// Requests under way at the ledger.
const IN_FLIGHT: usize = 4_096;
/// Issues of the ledger in a round.
const ISSUES: u32 = 300_000;
const QUICK_ISSUES: u32 = 80_000;

/// What a rival is held against.
struct Contest {
    rival: Rival,
    figure: &'static str,
    beside: &'static str,
    at_least: Goal,
    aim: Goal,
}

/// P5.
pub(super) fn take_against_transactions(session: &mut Session) -> anyhow::Result<Found> {
    take(
        session,
        Contest {
            rival: Rival::Transactions,
            figure: "issue on MariaDB in batches, rate / one transaction a request on the locked row",
            beside: "issues a second, one transaction a request",
            at_least: Goal::new("15", 15.0),
            aim: Goal::new("40", 40.0),
        },
    )
}

/// P6.
pub(super) fn take_against_rows(session: &mut Session) -> anyhow::Result<Found> {
    take(
        session,
        Contest {
            rival: Rival::Rows,
            figure: "issue on MariaDB in batches, rate / single-row inserts",
            beside: "single-row inserts a second",
            at_least: Goal::new("1.5", 1.5),
            aim: Goal::new("4", 4.0),
        },
    )
}

fn take(session: &mut Session, contest: Contest) -> anyhow::Result<Found> {
    let bench = Bench::start()?;
    // One thread serves all their connections, as in the tools that measure databases: more would only take turns
    // with the server's on the cores.
    let callers = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let rivals = callers.block_on(Rivals::connect(bench.database.url()))?;
    let count = session.pick(ISSUES, QUICK_ISSUES);
    let rival_count = contest.rival.count(session.wishes.quick);
    let (mut ratios, mut batched, mut alone, mut sizes) = (vec![], vec![], vec![], vec![]);
    for round in 0..=session.wishes.rounds {
        let own = bench.issue(count)?;
        let rate = callers.block_on(rivals.race(contest.rival, own.coupon.get(), rival_count))?;
        bench.audit(rivals::ISSUED, own.coupon, rival_count)?;
        if round == 0 {
            // The first is for warming up.
            continue;
        }
        let ratio = own.rate / rate;
        session.say(format!(
            "round {round} of {}: {:.0}/s in batches of {:.0}, {rate:.0}/s {}: {ratio:.1}",
            session.wishes.rounds,
            own.rate,
            own.batch,
            contest.rival.name()
        ));
        ratios.push(ratio);
        batched.push(own.rate);
        alone.push(rate);
        sizes.push(own.batch);
    }
    let mut found = Found::default();
    found.figures.push(Figure {
        name: contest.figure.to_owned(),
        unit: Unit::Times,
        better: Better::More,
        at_least: contest.at_least,
        aim: contest.aim,
        values: ratios,
    });
    found.beside("issues a second, in batches", Unit::PerSecond, batched);
    found.beside(contest.beside, Unit::PerSecond, alone);
    found.beside("requests in a batch, on average", Unit::Count, sizes);
    found.note(format!(
        "{count} issues a round with {IN_FLIGHT} under way in this process, {}; MariaDB with its binary log, sync_binlog=1 and \
         innodb_flush_log_at_trx_commit=1; after each round count, positions and users of both were audited in the tables",
        contest.rival.what(rival_count)
    ));
    Ok(found)
}

/// The server, and the product's ledger on it.
struct Bench {
    combiner: Combiner,
    lane: Lane,
    database: SqlDatabase,
    _runtime: Runtime,
    /// Ends after all that is connected to it.
    _server: Sql,
}

/// What the ledger did in a round.
struct Own {
    coupon: CouponId,
    rate: f64,
    batch: f64,
}

impl Bench {
    fn start() -> anyhow::Result<Self> {
        // The tables fit into memory, as they do where such a sale is run.
        let options = SqlOptions::on(SqlEngine::MariaDb).set("innodb-buffer-pool-size", "1G");
        let server =
            Sql::start(&options).context("there is no MariaDB here; `cargo xtask servers` brings one")?;
        let database = server.fresh_database()?;
        // As many threads as the server gives to its engines.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let ledger = runtime.block_on(async {
            MysqlStore::migrate(database.url()).await?;
            let options = LedgerOptions {
                connections: 1,
                ..LedgerOptions::default()
            };
            DatabaseLedger::open(database.url(), options, Arc::new(Board::new())).await
        })?;
        let combiner =
            Combiner::start("database", Arc::new(ledger)).context("cannot start the ledger's thread")?;
        let lane = combiner.lane();
        Ok(Self {
            combiner,
            lane,
            database,
            _runtime: runtime,
            _server: server,
        })
    }

    /// Issues all of a new coupon.
    fn issue(&self, count: u32) -> anyhow::Result<Own> {
        let coupon = house::create(&self.lane, Strategy::Database, Some(count), house::MONTH)?;
        let before = self.combiner.stats();
        let began = Instant::now();
        house::issue(&self.lane, coupon, 0, u64::from(count), IN_FLIGHT)?;
        let took = began.elapsed().as_secs_f64();
        let batches = self.combiner.stats().batches - before.batches;
        ensure!(batches > 0, "the combiner has counted no batches");
        self.audit("issued_coupons", coupon, count)?;
        Ok(Own {
            coupon,
            rate: f64::from(count) / took,
            batch: f64::from(count) / batches as f64,
        })
    }

    /// That exactly the users 0.. have one each, on positions 1, 2, 3 and so on.
    fn audit(&self, table: &str, coupon: CouponId, count: u32) -> anyhow::Result<()> {
        // Positions are the table's key, so none is there twice.
        let rows = self.database.query(&format!(
            "SELECT COUNT(*), MIN(position), MAX(position), COUNT(DISTINCT user_id), \
             BIT_XOR(CAST(CONV(user_id, 16, 10) AS UNSIGNED)) FROM {table} WHERE coupon_id = {coupon}"
        ))?;
        let found = rows.into_iter().next().context("the count is missing")?;
        let found: Vec<u64> = found
            .into_iter()
            .map(|number| Ok(number.context("nothing was issued")?.parse()?))
            .collect::<anyhow::Result<_>>()?;
        let everybody = (0..u64::from(count)).fold(0, |sum, number| sum ^ users::mixed(number));
        let count = u64::from(count);
        ensure!(
            found == [count, 1, count, count, everybody],
            "{count} users were told that they have one each of coupon {coupon}, but {table} has {found:?}"
        );
        Ok(())
    }
}
