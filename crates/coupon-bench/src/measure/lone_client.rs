//! P12: what durability costs somebody who is alone.

use super::in_process::{FRAME_BYTES, RECORD_BYTES};
use crate::load::{Salvo, Users, closed};
use crate::results::{Better, Figure, Found, Goal, Unit};
use crate::server::{Product, audit, baseline};
use crate::session::Session;
use crate::sync;

const REQUESTS: u64 = 10_000;
const QUICK_REQUESTS: u64 = 500;

pub(super) fn take(session: &mut Session) -> anyhow::Result<Found> {
    let executable = session.product()?;
    let directory = session.directory("p12-")?;
    let product = Product::start(&executable, &directory.path().join("data"))?;
    let bare = baseline(&product.issued_answer()?, session.scratch())?;
    let count = session.pick(REQUESTS, QUICK_REQUESTS);
    let bytes = usize::try_from((FRAME_BYTES + RECORD_BYTES).next_multiple_of(8))?;
    let (mut ratio, mut own, mut empty, mut one_sync) = (vec![], vec![], vec![], vec![]);
    for round in 0..=session.wishes.rounds {
        let coupon = product.admin.create(Some(count))?;
        let salvo = Salvo::of(product.form(coupon), Users::Fresh(0), count);
        let issued = closed(product.address(), 1, 1, &salvo)?;
        issued.must_all_be(201)?;
        product.catch_up(coupon)?;
        audit(&product.admin, coupon, 0, count)?;
        let salvo = Salvo::of(product.form(1), Users::Fresh(0), count);
        let answered = closed(bare.address(), 1, 1, &salvo)?;
        let sync = sync::measure(session.scratch(), count, bytes)?;
        if round == 0 {
            // The first is for warming up.
            continue;
        }
        let (issued, answered) = (issued.latency_us(0.5), answered.latency_us(0.5));
        session.say(format!(
            "round {round} of {}: {issued:.0} us; sync {:.0} us, baseline {answered:.0} us: {:.2}",
            session.wishes.rounds,
            sync.median_us(),
            issued / (sync.median_us() + answered)
        ));
        ratio.push(issued / (sync.median_us() + answered));
        own.push(issued);
        empty.push(answered);
        one_sync.push(sync.median_us());
    }
    product.stop_and_verify()?;
    let mut found = Found::default();
    found.figures.push(Figure {
        name: "one client, one request under way: latency / (one sync + baseline's latency)".to_owned(),
        unit: Unit::Ratio,
        better: Better::Less,
        at_least: Goal::new("1.5", 1.5),
        aim: Goal::new("1.25", 1.25),
        values: ratio,
    });
    found.beside("latency, median", Unit::Micros, own);
    found.beside("baseline's latency, median", Unit::Micros, empty);
    found.beside(
        "one write and sync of the same bytes, median",
        Unit::Micros,
        one_sync,
    );
    found.note(format!("{count} requests a round, one after the other; medians"));
    Ok(found)
}
