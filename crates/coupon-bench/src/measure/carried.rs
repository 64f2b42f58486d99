//! P9: how long an issue takes to the store of many servers, and what it costs each process.
//!
//! The truth is what the store shows: beside the load one connection asks it again and again for the positions that it
//! did not have before. A position's time is from its `issued_at`, by Redis's clock, until the answer in which it was
//! seen first, by the bench's, which is the same clock on one machine; so it is too long by up to one such question and
//! never too short. What the workers count on /metrics is known only to a bucket, and ends when the commit was answered
//! to them: it must have counted every issue, and stands beside.

use crate::clock::SystemClock;
use crate::load::open;
use crate::results::{Better, Figure, Found, Goal, Unit};
use crate::server::{Fleet, Refusing, audit, pause};
use crate::session::Session;
use anyhow::{Context as _, ensure};
use coupon_testkit::SqlSession;
use hdrhistogram::Histogram;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const PER_SECOND: u64 = 5_000;
const SECONDS: u64 = 10;
const QUICK_SECONDS: u64 = 3;
/// Connections to each server.
const CONNECTIONS: usize = 32;
/// Between two questions to the store.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long nothing happens to a coupon before its load: longer than workers let an idle stream wait, so that what the
/// opening itself costs is in the numbers, and how soon a new coupon is found is not.
const SILENCE: Duration = Duration::from_millis(500);
/// Longest time to the store that is told apart, in microseconds.
const LONGEST_US: u64 = 600_000_000;

/// What the rounds of one way found.
#[derive(Default)]
struct Rounds {
    p50: Vec<f64>,
    p99: Vec<f64>,
    longest: Vec<f64>,
    counted: Vec<f64>,
    answers_p99: Vec<f64>,
    settled: Vec<f64>,
    cpu: BTreeMap<String, Vec<f64>>,
}

pub(super) fn take(session: &mut Session) -> anyhow::Result<Found> {
    let by_stream = rounds(session, false)?;
    let by_kafka = rounds(session, true)?;
    let mut found = Found::default();
    for (way, taken, at_least, aim) in [("stream", &by_stream, 0.5, 0.2), ("Kafka", &by_kafka, 2.0, 0.5)] {
        found.figures.push(Figure {
            name: format!(
                "open load of 5,000 issues/s, two servers, two workers: issue to store by {way}, p99"
            ),
            unit: Unit::Millis,
            better: Better::Less,
            at_least: Goal::new(&format!("{at_least} s"), at_least * 1e3),
            aim: Goal::new(&format!("{aim} s"), aim * 1e3),
            values: taken.p99.clone(),
        });
    }
    for (way, taken) in [("stream", by_stream), ("Kafka", by_kafka)] {
        for (what, values) in [
            ("issue to store, median", taken.p50),
            ("issue to store, longest", taken.longest),
            ("the bucket of the workers' own p99 of it ends at", taken.counted),
            ("the answers' p99", taken.answers_p99),
            ("after the last answer, until the stream was empty", taken.settled),
        ] {
            found.beside(format!("by {way}: {what}"), Unit::Millis, values);
        }
        for (process, cpu) in taken.cpu {
            found.beside(format!("by {way}: CPU of {process} per issue"), Unit::Micros, cpu);
        }
    }
    found.note(format!(
        "{PER_SECOND} requests a second with random gaps (Poisson), half to each server, {} s a round, of a coupon \
         that was made before and that nobody had asked for, on MariaDB with its binary \
         log synced at each commit, Redis with AOF always and one Kafka broker, all on this machine; the store was asked every \
         {} ms for what had come, which mariadbd's CPU has in it; CPU until everything had come, over all issues, whichever \
         process served them; after each round the store, every position and every user were audited, and at the end \
         `firstcome verify` held ledger and database against each other",
        session.pick(SECONDS, QUICK_SECONDS),
        LOOK_EVERY.as_millis(),
    ));
    Ok(found)
}

