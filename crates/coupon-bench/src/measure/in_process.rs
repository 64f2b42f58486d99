//! P4: the ledger without HTTP: one thread submits, the combiner's thread decides, writes and syncs.

use crate::house::{House, NoStore};
use crate::results::{Better, Figure, Found, Goal, Unit};
use crate::session::Session;
use crate::sync;
use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};
use std::path::Path;
use std::time::Instant;

/// Requests under way at once: one batch of 1,024 is being decided, and of the one before the waiters are answered.
const UNDER_WAY: usize = 2_048;
const ISSUES: u64 = 3_000_000;
const QUICK_ISSUES: u64 = 300_000;
const WARM_UP: u64 = 100_000;
/// Of a frame, and of the record of a user id of sixteen bytes (docs/JOURNAL-FORMAT.md).
pub(super) const FRAME_BYTES: u64 = 36;
pub(super) const RECORD_BYTES: u64 = 42;

/// What one thread that submits got out of the ledger.
struct Issued {
    /// A second.
    rate: f64,
    batches: u64,
}

/// Issues so many in a directory of their own.
fn issue(directory: &Path, count: u64) -> anyhow::Result<Issued> {
    let house = House::open(directory, &NoStore)?;
    let coupon = house.create(None)?;
    house.issue(coupon, 0, WARM_UP, UNDER_WAY)?;
    let before = house.combiner.stats();
    let began = Instant::now();
    house.issue(coupon, WARM_UP, count, UNDER_WAY)?;
    let took = began.elapsed().as_secs_f64();
    let batches = house.combiner.stats().batches - before.batches;
    anyhow::ensure!(batches > 0, "the combiner has counted no batches");
    Ok(Issued {
        rate: count as f64 / took,
        batches,
    })
}

/// The same with every thread on the one core where this happens to run.
fn issue_on_one_core(directory: &Path, count: u64) -> anyhow::Result<Issued> {
    std::thread::scope(|threads| {
        let pinned = threads.spawn(|| {
            let mut here = CpuSet::new();
            here.set(sched_getcpu());
            sched_setaffinity(None, &here)?;
            issue(directory, count)
        });
        pinned
            .join()
            .map_err(|_panic| anyhow::anyhow!("the measure panicked"))?
    })
}

pub(super) fn take(session: &mut Session) -> anyhow::Result<Found> {
    let count = session.pick(ISSUES, QUICK_ISSUES);
    let (mut rate, mut ratio, mut raw_rate, mut batch, mut sync_us, mut alone) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    for round in 1..=session.wishes.rounds {
        let directory = session.directory("p4-")?;
        let issued = issue(directory.path(), count)?;
        // The same number of batches, of the same size on average.
        let bytes = FRAME_BYTES + count * RECORD_BYTES / issued.batches;
        let raw = sync::measure(directory.path(), issued.batches, usize::try_from(bytes)?)?;
        let mean = count as f64 / issued.batches as f64;
        let raw_issues = raw.rate() * mean;
        let directory = session.directory("p4-")?;
        let on_one_core = issue_on_one_core(directory.path(), count)?;
        session.say(format!(
            "round {round} of {}: {:.0} issues/s in batches of {mean:.0}; the same bytes alone {raw_issues:.0} issues/s: {:.2}; with who asks on the same core {:.0} issues/s",
            session.wishes.rounds,
            issued.rate,
            issued.rate / raw_issues,
            on_one_core.rate
        ));
        rate.push(issued.rate);
        ratio.push(issued.rate / raw_issues);
        raw_rate.push(raw_issues);
        batch.push(mean);
        sync_us.push(raw.median_us());
        alone.push(on_one_core.rate);
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
    found.beside(
        "with who asks on the same core, issues a second",
        Unit::PerSecond,
        alone,
    );
    found.beside("requests in a batch, on average", Unit::Count, batch);
    found.beside(
        "one write and sync of such a batch, median",
        Unit::Micros,
        sync_us,
    );
    found.note(format!(
        "{count} issues a round from one submitting thread with {UNDER_WAY} under way, no store; the ledger's thread has one core, who asks the other; the raw writes had the same number of batches of the same mean size"
    ));
    Ok(found)
}
