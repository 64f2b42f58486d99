//! P16: what ten million issued coupons cost, in memory and in time.

use super::durable_issue::CONNECTIONS;
use crate::house::{self, House, NoStore};
use crate::load::{Salvo, Users, closed};
use crate::results::{Better, Figure, Found, Goal, Unit};
use crate::server::{Product, Usage};
use crate::session::Session;
use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::Command;

const MANY: u64 = 10_000_000;
const QUICK_MANY: u64 = 300_000;
const FEW: u64 = 10_000;
const UNDER_WAY: usize = 4_096;
/// Issues of a round.
const ISSUES: u64 = 200_000;
const QUICK_ISSUES: u64 = 20_000;
/// Users of the measured requests: nobody has a coupon yet.
const NEWCOMERS: u64 = 1 << 40;

/// What a process that holds a ledger weighs.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Held {
    empty_bytes: u64,
    full_bytes: u64,
}

/// Fills a ledger and says what this process weighs before and after. Runs in a process of its own, so that nothing
/// else is weighed.
pub(crate) fn hold(directory: &Path, count: u64) -> anyhow::Result<Held> {
    let house = House::open(directory, &NoStore)?;
    let coupon = house.create(None)?;
    // The first few bring in what every ledger needs, however many it holds.
    house.issue(coupon, 0, FEW, UNDER_WAY)?;
    let empty = Usage::of_this()?;
    house.issue(coupon, FEW, count, UNDER_WAY)?;
    let full = Usage::of_this()?;
    Ok(Held {
        empty_bytes: empty.resident_bytes,
        full_bytes: full.resident_bytes,
    })
}

/// The same in a child process.
fn held(session: &Session, count: u64) -> anyhow::Result<f64> {
    let directory = session.directory("p16-held-")?;
    let output = Command::new(std::env::current_exe()?)
        .arg("hold")
        .arg("--directory")
        .arg(directory.path())
        .arg("--count")
        .arg(count.to_string())
        .output()
        .context("cannot run the holder")?;
    ensure!(
        output.status.success(),
        "the holder failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let held: Held = serde_json::from_slice(&output.stdout)?;
    Ok(held.full_bytes.saturating_sub(held.empty_bytes) as f64 / count as f64)
}

pub(super) fn take(session: &mut Session) -> anyhow::Result<Found> {
    let executable = session.product()?;
    let many = session.pick(MANY, QUICK_MANY);
    let mut bytes = Vec::new();
    for round in 1..=session.pick(2, 1) {
        session.say(format!(
            "weighing a process that holds {many} issued coupons, {round}"
        ));
        bytes.push(held(session, many)?);
    }
    let issues = session.pick(ISSUES, QUICK_ISSUES);
    let rounds = u64::try_from(session.wishes.rounds)?;
    session.say(format!(
        "filling a data directory with {many} issues of one coupon, and one with {FEW} of each of many"
    ));
    let (full, small) = (session.directory("p16-many-")?, session.directory("p16-few-")?);
    let (full, small) = (full.path().join("data"), small.path().join("data"));
    std::fs::create_dir(&full)?;
    std::fs::create_dir(&small)?;
    house::fill(&full, &[(many, None)])?;
    // A coupon grows from ten to twenty thousand and gives way to the next.
    let coupons = ((rounds + 1) * issues).div_ceil(FEW);
    house::fill(&small, &vec![(FEW, None); usize::try_from(coupons)?])?;
    let full = Product::start(&executable, &full)?;
    let small = Product::start(&executable, &small)?;
    let server_bytes = full.usage()?.resident_bytes;
    let (mut ratio, mut cpu_full, mut cpu_small) = (vec![], vec![], vec![]);
    for round in 0..=rounds {
        let from = NEWCOMERS + round * issues;
        let at_full = Salvo::of(full.form(1), Users::Fresh(from), issues);
        let cpu_at_full = cpu(session, &full, &at_full, 1)?;
        let first = round * issues / FEW + 1;
        let last = first + issues / FEW - 1;
        let forms = (first..last + 1).map(|coupon| small.form(coupon)).collect();
        let at_small = Salvo::in_turn(forms, FEW, Users::Fresh(from), issues);
        let cpu_at_small = cpu(session, &small, &at_small, last)?;
        if round == 0 {
            // The first is for warming up.
            continue;
        }
        session.say(format!(
            "round {round} of {rounds}: {cpu_at_full:.2} us of server CPU an issue at {many}, {cpu_at_small:.2} us at {FEW}: {:.2}",
            cpu_at_full / cpu_at_small
        ));
        ratio.push(cpu_at_full / cpu_at_small);
        cpu_full.push(cpu_at_full);
        cpu_small.push(cpu_at_small);
    }
    full.catch_up(1)?;
    full.stop()?;
    small.stop()?;
    let mut found = Found::default();
    found.figures.push(Figure {
        name: "memory per issued coupon at 10 million, user ids of 16 bytes".to_owned(),
        unit: Unit::Bytes,
        better: Better::Less,
        at_least: Goal::new("64 B", 64.0),
        aim: Goal::new("40 B", 40.0),
        values: bytes,
    });
    found.figures.push(Figure {
        name: "server CPU of one issue over HTTP at 10 million / at 10 thousand".to_owned(),
        unit: Unit::Ratio,
        better: Better::Less,
        at_least: Goal::new("1.3", 1.3),
        aim: Goal::new("1.1", 1.1),
        values: ratio,
    });
    found.beside(format!("server CPU per issue at {many}"), Unit::Micros, cpu_full);
    found.beside(
        format!("server CPU per issue at {FEW} to {}", 2 * FEW),
        Unit::Micros,
        cpu_small,
    );
    found.beside(
        format!("resident memory of the whole server after its start with {many}, per issued coupon"),
        Unit::Bytes,
        vec![server_bytes as f64 / many as f64],
    );
    found.note(format!(
        "resident memory of a process that holds the ledger, with {many} issued less with {FEW}; CPU of {issues} issues a round over \
         {CONNECTIONS} connections, until the store had them"
    ));
    Ok(found)
}

/// Server CPU per issue, until the store has the last coupon's too, in microseconds.
fn cpu(session: &Session, product: &Product, salvo: &Salvo, last: u64) -> anyhow::Result<f64> {
    let before = product.usage()?;
    closed(product.address(), CONNECTIONS, session.wishes.threads, salvo)?.must_all_be(201)?;
    product.catch_up(last)?;
    let used = product.usage()?.cpu.saturating_sub(before.cpu);
    Ok(used.as_secs_f64() * 1e6 / salvo.count as f64)
}