fn rounds(session: &mut Session, by_kafka: bool) -> anyhow::Result<Rounds> {
    let executable = session.product()?;
    let directory = session.directory("p9-")?;
    let fleet = Fleet::start(&executable, directory.path(), by_kafka)?;
    let seconds = session.pick(SECONDS, QUICK_SECONDS);
    let way = if by_kafka { "by Kafka" } else { "by stream" };
    session.say(format!("{way}: warming up"));
    one_round(&fleet, 0, QUICK_SECONDS, &mut Rounds::default())?;
    let mut rounds = Rounds::default();
    for round in 1..=session.wishes.rounds {
        one_round(&fleet, u64::try_from(round)?, seconds, &mut rounds)?;
        session.say(format!(
            "round {round} of {}, {way}: p99 to the store {:.0} ms",
            session.wishes.rounds,
            rounds.p99.last().copied().unwrap_or_default()
        ));
    }
    fleet.verify_and_stop()?;
    Ok(rounds)
}

fn one_round(fleet: &Fleet, seed: u64, seconds: u64, rounds: &mut Rounds) -> anyhow::Result<()> {
    let count = PER_SECOND * seconds;
    let coupon = fleet.admin.create_of(Some("redis-script"), Some(count))?;
    fleet.settle(coupon, 0)?;
    pause(SILENCE);
    let (counted_before, used_before) = (fleet.to_store()?, fleet.usage()?);
    let over = AtomicBool::new(false);
    let (outcome, settled, times) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch(fleet.database.session()?, coupon, &over));
        let rate = PER_SECOND as f64 / 2.0;
        let loaded = fleet.load(Refusing::FromMemory, coupon, 0, count, |place, address, salvo| {
            open(address, CONNECTIONS, rate, 2 * seed + place, salvo)
        });
        let settled = loaded.and_then(|outcome| {
            outcome.must_all_be(201)?;
            let settled = fleet.settle(coupon, count)?;
            Ok((outcome, settled))
        });
        over.store(true, Ordering::Release);
        let times = watching
            .join()
            .ok()
            .context("whoever watched the store panicked")?;
        let (outcome, settled) = settled?;
        anyhow::Ok((outcome, settled, times?))
    })?;
    let used = fleet.usage()?;
    ensure!(
        times.len() == count,
        "{} of {count} issues were seen in the store",
        times.len()
    );
    let counted = fleet.to_store()?.since(&counted_before);
    ensure!(
        counted.count() >= count as f64,
        "the workers counted {} of {count} issues",
        counted.count()
    );
    audit(&fleet.admin, coupon, 0, count)?;
    rounds.p50.push(times.value_at_quantile(0.5) as f64 / 1e3);
    rounds.p99.push(times.value_at_quantile(0.99) as f64 / 1e3);
    rounds.longest.push(times.max() as f64 / 1e3);
    rounds.counted.push(counted.quantile(0.99).1 * 1e3);
    rounds.answers_p99.push(outcome.latency_us(0.99) / 1e3);
    rounds.settled.push(settled.as_secs_f64() * 1e3);
    for ((name, before), (_, after)) in used_before.into_iter().zip(used) {
        let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6 / count as f64;
        rounds.cpu.entry(name).or_default().push(cpu);
    }
    Ok(())
}

/// Sees what comes to the store until it is over, and how long each took from its issue, in microseconds.
fn watch(mut store: SqlSession, coupon: u64, over: &AtomicBool) -> anyhow::Result<Histogram<u64>> {
    let mut times = Histogram::new_with_bounds(1, LONGEST_US, 3)?;
    // Everything up to here was seen, and these beyond it.
    let (mut all_up_to, mut beyond) = (0, BTreeSet::new());
    loop {
        // What comes after this was read is seen by another turn.
        let is_over = over.load(Ordering::Acquire);
        let rows = store.query(&format!(
            "SELECT position, issued_at FROM issued_coupons WHERE coupon_id = {coupon} AND position > {all_up_to} \
             ORDER BY position"
        ))?;
        let now = coupon_app::Clock::now(&SystemClock).as_micros();
        for row in rows {
            let number = |column: usize| {
                let cell = row.get(column).and_then(|cell| cell.as_deref());
                anyhow::Ok(cell.context("a row without its numbers")?.parse::<i64>()?)
            };
            let (position, issued_at) = (number(0)?, number(1)?);
            if beyond.insert(position) {
                times.saturating_record(u64::try_from(now - issued_at).unwrap_or(0).max(1));
            }
        }
        while beyond.remove(&(all_up_to + 1)) {
            all_up_to += 1;
        }
        if is_over {
            return Ok(times);
        }
        pause(LOOK_EVERY);
    }
}
