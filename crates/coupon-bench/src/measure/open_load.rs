//! P11: how long people wait while the server has room to spare.

use super::durable_issue::{CONNECTIONS, warm_up};
use crate::host;
use crate::load::{Outcome, Salvo, Users, open};
use crate::results::{Better, Figure, Found, Goal, Unit};
use crate::server::{Product, audit, baseline};
use crate::session::Session;
use crate::statistics::median;
use crate::sync::{self, SyncTimes};

const SECONDS: u64 = 8;
const QUICK_SECONDS: u64 = 2;
/// Enough that a p99 is more than the few worst.
const SYNCS: u64 = 3_000;
/// About a hundred records, as a batch has them at this load.
const BATCH_BYTES: usize = 4_096;
/// Syncs that may lie between the product's p99 and the baseline's.
const AIM_SYNCS: f64 = 4.0;

pub(super) fn take(session: &mut Session) -> anyhow::Result<Found> {
    let saturation = session.saturation()?;
    let executable = session.product()?;
    let directory = session.directory("p11-")?;
    let product = Product::start(&executable, &directory.path().join("data"))?;
    let bare = baseline(&product.issued_answer()?, session.scratch())?;
    warm_up(session, &product, &bare, session.pick(50_000, 5_000))?;
    let per_second = whole(saturation / 2.0);
    let rate = per_second as f64;
    let count = per_second * session.pick(SECONDS, QUICK_SECONDS);
    let mut rounds = Rounds::default();
    for round in 1..=session.wishes.rounds {
        let seed = u64::try_from(round)?;
        session.say(format!(
            "round {round} of {}: {rate:.0} requests/s",
            session.wishes.rounds
        ));
        let coupon = product.admin.create(Some(count))?;
        let salvo = Salvo::of(product.form(coupon), Users::Fresh(0), count);
        let (issued, taken) = host::meanwhile(|| open(product.address(), CONNECTIONS, rate, seed, &salvo));
        let issued = issued?;
        issued.must_all_be(201)?;
        product.catch_up(coupon)?;
        let salvo = Salvo::of(product.form(1), Users::Fresh(0), count);
        let (empty, bare_taken) = host::meanwhile(|| open(bare.address(), CONNECTIONS, rate, seed, &salvo));
        let empty = empty?;
        audit(&product.admin, coupon, 0, count)?;
        let (sync, sync_taken) = host::meanwhile(|| sync::measure(session.scratch(), SYNCS, BATCH_BYTES));
        let taken = [taken, bare_taken, sync_taken];
        rounds.add(session, &issued, &empty, &sync?, taken);
    }
    product.stop_and_verify()?;
    let mut found = rounds.found();
    found.note(format!(
        "{rate:.0} requests a second with random gaps (Poisson), half of P1's rate in this run, {count} a round; latencies count from \
         the intended time of sending; {SYNCS} writes and syncs alone after each round"
    ));
    Ok(found)
}

#[derive(Default)]
struct Rounds {
    more: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    bare_p50: Vec<f64>,
    bare_p99: Vec<f64>,
    sync_p50: Vec<f64>,
    sync_p99: Vec<f64>,
    /// What the host took: during the load, the baseline's, and the syncs alone.
    taken: [Vec<f64>; 3],
}

impl Rounds {
    fn add(
        &mut self,
        session: &Session,
        issued: &Outcome,
        empty: &Outcome,
        sync: &SyncTimes,
        taken: [Option<f64>; 3],
    ) {
        let [p99, bare_p99] = [issued, empty].map(|outcome| outcome.latency_us(0.99) / 1e3);
        self.more.push(p99 - bare_p99);
        self.p50.push(issued.latency_us(0.5) / 1e3);
        self.p99.push(p99);
        self.bare_p50.push(empty.latency_us(0.5) / 1e3);
        self.bare_p99.push(bare_p99);
        self.sync_p50.push(sync.median_us() / 1e3);
        self.sync_p99.push(sync.latency_us(0.99) / 1e3);
        for (all, percent) in self.taken.iter_mut().zip(taken) {
            all.extend(percent);
        }
        let taken = taken.map(|percent| percent.map_or("?".to_owned(), |percent| format!("{percent:.1}")));
        session.say(format!(
            "p99 {p99:.2} ms, baseline's {bare_p99:.2} ms: {:.2} ms more; of a write and sync alone {:.2} ms; meanwhile the host took {} % \
             of the processors",
            p99 - bare_p99,
            sync.latency_us(0.99) / 1e3,
            taken.join(", ")
        ));
    }

    fn found(self) -> Found {
        let mut found = Found::default();
        let aim = AIM_SYNCS * median(&self.sync_p50);
        found.figures.push(Figure {
            name: "open load at half of saturation: p99 - baseline's p99".to_owned(),
            unit: Unit::Millis,
            better: Better::Less,
            at_least: Goal::new("1 ms", 1.0),
            aim: Goal::new(&format!("4 syncs ({aim:.2} ms)"), aim),
            values: self.more,
        });
        found.beside("p50", Unit::Millis, self.p50);
        found.beside("p99", Unit::Millis, self.p99);
        found.beside("baseline's p50", Unit::Millis, self.bare_p50);
        found.beside("baseline's p99", Unit::Millis, self.bare_p99);
        found.beside(
            "one write and sync of 4,096 bytes, median",
            Unit::Millis,
            self.sync_p50,
        );
        found.beside(
            "one write and sync of 4,096 bytes, p99",
            Unit::Millis,
            self.sync_p99,
        );
        let during = ["the load", "the baseline's load", "the writes and syncs alone"];
        for (during, taken) in during.iter().zip(self.taken) {
            // Nothing where the kernel does not tell.
            if !taken.is_empty() {
                let name = format!("processor time that the host took during {during}");
                found.beside(name, Unit::Percent, taken);
            }
        }
        found
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is neither negative nor beyond any integer"
)]
fn whole(rate: f64) -> u64 {
    rate as u64
}
