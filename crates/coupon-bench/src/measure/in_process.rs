//! P4: the ledger without HTTP: one thread submits, the combiner's thread decides, writes and syncs.

use crate::house::{House, NoStore};
use crate::results::{Better, Figure, Found, Goal, Unit};
use crate::session::Session;
use crate::sync;
use std::time::Instant;

/// Requests in each batch.
const BATCH: usize = 1_024;
const ISSUES: u64 = 3_000_000;
const QUICK_ISSUES: u64 = 300_000;
const WARM_UP: u64 = 100_000;
/// Of a frame, and of the record of a user id of sixteen bytes (docs/JOURNAL-FORMAT.md).
pub(super) const FRAME_BYTES: u64 = 36;
pub(super) const RECORD_BYTES: u64 = 42;

pub(super) fn take(session: &mut Session) -> anyhow::Result<Found> {
    let count = session.pick(ISSUES, QUICK_ISSUES);
    let (mut rate, mut ratio, mut raw_rate, mut batch, mut sync_us) =
        (vec![], vec![], vec![], vec![], vec![]);
    for round in 1..=session.wishes.rounds {
        let directory = session.directory("p4-")?;
        let house = House::open(directory.path(), &NoStore)?;
        let coupon = house.create(None)?;
        house.issue(coupon, 0, WARM_UP, BATCH)?;
        let before = house.combiner.stats();
        let began = Instant::now();
        house.issue(coupon, WARM_UP, count, BATCH)?;
        let took = began.elapsed().as_secs_f64();
        let after = house.combiner.stats();
        let batches = after.batches - before.batches;
        anyhow::ensure!(batches > 0, "the combiner has counted no batches");
        let mean = count as f64 / batches as f64;
        drop(house);
        // The same number of batches, of the same size on average.
        let bytes = FRAME_BYTES + count * RECORD_BYTES / batches;
        let raw = sync::measure(directory.path(), batches, usize::try_from(bytes)?)?;
        let raw_issues = raw.rate() * mean;
        let issues = count as f64 / took;
        session.say(format!(
            "round {round} of {}: {issues:.0} issues/s in batches of {mean:.0}; the same bytes alone {raw_issues:.0} issues/s: {:.2}",
            session.wishes.rounds,
            issues / raw_issues
        ));
        rate.push(issues);
        ratio.push(issues / raw_issues);
        raw_rate.push(raw_issues);
        batch.push(mean);
        sync_us.push(raw.median_us());
    }
    let mut found = Found::default();
    found.figures.push(Figure {
        name: "in process, batches of 1,024: issues a second".to_owned(),
        unit: Unit::PerSecond,
        better: Better::More,
        at_least: Goal::new("1 M", 1e6),
        aim: Goal::new("3 M", 3e6),
        values: rate,
    });
    found.figures.push(Figure {
        name: "in process, rate / raw write + fdatasync of the same bytes".to_owned(),
        unit: Unit::Ratio,
        better: Better::More,
        at_least: Goal::new("0.12", 0.12),
        aim: Goal::new("0.35", 0.35),
        values: ratio,
    });
    found.beside(
        "raw writes and syncs of the same bytes, issues a second",
        Unit::PerSecond,
        raw_rate,
    );
    found.beside("requests in a batch, on average", Unit::Count, batch);
    found.beside(
        "one write and sync of such a batch, median",
        Unit::Micros,
        sync_us,
    );
    found.note(format!(
        "{count} issues a round from one submitting thread with {BATCH} under way, no store; the raw writes had the same number of batches of the same mean size"
    ));
    Ok(found)
}
