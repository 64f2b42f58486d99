//! P10: how fast the answer "no" is, which is most answers of a sale.

use super::durable_issue::{CONNECTIONS, on_baseline};
use crate::load::{Salvo, Users, closed};
use crate::results::{Better, Figure, Found, Goal, Unit};
use crate::server::{Answer, Child, Product, baseline};
use crate::session::Session;

/// Coupons of the sale, and so users who have one.
const QUANTITY: u64 = 10_000;
const REFUSALS: u64 = 300_000;
const QUICK_REFUSALS: u64 = 30_000;
/// A user who has none.
const LATECOMERS: u64 = 1 << 32;

/// One kind of refusal.
struct Kind {
    name: &'static str,
    status: u16,
    users: Users,
    ratio: Vec<f64>,
    rate: Vec<f64>,
    baseline_rate: Vec<f64>,
    cpu: Vec<f64>,
    baseline_cpu: Vec<f64>,
}

impl Kind {
    fn new(name: &'static str, status: u16, users: Users) -> Self {
        Self {
            name,
            status,
            users,
            ratio: Vec::new(),
            rate: Vec::new(),
            baseline_rate: Vec::new(),
            cpu: Vec::new(),
            baseline_cpu: Vec::new(),
        }
    }

    fn round(
        &mut self,
        session: &Session,
        product: &Product,
        coupon: u64,
        bare: &Child,
        count: u64,
    ) -> anyhow::Result<()> {
        let salvo = Salvo::of(product.form(coupon), self.users, count);
        let before = product.usage()?;
        let outcome = closed(product.address(), CONNECTIONS, session.wishes.threads, &salvo)?;
        let used = product.usage()?.cpu.saturating_sub(before.cpu);
        outcome.must_all_be(self.status)?;
        let empty = on_baseline(session, bare, product, CONNECTIONS, count, self.status)?;
        let ratio = outcome.rate() / empty.outcome.rate();
        session.say(format!(
            "{}: {:.0}/s, baseline {:.0}/s: {ratio:.2}",
            self.name,
            outcome.rate(),
            empty.outcome.rate()
        ));
        self.ratio.push(ratio);
        self.rate.push(outcome.rate());
        self.baseline_rate.push(empty.outcome.rate());
        self.cpu.push(used.as_secs_f64() * 1e6 / count as f64);
        self.baseline_cpu.push(empty.cpu_us);
        Ok(())
    }

    fn tell(self, found: &mut Found) {
        let name = self.name;
        found.figures.push(Figure {
            name: format!("refusal ({name}), rate / baseline's"),
            unit: Unit::Ratio,
            better: Better::More,
            at_least: Goal::new("0.80", 0.80),
            aim: Goal::new("0.92", 0.92),
            values: self.ratio,
        });
        found.beside(format!("{name}: refusals a second"), Unit::PerSecond, self.rate);
        found.beside(
            format!("{name}: baseline's answers a second"),
            Unit::PerSecond,
            self.baseline_rate,
        );
        found.beside(format!("{name}: server CPU per refusal"), Unit::Micros, self.cpu);
        found.beside(
            format!("{name}: baseline's CPU per answer"),
            Unit::Micros,
            self.baseline_cpu,
        );
    }
}

pub(super) fn take(session: &mut Session) -> anyhow::Result<Found> {
    let executable = session.product()?;
    let directory = session.directory("p10-")?;
    let product = Product::start(&executable, &directory.path().join("data"))?;
    let coupon = product.admin.create(Some(QUANTITY))?;
    let sale = Salvo::of(product.form(coupon), Users::Fresh(0), QUANTITY);
    closed(product.address(), CONNECTIONS, session.wishes.threads, &sale)?.must_all_be(201)?;
    let mut kinds = [
        Kind::new("sold out", 410, Users::Fresh(LATECOMERS)),
        Kind::new("already issued", 409, Users::Again(QUANTITY)),
    ];
    let mut bare = Vec::new();
    for kind in &kinds {
        let user = if kind.status == 410 { LATECOMERS } else { 0 };
        let answer = Answer::of(product.address(), &mut product.form(coupon), user, kind.status)?;
        bare.push(baseline(&answer, session.scratch())?);
    }
    let count = session.pick(REFUSALS, QUICK_REFUSALS);
    for round in 0..=session.wishes.rounds {
        if round == 0 {
            session.say("warming up");
        } else {
            session.say(format!(
                "round {round} of {}: {count} refusals of each kind",
                session.wishes.rounds
            ));
        }
        for (kind, bare) in kinds.iter_mut().zip(&bare) {
            if round == 0 {
                Kind::new(kind.name, kind.status, kind.users).round(
                    session,
                    &product,
                    coupon,
                    bare,
                    count / 4,
                )?;
            } else {
                kind.round(session, &product, coupon, bare, count)?;
            }
        }
    }
    let counts = product.admin.counts(coupon)?;
    anyhow::ensure!(
        counts.issued == QUANTITY,
        "refusals have changed what is issued: {counts:?}"
    );
    product.stop_and_verify()?;
    let mut found = Found::default();
    for kind in kinds {
        kind.tell(&mut found);
    }
    found.note(format!(
        "{count} refusals of each kind a round, over {CONNECTIONS} connections, from a coupon of {QUANTITY}; the baseline gave the \
         same problem document"
    ));
    Ok(found)
}
