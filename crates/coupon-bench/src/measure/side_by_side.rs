//! P17: every strategy beside the others over HTTP: issues, and refusals of a coupon that is sold out and of one that
//! there is not.
//!
//! The embedded ledger is one server on a data directory. The other strategies are those of one fleet, two servers and
//! two workers on MariaDB and Redis, and a coupon is bound to one of them; so rows are taken and handed over between
//! servers as they are in use. Each load is as many requests as that strategy has just shown it answers in some
//! seconds. What is refused is asked twice: of servers that repeat refusals from memory, as they do by default, and of two
//! more on the same engines that have the ledger decide every one.

use super::durable_issue::CONNECTIONS;
use crate::load::{Outcome, Salvo, Users, closed};
use crate::results::{Column, Found, Row, Table, Unit};
use crate::server::{Fleet, Product, Refusing, audit};
use crate::session::Session;
use anyhow::Context as _;

/// How long each load takes.
const SECONDS: f64 = 1.5;
const QUICK_SECONDS: f64 = 0.5;
/// Requests of the first load, which warms up and finds the rate.
const FIRST: u64 = 4_000;
const MOST: u64 = 400_000;
/// Users who ask when nothing is left.
const LATECOMERS: u64 = 1 << 32;
/// A coupon that nobody made, although there could be one of this id.
const UNKNOWN: u64 = 268_000_000;
/// Of one load.
const LOAD: [(&str, Unit); 3] = [
    ("", Unit::PerSecond),
    (", p50", Unit::Millis),
    (", p99", Unit::Millis),
];
/// What is asked, in this order.
const LOADS: [&str; 5] = [
    "issued",
    "sold out, from memory",
    "sold out, by the ledger",
    "unknown coupon, from memory",
    "unknown coupon, by the store",
];

/// Where a strategy is at home.
#[derive(Clone, Copy)]
enum Home {
    Alone,
    Many,
}

const CONTENDERS: [(&str, &str, Home); 4] = [
    ("embedded (`journal`)", "journal", Home::Alone),
    ("`database`", "database", Home::Many),
    ("`redis-lock`", "redis-lock", Home::Many),
    ("`redis-script`", "redis-script", Home::Many),
];

/// One strategy.
struct Contender<'h> {
    name: &'static str,
    strategy: &'static str,
    home: Home,
    product: &'h Product,
    fleet: &'h Fleet,
    threads: usize,
    /// Requests of the next loads.
    counts: [u64; LOADS.len()],
    /// For each load its rate, its median and its p99, one for each round.
    cells: [[Vec<f64>; LOAD.len()]; LOADS.len()],
}

pub(super) fn take(session: &mut Session) -> anyhow::Result<Found> {
    let executable = session.product()?;
    let directory = session.directory("p17-")?;
    let product = Product::start(&executable, &directory.path().join("data"))?;
    let fleet = Fleet::start_of_both(&executable, directory.path())?;
    let mut contenders = CONTENDERS.map(|(name, strategy, home)| Contender {
        name,
        strategy,
        home,
        product: &product,
        fleet: &fleet,
        threads: session.wishes.threads,
        counts: [FIRST; LOADS.len()],
        cells: Default::default(),
    });
    let seconds = session.pick(SECONDS, QUICK_SECONDS);
    for round in 0..=session.wishes.rounds {
        for contender in &mut contenders {
            let outcomes = contender.round(seconds)?;
            if round == 0 {
                // The first is for warming up.
                continue;
            }
            let rates = outcomes.each_ref().map(|outcome| {
                let rate = outcome.as_ref().map(Outcome::rate);
                rate.map_or("-".to_owned(), |rate| format!("{rate:.0}/s"))
            });
            session.say(format!(
                "round {round} of {}, {}: issued {}, sold out {} from memory and {} by the ledger",
                session.wishes.rounds, contender.strategy, rates[0], rates[1], rates[2]
            ));
            for (cells, outcome) in contender.cells.iter_mut().zip(outcomes) {
                let Some(outcome) = outcome else { continue };
                let found = [
                    outcome.rate(),
                    outcome.latency_us(0.5) / 1e3,
                    outcome.latency_us(0.99) / 1e3,
                ];
                for (cell, one) in cells.iter_mut().zip(found) {
                    cell.push(one);
                }
            }
        }
    }
    let tables = [("issues", 0..1), ("refusals", 1..LOADS.len())].map(|(title, loads)| Table {
        title: format!("every strategy over HTTP, {title}"),
        columns: columns(&LOADS[loads.clone()]),
        rows: rows(&contenders, &loads),
    });
    product.stop_and_verify()?;
    fleet.verify_and_stop()?;
    let mut found = Found::default();
    found.tables.extend(tables);
    found.note(format!(
        "about {seconds} s of each kind a round and strategy, over {CONNECTIONS} connections, which the two servers of the fleet \
         share; the embedded server, the fleet (two servers, two workers, MariaDB with its binary log synced at each \
         commit, Redis with AOF always) and the load were on this machine; what was refused was asked for when the \
         store had what was issued; after each round the store, every position \
         and every user were audited, and at the end `firstcome verify` went through both. \
         Refusals by ledger and store were asked of two servers more on the same engines, with \
         `refuse_from_memory = false`; the embedded ledger knows no other ones"
    ));
    Ok(found)
}

