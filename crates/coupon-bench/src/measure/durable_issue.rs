//! P1: real issues over HTTP, each durable before its answer, against a handler that does nothing.

use crate::load::{Outcome, Salvo, Users, closed};
use crate::results::{Better, Figure, Found, Goal, Unit};
use crate::server::{Child, Product, audit, baseline};
use crate::session::Session;
use crate::statistics::median;

/// Connections of the closed load, unless a measure says otherwise.
pub(super) const CONNECTIONS: usize = 256;
/// Real issues in all.
const ISSUES: u64 = 1_000_000;
const QUICK_ISSUES: u64 = 60_000;

/// A load and what the server used for it.
pub(super) struct Weighed {
    pub(super) outcome: Outcome,
    pub(super) cpu_us: f64,
}

/// One closed load on the product, on a coupon of its own.
pub(super) fn on_product(
    session: &Session,
    product: &Product,
    connections: usize,
    count: u64,
) -> anyhow::Result<(Weighed, u64)> {
    let coupon = product.admin.create(Some(count))?;
    let salvo = Salvo::of(product.form(coupon), Users::Fresh(0), count);
    let before = product.usage()?;
    let outcome = closed(product.address(), connections, session.wishes.threads, &salvo)?;
    let used = product.usage()?.cpu.saturating_sub(before.cpu);
    outcome.must_all_be(201)?;
    let cpu_us = used.as_secs_f64() * 1e6 / count as f64;
    Ok((Weighed { outcome, cpu_us }, coupon))
}

/// The same load on the baseline.
pub(super) fn on_baseline(
    session: &Session,
    baseline: &Child,
    product: &Product,
    connections: usize,
    count: u64,
    status: u16,
) -> anyhow::Result<Weighed> {
    // The very bytes that the product gets.
    let salvo = Salvo::of(product.form(1), Users::Fresh(0), count);
    let before = baseline.usage()?;
    let outcome = closed(baseline.address(), connections, session.wishes.threads, &salvo)?;
    let used = baseline.usage()?.cpu.saturating_sub(before.cpu);
    outcome.must_all_be(status)?;
    let cpu_us = used.as_secs_f64() * 1e6 / count as f64;
    Ok(Weighed { outcome, cpu_us })
}

#[derive(Default)]
struct Rounds {
    ratio: Vec<f64>,
    rate: Vec<f64>,
    baseline_rate: Vec<f64>,
    cpu: Vec<f64>,
    whole_cpu: Vec<f64>,
    baseline_cpu: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    baseline_p50: Vec<f64>,
    baseline_p99: Vec<f64>,
    lag: Vec<f64>,
    caught_up: Vec<f64>,
}

pub(super) fn take(session: &mut Session) -> anyhow::Result<Found> {
    let executable = session.product()?;
    let directory = session.directory("p1-")?;
    let product = Product::start(&executable, &directory.path().join("data"))?;
    let bare = baseline(&product.issued_answer()?, session.scratch())?;
    let rounds = u64::try_from(session.wishes.rounds)?;
    let count = session.pick(ISSUES, QUICK_ISSUES).div_ceil(rounds);
    warm_up(session, &product, &bare, count / 4)?;
    let mut found = Rounds::default();
    for round in 1..=rounds {
        session.say(format!(
            "round {round} of {rounds}: {count} issues, then {count} answers of the baseline"
        ));
        let before = product.usage()?;
        let (weighed, coupon) = on_product(session, &product, CONNECTIONS, count)?;
        let lag = product.catch_up(coupon)?;
        let whole = product.usage()?.cpu.saturating_sub(before.cpu);
        let empty = on_baseline(session, &bare, &product, CONNECTIONS, count, 201)?;
        audit(&product.admin, coupon, 0, count)?;
        found.ratio.push(weighed.outcome.rate() / empty.outcome.rate());
        found.rate.push(weighed.outcome.rate());
        found.baseline_rate.push(empty.outcome.rate());
        found.cpu.push(weighed.cpu_us);
        found.whole_cpu.push(whole.as_secs_f64() * 1e6 / count as f64);
        found.baseline_cpu.push(empty.cpu_us);
        found.p50.push(weighed.outcome.latency_us(0.5) / 1e3);
        found.p99.push(weighed.outcome.latency_us(0.99) / 1e3);
        found.baseline_p50.push(empty.outcome.latency_us(0.5) / 1e3);
        found.baseline_p99.push(empty.outcome.latency_us(0.99) / 1e3);
        found.lag.push(lag.issues as f64);
        found.caught_up.push(lag.caught_up_after.as_secs_f64());
        session.say(format!(
            "{:.0} issues/s ({:.1} us of server CPU each), baseline {:.0}/s ({:.1} us): {:.2}; the store was {} behind and had caught up after {:.2} s",
            weighed.outcome.rate(),
            weighed.cpu_us,
            empty.outcome.rate(),
            empty.cpu_us,
            weighed.outcome.rate() / empty.outcome.rate(),
            lag.issues,
            lag.caught_up_after.as_secs_f64()
        ));
    }
    product.stop_and_verify()?;
    session.found_saturation(median(&found.rate));
    Ok(found.found(rounds * count))
}

pub(super) fn warm_up(session: &Session, product: &Product, bare: &Child, count: u64) -> anyhow::Result<()> {
    session.say("warming up");
    let (_, coupon) = on_product(session, product, CONNECTIONS, count)?;
    product.catch_up(coupon)?;
    on_baseline(session, bare, product, CONNECTIONS, count, 201)?;
    Ok(())
}

impl Rounds {
    fn found(self, issues: u64) -> Found {
        let mut found = Found::default();
        found.figures.push(Figure {
            name: "durable issue over HTTP, rate / baseline's".to_owned(),
            unit: Unit::Ratio,
            better: Better::More,
            at_least: Goal::new("0.70", 0.70),
            aim: Goal::new("0.85", 0.85),
            values: self.ratio,
        });
        found.beside("issues a second", Unit::PerSecond, self.rate);
        found.beside("baseline's answers a second", Unit::PerSecond, self.baseline_rate);
        found.beside("server CPU per issue while the load runs", Unit::Micros, self.cpu);
        found.beside(
            "server CPU per issue until the store has it",
            Unit::Micros,
            self.whole_cpu,
        );
        found.beside("baseline's CPU per answer", Unit::Micros, self.baseline_cpu);
        found.beside("latency, median", Unit::Millis, self.p50);
        found.beside("latency, p99", Unit::Millis, self.p99);
        found.beside("baseline's latency, median", Unit::Millis, self.baseline_p50);
        found.beside("baseline's latency, p99", Unit::Millis, self.baseline_p99);
        found.beside(
            "issues that the store was behind at the end",
            Unit::Count,
            self.lag,
        );
        found.beside("and had after", Unit::Seconds, self.caught_up);
        found.note(format!(
            "{issues} coupons issued with 201 over {CONNECTIONS} connections, the store following; after each round every position \
             and user was audited over HTTP, and at the end `firstcome verify` audited the data directory at rest"
        ));
        found
    }
}
