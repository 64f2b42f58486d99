//! P11: how long people wait while the server has room to spare.

use super::durable_issue::{CONNECTIONS, warm_up};
use crate::load::{Salvo, Users, open};
use crate::results::{Better, Figure, Found, Goal, Unit};
use crate::server::{Product, audit, baseline};
use crate::session::Session;
use crate::statistics::median;
use crate::sync;

const SECONDS: u64 = 8;
const QUICK_SECONDS: u64 = 2;
const SYNCS: u64 = 300;
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
    let (mut more, mut p50, mut p99, mut bare_p50, mut bare_p99) = (vec![], vec![], vec![], vec![], vec![]);
    let mut syncs = Vec::new();
    for round in 1..=session.wishes.rounds {
        let seed = u64::try_from(round)?;
        session.say(format!(
            "round {round} of {}: {rate:.0} requests/s",
            session.wishes.rounds
        ));
        let coupon = product.admin.create(Some(count))?;
        let salvo = Salvo::of(product.form(coupon), Users::Fresh(0), count);
        let issued = open(product.address(), CONNECTIONS, rate, seed, &salvo)?;
        issued.must_all_be(201)?;
        product.catch_up(coupon)?;
        let salvo = Salvo::of(product.form(1), Users::Fresh(0), count);
        let empty = open(bare.address(), CONNECTIONS, rate, seed, &salvo)?;
        audit(&product.admin, coupon, 0, count)?;
        syncs.push(sync::measure(session.scratch(), SYNCS, BATCH_BYTES)?.median_us() / 1e3);
        let difference = (issued.latency_us(0.99) - empty.latency_us(0.99)) / 1e3;
        session.say(format!(
            "p99 {:.2} ms, baseline's {:.2} ms: {difference:.2} ms more",
            issued.latency_us(0.99) / 1e3,
            empty.latency_us(0.99) / 1e3
        ));
        more.push(difference);
        p50.push(issued.latency_us(0.5) / 1e3);
        p99.push(issued.latency_us(0.99) / 1e3);
        bare_p50.push(empty.latency_us(0.5) / 1e3);
        bare_p99.push(empty.latency_us(0.99) / 1e3);
    }
    product.stop_and_verify()?;
    let mut found = Found::default();
    let aim = AIM_SYNCS * median(&syncs);
    found.figures.push(Figure {
        name: "open load at half of saturation: p99 - baseline's p99".to_owned(),
        unit: Unit::Millis,
        better: Better::Less,
        at_least: Goal::new("1 ms", 1.0),
        aim: Goal::new(&format!("4 syncs ({aim:.2} ms)"), aim),
        values: more,
    });
    found.beside("p50", Unit::Millis, p50);
    found.beside("p99", Unit::Millis, p99);
    found.beside("baseline's p50", Unit::Millis, bare_p50);
    found.beside("baseline's p99", Unit::Millis, bare_p99);
    found.beside("one write and sync of 4,096 bytes, median", Unit::Millis, syncs);
    found.note(format!(
        "{rate:.0} requests a second with random gaps (Poisson), half of P1's rate in this run, {count} a round; latencies count from \
         the intended time of sending"
    ));
    Ok(found)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is neither negative nor beyond any integer"
)]
fn whole(rate: f64) -> u64 {
    rate as u64
}
