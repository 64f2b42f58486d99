//! P13: how soon the service is back.

use crate::house::{self, House, NoStore};
use crate::results::{Better, Figure, Found, Goal, Unit};
use crate::session::Session;
use std::time::Instant;

const ISSUES: u64 = 2_000_000;
const QUICK_ISSUES: u64 = 200_000;
const UNDER_WAY: usize = 2_048;

pub(super) fn take(session: &mut Session) -> anyhow::Result<Found> {
    let saturation = session.saturation()?;
    let count = session.pick(ISSUES, QUICK_ISSUES);
    session.say(format!("filling a journal and a store with {count} issues each"));
    let journal = session.directory("p13-journal-")?;
    let opened = House::open(journal.path(), &NoStore)?;
    let coupon = opened.create(None)?;
    opened.issue(coupon, 0, count, UNDER_WAY)?;
    drop(opened);
    let stored = session.directory("p13-store-")?;
    house::fill(stored.path(), &[(count, None)])?;
    let (mut tail, mut tail_rate, mut store, mut store_rate) = (vec![], vec![], vec![], vec![]);
    for round in 1..=session.wishes.rounds {
        let began = Instant::now();
        let opened = House::open(journal.path(), &NoStore)?;
        let from_tail = count as f64 / began.elapsed().as_secs_f64();
        anyhow::ensure!(
            opened.recovery.replayed_records >= count,
            "the journal gave back {} records",
            opened.recovery.replayed_records
        );
        drop(opened);
        let began = Instant::now();
        let opened = house::open_stored(stored.path())?;
        let from_store = count as f64 / began.elapsed().as_secs_f64();
        anyhow::ensure!(
            opened.recovery.replayed_records == 0,
            "the store did not have everything"
        );
        anyhow::ensure!(
            opened.issued(coupon) == count,
            "the store gave back {}",
            opened.issued(coupon)
        );
        drop(opened);
        session.say(format!(
            "round {round} of {}: {from_tail:.0}/s from the journal ({:.1} x P1), {from_store:.0}/s from the store ({:.1} x P1)",
            session.wishes.rounds,
            from_tail / saturation,
            from_store / saturation
        ));
        tail.push(from_tail / saturation);
        store.push(from_store / saturation);
        tail_rate.push(from_tail);
        store_rate.push(from_store);
    }
    let mut found = Found::default();
    let figure = |name: &str, at_least: f64, aim: f64, values| Figure {
        name: name.to_owned(),
        unit: Unit::Times,
        better: Better::More,
        at_least: Goal::new(&format!("{at_least} x P1"), at_least),
        aim: Goal::new(&format!("{aim} x P1"), aim),
        values,
    };
    found.figures.push(figure(
        "recovery from the journal's tail, issues a second",
        10.0,
        30.0,
        tail,
    ));
    found.figures.push(figure(
        "recovery from the store, issues a second",
        3.0,
        10.0,
        store,
    ));
    found.beside(
        "issues a second from the journal's tail",
        Unit::PerSecond,
        tail_rate,
    );
    found.beside("issues a second from the store", Unit::PerSecond, store_rate);
    found.note(format!(
        "{count} issues, opened again until the ledger could take requests; the files were in the page cache"
    ));
    Ok(found)
}
