//! P22: expiry and reminders, of a million issued coupons each, while issues go on.

use super::durable_issue::CONNECTIONS;
use crate::house;
use crate::load::{Outcome, Salvo, Users, closed, open};
use crate::results::{Better, Figure, Found, Goal, Unit};
use crate::server::{Product, audit, pause};
use crate::session::Session;
use anyhow::{Context as _, bail, ensure};
use coupon_core::Span;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// Issued coupons that expire, and as many of whom somebody is reminded.
const MANY: u64 = 1_000_000;
const QUICK_MANY: u64 = 60_000;
/// How long issues go on without jobs: about as long as the jobs take, because the store folds a million issues into its
/// index now and then, and the disk feels it. A few seconds with none of that would be compared with a minute of it.
const SECONDS: u64 = 40;
const QUICK_SECONDS: u64 = 3;
const WARMING_UP: u64 = 20_000;
/// Reminders come a week before the end by default: these are due a second after the issue.
const VALID: [Span; 2] = [Span::from_secs(1), Span::from_secs(7 * 86_400 + 1)];
const JOBS: [&str; 2] = ["expire", "remind"];
/// Both jobs write notifications. Nobody is told within the measure, and each job runs once.
const SETTINGS: [&str; 4] = [
    "notifications.keep=always",
    "jobs.expire_every_s=86400",
    "jobs.remind_every_s=86400",
    "jobs.deliver_every_s=86400",
];
/// Each takes more than a minute.
const MOST_ROUNDS: usize = 3;
const LOOK_EVERY: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(300);
/// More than will come before the jobs are done.
const ENDLESS: u64 = 1 << 40;

#[derive(Default)]
struct Rounds {
    jobs: [Vec<f64>; 2],
    growth: Vec<f64>,
    alone: Vec<f64>,
    beside: Vec<f64>,
    p50: [Vec<f64>; 2],
    cores: [Vec<f64>; 2],
}

pub(super) fn take(session: &mut Session) -> anyhow::Result<Found> {
    let saturation = session.saturation()?;
    let executable = session.product()?;
    let rate = (saturation / 2.0).floor();
    let many = session.pick(MANY, QUICK_MANY);
    let mut found = Rounds::default();
    let rounds = session.wishes.rounds.min(MOST_ROUNDS);
    for round in 1..=rounds {
        let seed = u64::try_from(round)?;
        let directory = session.directory("p22-")?;
        let directory = directory.path().join("data");
        std::fs::create_dir(&directory)?;
        house::fill_valid(&directory, &VALID.map(|valid_for| (many, None, valid_for)))?;
        let settings = [&SETTINGS[..], &["jobs.run=false"]].concat();
        let product = Product::start_with(&executable, &directory, &settings)?;
        let (alone, cpu_alone) = issue_until(session, &product, rate, seed, |_| {
            pause(Duration::from_secs(session.pick(SECONDS, QUICK_SECONDS)));
            Ok(())
        })?;
        product.stop()?;

        // What was issued so far is announced to nobody, and the job that delivers has had its turn: the measure is of
        // the two others.
        Product::at_rest(&executable, &directory, &["jobs", "run", "deliver"])?;
        let product = Product::start_with(&executable, &directory, &SETTINGS)?;
        let (beside, cpu) = issue_until(session, &product, rate, seed, all_jobs_done)?;
        product.stop_and_verify()?;

        let took = times(&executable, &directory, many)?;
        let p99 = |outcome: &Outcome| outcome.latency_us(0.99) / 1e3;
        let growth = p99(&beside) / p99(&alone);
        session.say(format!(
            "round {round} of {rounds}: {rate:.0} issues/s; expiry {:.1} s, reminders {:.1} s; p99 of issue {:.2} ms, without jobs {:.2} ms: {growth:.2}",
            took[0],
            took[1],
            p99(&beside),
            p99(&alone)
        ));
        for (all, one) in found.jobs.iter_mut().zip(took) {
            all.push(one);
        }
        found.growth.push(growth);
        found.alone.push(p99(&alone));
        found.beside.push(p99(&beside));
        found.p50[0].push(alone.latency_us(0.5) / 1e3);
        found.p50[1].push(beside.latency_us(0.5) / 1e3);
        let cores = |cpu: Duration, outcome: &Outcome| cpu.as_secs_f64() / outcome.took.as_secs_f64();
        found.cores[0].push(cores(cpu_alone, &alone));
        found.cores[1].push(cores(cpu, &beside));
    }
    Ok(found.found(many, rate))
}