fn columns(loads: &[&str]) -> Vec<Column> {
    let of_one = |load: &&str| {
        LOAD.map(|(what, unit)| Column {
            name: format!("{load}{what}"),
            unit,
        })
    };
    loads.iter().flat_map(of_one).collect()
}

fn rows(contenders: &[Contender<'_>], loads: &std::ops::Range<usize>) -> Vec<Row> {
    let row = |contender: &Contender<'_>| Row {
        name: contender.name.to_owned(),
        cells: contender.cells[loads.clone()].concat(),
    };
    contenders.iter().map(row).collect()
}

impl Contender<'_> {
    /// Issues what there is, asks for more, asks for what there never was, and has all of it audited. An outcome for each
    /// load; none where there is no such server.
    fn round(&mut self, seconds: f64) -> anyhow::Result<[Option<Outcome>; LOADS.len()]> {
        let counts = self.counts;
        let admin = match self.home {
            Home::Alone => &self.product.admin,
            Home::Many => &self.fleet.admin,
        };
        let coupon = admin.create_of(Some(self.strategy), Some(counts[0]))?;
        let issued = self.load(Refusing::FromMemory, coupon, 0, counts[0], 201)?;
        // Before anybody is refused, or the workers still had the cores, and the servers no filter of the winners.
        match self.home {
            Home::Alone => {
                self.product.catch_up(coupon)?;
            }
            Home::Many => {
                self.fleet.settle(coupon, counts[0])?;
            }
        }
        let outcomes = [
            Some(issued),
            self.refused(Refusing::FromMemory, coupon, counts[1], 410)?,
            self.refused(Refusing::FromLedger, coupon, counts[2], 410)?,
            self.refused(Refusing::FromMemory, UNKNOWN, counts[3], 404)?,
            self.refused(Refusing::FromLedger, UNKNOWN, counts[4], 404)?,
        ];
        audit(admin, coupon, 0, counts[0])?;
        for (count, outcome) in self.counts.iter_mut().zip(&outcomes) {
            *count = outcome.as_ref().map_or(FIRST, |outcome| due(outcome, seconds));
        }
        Ok(outcomes)
    }

    fn refused(
        &self,
        refusing: Refusing,
        coupon: u64,
        count: u64,
        status: u16,
    ) -> anyhow::Result<Option<Outcome>> {
        if matches!((self.home, refusing), (Home::Alone, Refusing::FromMemory)) {
            return Ok(None);
        }
        self.load(refusing, coupon, LATECOMERS, count, status).map(Some)
    }

    fn load(
        &self,
        refusing: Refusing,
        coupon: u64,
        first_user: u64,
        count: u64,
        status: u16,
    ) -> anyhow::Result<Outcome> {
        let outcome = match self.home {
            Home::Alone => {
                let salvo = Salvo::of(self.product.form(coupon), Users::Fresh(first_user), count);
                closed(self.product.address(), CONNECTIONS, self.threads, &salvo)
            }
            Home::Many => self
                .fleet
                .load(refusing, coupon, first_user, count, |_place, address, salvo| {
                    closed(address, CONNECTIONS / 2, 1, salvo)
                }),
        };
        let outcome = outcome.with_context(|| self.name)?;
        outcome.must_all_be(status).with_context(|| self.name)?;
        Ok(outcome)
    }
}

/// How many requests are answered in so many seconds, by what was just seen.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is neither negative nor beyond any integer"
)]
fn due(outcome: &Outcome, seconds: f64) -> u64 {
    ((outcome.rate() * seconds) as u64).clamp(FIRST, MOST)
}
