//! P21: how long people wait for what they hold, where there are many who hold something.

use crate::house;
use crate::load::{Salvo, Users, open};
use crate::results::{Better, Figure, Found, Goal, Unit};
use crate::server::Product;
use crate::session::Session;
use crate::users;
use anyhow::ensure;
use std::time::Instant;

/// Everybody holds one of each.
const COUPONS: usize = 20;
const USERS: u64 = 500_000;
const QUICK_USERS: u64 = 15_000;
const CONNECTIONS: usize = 64;
const RATE: f64 = 1_000.0;
/// Requests of a round.
const REQUESTS: u64 = 12_000;
const QUICK_REQUESTS: u64 = 2_000;
/// Wallets that are gone through issued coupon by issued coupon after each round.
const AUDITED: u64 = 50;

pub(super) fn take(session: &mut Session) -> anyhow::Result<Found> {
    let executable = session.product()?;
    let users = session.pick(USERS, QUICK_USERS);
    let requests = session.pick(REQUESTS, QUICK_REQUESTS);
    let directory = session.directory("p21-")?;
    let directory = directory.path().join("data");
    std::fs::create_dir(&directory)?;
    let many = u64::try_from(COUPONS)? * users;
    session.say(format!(
        "filling a data directory with {many} issues, {COUPONS} for each user"
    ));
    let began = Instant::now();
    house::fill(&directory, &[(users, None); COUPONS])?;
    let filled = began.elapsed().as_secs_f64();
    let product = Product::start(&executable, &directory)?;
    session.say(format!("filled in {filled:.0} s"));
    let (mut p50, mut p99, mut longest, mut cpu) = (vec![], vec![], vec![], vec![]);
    for round in 0..=session.wishes.rounds {
        let seed = u64::try_from(round)? + 1;
        let salvo = Salvo::of(product.wallet(COUPONS), Users::Scattered(users), requests);
        let before = product.usage()?;
        let answered = open(product.address(), CONNECTIONS, RATE, seed, &salvo)?;
        let used = product.usage()?.cpu.saturating_sub(before.cpu);
        answered.must_all_be(200)?;
        audit(&product, users, seed)?;
        if round == 0 {
            // The first is for warming up.
            continue;
        }
        session.say(format!(
            "round {round} of {}: p99 {:.2} ms, {:.0} a second",
            session.wishes.rounds,
            answered.latency_us(0.99) / 1e3,
            answered.rate()
        ));
        p50.push(answered.latency_us(0.5) / 1e3);
        p99.push(answered.latency_us(0.99) / 1e3);
        longest.push(answered.latency_us(1.0) / 1e3);
        cpu.push(used.as_secs_f64() * 1e6 / requests as f64);
    }
    product.stop()?;
    let mut found = Found::default();
    found.figures.push(Figure {
        name: "wallet of one in 10 million issued coupons, 1,000 requests a second: p99".to_owned(),
        unit: Unit::Millis,
        better: Better::Less,
        at_least: Goal::new("5 ms", 5.0),
        aim: Goal::new("2 ms", 2.0),
        values: p99,
    });
    found.beside("p50", Unit::Millis, p50);
    found.beside("the longest", Unit::Millis, longest);
    found.beside("server CPU per wallet", Unit::Micros, cpu);
    found.beside("filling the data directory", Unit::Seconds, vec![filled]);
    found.note(format!(
        "{requests} requests a round with random gaps (Poisson) over {CONNECTIONS} connections, for users in no order, in a store of \
         {many} issued coupons, whose file was in the page cache; every answer had to name its user once for each of the {COUPONS} \
         coupons held, and {AUDITED} wallets a round were gone through coupon by coupon"
    ));
    Ok(found)
}

/// That users hold one of each coupon, newest first, and what the wallet says is what the list of a coupon says.
fn audit(product: &Product, users: u64, seed: u64) -> anyhow::Result<()> {
    for number in 0..AUDITED {
        let user = users::user((seed + number * (users / AUDITED)) % users);
        let held = product.admin.wallet(user.as_str())?;
        let coupons: Vec<u64> = held.iter().map(|(coupon, _)| *coupon).collect();
        let all: Vec<u64> = (1..=u64::try_from(COUPONS)?).rev().collect();
        ensure!(coupons == all, "{} holds {held:?}", user.as_str());
        for (_, position) in held {
            ensure!((1..=users).contains(&position), "nobody has position {position}");
        }
    }
    Ok(())
}
