//! P18: redemptions over HTTP, each durable before its answer, against issues of the same coupon.

use super::durable_issue::on_product;
use crate::load::{Salvo, Users, closed};
use crate::results::{Better, Figure, Found, Goal, Unit};
use crate::server::Product;
use crate::session::Session;

const CONNECTIONS: usize = 64;
/// Positions whose numbers have equally many digits, so that a request is written down but for these.
const POSITIONS: (u64, u64) = (10_000, 99_999);
const QUICK_POSITIONS: (u64, u64) = (1_000, 9_999);

pub(super) fn take(session: &mut Session) -> anyhow::Result<Found> {
    let executable = session.product()?;
    let directory = session.directory("p17-")?;
    let product = Product::start(&executable, &directory.path().join("data"))?;
    let (first, last) = session.pick(POSITIONS, QUICK_POSITIONS);
    let count = last - first + 1;
    let (mut ratio, mut rate, mut issue_rate, mut cpu) = (vec![], vec![], vec![], vec![]);
    let (mut p50, mut p99) = (vec![], vec![]);
    for round in 0..=session.wishes.rounds {
        let (issued, coupon) = on_product(session, &product, CONNECTIONS, last)?;
        product.catch_up(coupon)?;
        let salvo = Salvo::of(product.redemption(coupon, first, last), Users::Fresh(0), count);
        let before = product.usage()?;
        let redeemed = closed(product.address(), CONNECTIONS, session.wishes.threads, &salvo)?;
        let used = product.usage()?.cpu.saturating_sub(before.cpu);
        redeemed.must_all_be(200)?;
        let counts = product.admin.counts(coupon)?;
        anyhow::ensure!(
            counts.redeemed == count,
            "{count} were redeemed, and the server says {counts:?}"
        );
        if round == 0 {
            // The first is for warming up.
            continue;
        }
        let (issues, redemptions) = (issued.outcome.rate(), redeemed.rate());
        session.say(format!(
            "round {round} of {}: {redemptions:.0} redemptions/s, {issues:.0} issues/s: {:.2}",
            session.wishes.rounds,
            redemptions / issues
        ));
        ratio.push(redemptions / issues);
        rate.push(redemptions);
        issue_rate.push(issues);
        cpu.push(used.as_secs_f64() * 1e6 / count as f64);
        p50.push(redeemed.latency_us(0.5) / 1e3);
        p99.push(redeemed.latency_us(0.99) / 1e3);
    }
    product.stop_and_verify()?;
    let mut found = Found::default();
    found.figures.push(Figure {
        name: "redeem over HTTP, distinct coupons, rate / issue's".to_owned(),
        unit: Unit::Ratio,
        better: Better::More,
        at_least: Goal::new("0.25", 0.25),
        aim: Goal::new("0.5", 0.5),
        values: ratio,
    });
    found.beside("redemptions a second", Unit::PerSecond, rate);
    found.beside("issues a second", Unit::PerSecond, issue_rate);
    found.beside("server CPU per redemption", Unit::Micros, cpu);
    found.beside("latency, median", Unit::Millis, p50);
    found.beside("latency, p99", Unit::Millis, p99);
    found.note(format!(
        "{count} of {last} issued coupons redeemed a round, each once, in no order of theirs, over {CONNECTIONS} connections, after \
         the store had them; at the end `firstcome verify` went through every history"
    ));
    Ok(found)
}
