//! P14: what thousands of connections cost.

use super::durable_issue::{on_baseline, on_product};
use crate::results::{Better, Figure, Found, Goal, Unit};
use crate::server::{Product, audit, baseline};
use crate::session::Session;

const FEW: usize = 64;
const MANY: usize = 4_096;
const ISSUES: u64 = 200_000;
const QUICK_ISSUES: u64 = 20_000;

pub(super) fn take(session: &mut Session) -> anyhow::Result<Found> {
    let executable = session.product()?;
    let directory = session.directory("p14-")?;
    let product = Product::start(&executable, &directory.path().join("data"))?;
    let bare = baseline(&product.issued_answer()?, session.scratch())?;
    let count = session.pick(ISSUES, QUICK_ISSUES);
    let (mut ratio, mut few, mut many, mut bare_ratio) = (vec![], vec![], vec![], vec![]);
    for round in 0..=session.wishes.rounds {
        let mut rates = [0.0; 2];
        let mut bare_rates = [0.0; 2];
        for (index, connections) in [FEW, MANY].into_iter().enumerate() {
            let (weighed, coupon) = on_product(session, &product, connections, count)?;
            product.catch_up(coupon)?;
            audit(&product.admin, coupon, 0, count)?;
            rates[index] = weighed.outcome.rate();
            bare_rates[index] = on_baseline(session, &bare, &product, connections, count, 201)?
                .outcome
                .rate();
        }
        if round == 0 {
            // The first is for warming up.
            continue;
        }
        session.say(format!(
            "round {round} of {}: {:.0}/s with {FEW}, {:.0}/s with {MANY}: {:.2} (baseline {:.2})",
            session.wishes.rounds,
            rates[0],
            rates[1],
            rates[1] / rates[0],
            bare_rates[1] / bare_rates[0]
        ));
        ratio.push(rates[1] / rates[0]);
        bare_ratio.push(bare_rates[1] / bare_rates[0]);
        few.push(rates[0]);
        many.push(rates[1]);
    }
    product.stop_and_verify()?;
    let mut found = Found::default();
    found.figures.push(Figure {
        name: "rate with 4,096 connections / with 64".to_owned(),
        unit: Unit::Ratio,
        better: Better::More,
        at_least: Goal::new("0.8", 0.8),
        aim: Goal::new("0.95", 0.95),
        values: ratio,
    });
    found.beside("the same of the baseline", Unit::Ratio, bare_ratio);
    found.beside("issues a second with 64", Unit::PerSecond, few);
    found.beside("issues a second with 4,096", Unit::PerSecond, many);
    found.note(format!("{count} issues a round with each, all audited"));
    Ok(found)
}
