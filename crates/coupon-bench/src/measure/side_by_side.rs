//! P17: every strategy beside the others over HTTP: issues, and refusals of a coupon that is sold out and of one that
//! there is not.
//!
//! The embedded ledger is one server on a data directory. The other strategies are those of one fleet, two servers and
//! two workers on MariaDB and Redis, and a coupon is bound to one of them; so rows are taken and handed over between
//! servers as they are in use. Each load is as many requests as that strategy has just shown it answers in some
//! seconds.

use super::durable_issue::CONNECTIONS;
use crate::load::{Outcome, Salvo, Users, closed};
use crate::results::{Column, Found, Row, Table, Unit};
use crate::server::{Fleet, Product, audit};
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
/// A coupon that nobody made.
const UNKNOWN: u64 = 4_000_000_000;
const COLUMNS: [(&str, Unit); 8] = [
    ("issued", Unit::PerSecond),
    ("issued, p50", Unit::Millis),
    ("issued, p99", Unit::Millis),
    ("refused, sold out", Unit::PerSecond),
    ("sold out, p50", Unit::Millis),
    ("sold out, p99", Unit::Millis),
    ("refused, unknown coupon", Unit::PerSecond),
    ("unknown coupon, p99", Unit::Millis),
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
    /// Requests of the next loads: issues, and refusals of either kind.
    counts: [u64; 3],
    cells: Vec<Vec<f64>>,
}

pub(super) fn take(session: &mut Session) -> anyhow::Result<Found> {
    let executable = session.product()?;
    let directory = session.directory("p17-")?;
    let product = Product::start(&executable, &directory.path().join("data"))?;
    let fleet = Fleet::start(&executable, directory.path(), false)?;
    let mut contenders = CONTENDERS.map(|(name, strategy, home)| Contender {
        name,
        strategy,
        home,
        product: &product,
        fleet: &fleet,
        threads: session.wishes.threads,
        counts: [FIRST; 3],
        cells: vec![Vec::new(); COLUMNS.len()],
    });
    let seconds = session.pick(SECONDS, QUICK_SECONDS);
    for round in 0..=session.wishes.rounds {
        for contender in &mut contenders {
            let cells = contender.round(seconds)?;
            if round == 0 {
                // The first is for warming up.
                continue;
            }
            session.say(format!(
                "round {round} of {}, {}: {:.0} issued/s, {:.0} refused/s",
                session.wishes.rounds, contender.strategy, cells[0], cells[3]
            ));
            for (column, cell) in contender.cells.iter_mut().zip(cells) {
                column.push(cell);
            }
        }
    }
    let rows = contenders.map(|contender| Row {
        name: contender.name.to_owned(),
        cells: contender.cells,
    });
    product.stop_and_verify()?;
    fleet.verify_and_stop()?;
    let columns = COLUMNS.map(|(name, unit)| Column {
        name: name.to_owned(),
        unit,
    });
    let mut found = Found::default();
    found.tables.push(Table {
        title: "every strategy over HTTP".to_owned(),
        columns: columns.into(),
        rows: rows.into(),
    });
    found.note(format!(
        "about {seconds} s of each kind a round and strategy, over {CONNECTIONS} connections, which the two servers of the fleet \
         share; the embedded server, the fleet (two servers, two workers, MariaDB with its binary log synced at each \
         commit, Redis with AOF always) and the load were on this machine; after each round the store, every position \
         and every user were audited, and at the end `firstcome verify` went through both. \
         Whatever a server answers from its memory by default, it answered from there"
    ));
    Ok(found)
}

impl Contender<'_> {
    /// Issues what there is, asks for more, asks for what there never was, and has all of it audited. A cell for each
    /// column.
    fn round(&mut self, seconds: f64) -> anyhow::Result<Vec<f64>> {
        let [issues, refusals, strangers] = self.counts;
        let admin = match self.home {
            Home::Alone => &self.product.admin,
            Home::Many => &self.fleet.admin,
        };
        let coupon = admin.create_of(Some(self.strategy), Some(issues))?;
        let issued = self.load(coupon, 0, issues, 201)?;
        let sold_out = self.load(coupon, LATECOMERS, refusals, 410)?;
        let unknown = self.load(UNKNOWN, LATECOMERS, strangers, 404)?;
        match self.home {
            Home::Alone => {
                self.product.catch_up(coupon)?;
            }
            Home::Many => {
                self.fleet.settle(coupon, issues)?;
            }
        }
        audit(admin, coupon, 0, issues)?;
        self.counts = [&issued, &sold_out, &unknown].map(|outcome| due(outcome, seconds));
        Ok(vec![
            issued.rate(),
            issued.latency_us(0.5) / 1e3,
            issued.latency_us(0.99) / 1e3,
            sold_out.rate(),
            sold_out.latency_us(0.5) / 1e3,
            sold_out.latency_us(0.99) / 1e3,
            unknown.rate(),
            unknown.latency_us(0.99) / 1e3,
        ])
    }

    fn load(&self, coupon: u64, first_user: u64, count: u64, status: u16) -> anyhow::Result<Outcome> {
        let outcome = match self.home {
            Home::Alone => {
                let salvo = Salvo::of(self.product.form(coupon), Users::Fresh(first_user), count);
                closed(self.product.address(), CONNECTIONS, self.threads, &salvo)
            }
            Home::Many => self
                .fleet
                .load(coupon, first_user, count, |_place, address, salvo| {
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