/// Issues a coupon of its own at this rate for as long as `last` lasts; what the server used meanwhile.
fn issue_until(
    session: &Session,
    product: &Product,
    rate: f64,
    seed: u64,
    last: impl FnOnce(&Product) -> anyhow::Result<()>,
) -> anyhow::Result<(Outcome, Duration)> {
    // Neither coupon sells out: that would be told as well.
    let count = session.pick(WARMING_UP, WARMING_UP / 4);
    let warming_up = product.admin.create(None)?;
    let salvo = Salvo::of(product.form(warming_up), Users::Fresh(0), count);
    closed(product.address(), CONNECTIONS, session.wishes.threads, &salvo)?.must_all_be(201)?;
    let coupon = product.admin.create(None)?;
    let salvo = Salvo::of(product.form(coupon), Users::Fresh(0), ENDLESS);
    let before = product.usage()?.cpu;
    let outcome = std::thread::scope(|scope| {
        let load = scope.spawn(|| open(product.address(), CONNECTIONS, rate, seed, &salvo));
        let lasted = last(product);
        salvo.end();
        let outcome = load.join().ok().context("the load panicked")?;
        lasted?;
        outcome
    })?;
    let used = product.usage()?.cpu.saturating_sub(before);
    outcome.must_all_be(201)?;
    product.catch_up(coupon)?;
    audit(&product.admin, coupon, 0, outcome.count())?;
    Ok((outcome, used))
}

fn all_jobs_done(product: &Product) -> anyhow::Result<()> {
    let began = Instant::now();
    for job in JOBS {
        while product.admin.runs(job)?.0 == 0 {
            if began.elapsed() > PATIENCE {
                bail!("the job {job} does not end");
            }
            pause(LOOK_EVERY);
        }
    }
    Ok(())
}

/// How long each job took by its own book, in seconds; each must have done everything.
fn times(executable: &Path, directory: &Path, many: u64) -> anyhow::Result<[f64; 2]> {
    let listed = Product::at_rest(executable, directory, &["jobs", "list"])?;
    let told = listed["notifications"]["new"].as_u64();
    ensure!(
        told == Some(2 * many),
        "{many} expiries and as many reminders were to be told, and {told:?} were written"
    );
    let at = |record: &Value, name: &str| {
        let text = record[name].as_str().with_context(|| format!("no {name}"))?;
        anyhow::Ok(text.parse::<jiff::Timestamp>()?)
    };
    let mut took = [0.0; 2];
    for (took, job) in took.iter_mut().zip(JOBS) {
        let all = listed["jobs"].as_array().context("no list of jobs")?;
        let record = all.iter().find(|record| record["name"] == job);
        let record = record.with_context(|| format!("no job {job}"))?;
        ensure!(
            record["lastDone"] == many && record["lastError"].is_null(),
            "{job} should have done {many}: {record}"
        );
        *took = at(record, "lastEndedAt")?
            .duration_since(at(record, "lastBeganAt")?)
            .as_secs_f64();
    }
    Ok(took)
}

impl Rounds {
    fn found(self, many: u64, rate: f64) -> Found {
        let mut found = Found::default();
        let [expiry, reminders] = self.jobs;
        for (name, values) in [("expiry", expiry), ("reminders", reminders)] {
            found.figures.push(Figure {
                name: format!("{name} of a million, both jobs at once beside issues at half of saturation"),
                unit: Unit::Seconds,
                better: Better::Less,
                at_least: Goal::new("60 s", 60.0),
                aim: Goal::new("20 s", 20.0),
                values,
            });
        }
        found.figures.push(Figure {
            name: "p99 of issue with both jobs / without".to_owned(),
            unit: Unit::Ratio,
            better: Better::Less,
            at_least: Goal::new("1.5", 1.5),
            aim: Goal::new("1.1", 1.1),
            values: self.growth,
        });
        let [p50_alone, p50_beside] = self.p50;
        found.beside("p99 of issue with both jobs", Unit::Millis, self.beside);
        found.beside("p99 of issue without", Unit::Millis, self.alone);
        found.beside("p50 of issue with both jobs", Unit::Millis, p50_beside);
        found.beside("p50 of issue without", Unit::Millis, p50_alone);
        let [cores_alone, cores_beside] = self.cores;
        found.beside("server CPU with both jobs, in cores", Unit::Ratio, cores_beside);
        found.beside("server CPU without, in cores", Unit::Ratio, cores_alone);
        found.note(format!(
            "{many} issued coupons that had expired and as many with a reminder due, each written down with its notification, by \
             the server itself at its start, until both jobs were done; beside it {rate:.0} issues of another coupon a second with \
             random gaps (Poisson), over {CONNECTIONS} connections; before that the same on the same data without jobs, for about \
             as long; the job that delivers was put off"
        ));
        found
    }
}
