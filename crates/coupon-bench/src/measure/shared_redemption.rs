//! P19: redemptions in a database that many servers share, gathered into batches, against one transaction for each.
//!
//! Both without HTTP, on a MariaDB of the bench's own with the durable settings. 64 callers redeem distinct issued
//! coupons, each with one request under way: through the redeemer, which decides what has gathered in one transaction on
//! one connection; and with a connection for each caller, on which every request is a transaction of its own.

use crate::clock::SystemClock;
use crate::results::{Better, Figure, Found, Goal, Unit};
use crate::session::Session;
use anyhow::{Context as _, bail, ensure};
use coupon_app::{
    Board, Bringing, Delivery, DeliveryStore as _, IssuedRecord, Record, Redeemer, RedemptionAction,
    RedemptionOutcome, RedemptionRequest, RedemptionStore as _, RevisedRecord,
};
use coupon_core::{
    AckLevel, Actor, Amount, Coupon, CouponId, Grant, IssuedCouponId, Order, OrderId, Position, Quantity,
    Span, Strategy, Terms, TermsDraft, Timestamp, UserId,
};
use coupon_testkit::{Sql, SqlEngine, SqlOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use store_mysql::{MysqlRedemptions, MysqlStore, RedemptionOptions, StoreOptions};

const CALLERS: u32 = 64;
/// Redemptions of each way in a round.
const COUNT: u32 = 20_000;
const QUICK_COUNT: u32 = 4_000;
/// Issues in one delivery.
const DELIVERY: u32 = 1_000;

/// The ways that are measured against each other.
#[derive(Clone)]
enum Way {
    Gathered(Arc<Redeemer>),
    OneByOne(MysqlRedemptions),
}

impl Way {
    async fn redeem(&self, request: RedemptionRequest) -> anyhow::Result<()> {
        let outcome = match self {
            Self::Gathered(redeemer) => redeemer.ask(request).await?,
            Self::OneByOne(redemptions) => {
                let clock = coupon_app::Clock::now(&SystemClock);
                let mut outcomes = redemptions.decide(&[request], clock).await?;
                outcomes.pop().context("an answer is missing")?
            }
        };
        match outcome {
            RedemptionOutcome::Done { replayed: false, .. } => Ok(()),
            other @ (RedemptionOutcome::Done { .. }
            | RedemptionOutcome::Refused(_)
            | RedemptionOutcome::TokenReused) => bail!("a redemption was answered by {other:?}"),
        }
    }
}

pub(super) fn take(session: &mut Session) -> anyhow::Result<Found> {
    let server = Sql::start(&SqlOptions::on(SqlEngine::MariaDb))
        .context("there is no MariaDB here; `cargo xtask servers` brings one")?;
    let database = server.fresh_database()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(session.wishes.threads.max(2))
        .enable_all()
        .build()?;
    runtime.block_on(measure(session, database.url()))
}

async fn measure(session: &mut Session, url: &str) -> anyhow::Result<Found> {
    MysqlStore::migrate(url).await?;
    let store = Arc::new(MysqlStore::open(url, StoreOptions::default()).await?);
    let on = |connections: usize| {
        let options = RedemptionOptions {
            connections,
            ..RedemptionOptions::default()
        };
        MysqlRedemptions::open(url, &store, &options)
    };
    let bringing = Bringing::new(
        Arc::new(Board::new()),
        Arc::clone(&store) as _,
        Arc::clone(&store) as _,
        Vec::new(),
    );
    let redeemer = Redeemer::start_shared("redeemer", Arc::new(on(1)?), bringing, Arc::new(SystemClock));
    let gathered = Way::Gathered(Arc::new(redeemer.await?));
    let one_by_one = Way::OneByOne(on(usize::try_from(CALLERS)?)?);
    let count = session.pick(COUNT, QUICK_COUNT);
    let mut next_coupon = 1;
    let mut found = Found::default();
    for coupons in [1, CALLERS] {
        let what = if coupons == 1 {
            "of one coupon".to_owned()
        } else {
            format!("of {coupons} coupons")
        };
        let (mut ratios, mut batched, mut single) = (vec![], vec![], vec![]);
        for round in 0..=session.wishes.rounds {
            let mut rates = Vec::new();
            for way in [&gathered, &one_by_one] {
                let ids = publish(&store, next_coupon, coupons, count).await?;
                next_coupon += coupons;
                rates.push(race(way, ids).await?);
            }
            if round == 0 {
                // The first is for warming up.
                continue;
            }
            let ratio = rates[0] / rates[1];
            session.say(format!(
                "round {round} of {}, {what}: {:.0}/s gathered, {:.0}/s one by one: {ratio:.2}",
                session.wishes.rounds, rates[0], rates[1]
            ));
            ratios.push(ratio);
            batched.push(rates[0]);
            single.push(rates[1]);
        }
        found.figures.push(Figure {
            name: format!("redeem on MariaDB, {what}, rate / one transaction a request"),
            unit: Unit::Ratio,
            better: Better::More,
            at_least: Goal::new("3", 3.0),
            aim: Goal::new("3", 3.0),
            values: ratios,
        });
        found.beside(
            format!("redemptions a second {what}, gathered"),
            Unit::PerSecond,
            batched,
        );
        found.beside(
            format!("redemptions a second {what}, one by one"),
            Unit::PerSecond,
            single,
        );
    }
    found.note(format!(
        "{count} distinct issued coupons redeemed a round each way by {CALLERS} callers, without HTTP, on a MariaDB with durable \
         settings and its binary log; gathered on one connection, one by one on {CALLERS}"
    ));
    Ok(found)
}

/// Every caller redeems what is next until all is used; how many a second.
async fn race(way: &Way, ids: Vec<IssuedCouponId>) -> anyhow::Result<f64> {
    let count = ids.len();
    let (ids, next) = (Arc::new(ids), Arc::new(AtomicU32::new(0)));
    let began = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let (way, ids, next) = (way.clone(), Arc::clone(&ids), Arc::clone(&next));
        callers.spawn(async move {
            let order = Order {
                id: OrderId::parse("order-1001")?,
                amount: Amount::new(50_000)?,
            };
            loop {
                let index = usize::try_from(next.fetch_add(1, Ordering::Relaxed))?;
                let Some(id) = ids.get(index) else {
                    return anyhow::Ok(());
                };
                let request = RedemptionRequest {
                    id: *id,
                    user: None,
                    action: RedemptionAction::Redeem(order.clone()),
                    actor: Actor::Key("bench".into()),
                    token: None,
                    audit: None,
                };
                way.redeem(request).await?;
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

/// Coupons from `first` on with so many issued in all, taken in turns.
async fn publish(
    store: &MysqlStore,
    first: u32,
    coupons: u32,
    count: u32,
) -> anyhow::Result<Vec<IssuedCouponId>> {
    let each = count / coupons;
    let mut ids = Vec::new();
    for number in first..first + coupons {
        let id = CouponId::new(number)?;
        let Ok(coupon) = Coupon::create(id, terms()?, Timestamp::MIN) else {
            bail!("the measured coupon cannot be made");
        };
        let revised = RevisedRecord {
            coupon,
            issued: 0,
            lost: 0,
            actor: "bench".into(),
            token: None,
        };
        deliver(store, id, vec![Record::Revised(Box::new(revised))]).await?;
        let mut records = Vec::new();
        for position in 1..=each {
            let position = Position::new(position).context("positions begin at 1")?;
            ids.push(IssuedCouponId { coupon: id, position });
            records.push(Record::Issued(IssuedRecord {
                coupon: id,
                user: UserId::parse(format!("user-{number}-{position}"))?,
                grant: Grant {
                    position,
                    issued_at: Timestamp::MIN,
                    expires_at: Timestamp::MAX,
                },
                key: None,
            }));
            if position.get() % DELIVERY == 0 || position.get() == each {
                deliver(store, id, std::mem::take(&mut records)).await?;
            }
        }
    }
    // Neighbours of one coupon are not redeemed one after the other where there are many.
    ids.sort_unstable_by_key(|id| (id.position, id.coupon));
    Ok(ids)
}

async fn deliver(store: &MysqlStore, coupon: CouponId, records: Vec<Record>) -> anyhow::Result<()> {
    let epoch = 1;
    let delivered = store
        .deliver(&[Delivery {
            coupon,
            epoch,
            records,
        }])
        .await?;
    ensure!(
        delivered.quarantined == 0,
        "something went to quarantine: {delivered:?}"
    );
    Ok(())
}

fn terms() -> anyhow::Result<Terms> {
    let draft = TermsDraft {
        name: "measured".to_owned(),
        opens_at: Timestamp::MIN,
        closes_at: Timestamp::MAX,
        quantity: Quantity::UNLIMITED,
        expires_at: None,
        valid_for: Some(Span::from_secs(30 * 86_400)),
        discount: None,
        min_order_amount: 0,
        currency: "KRW".to_owned(),
        time_zone: "Asia/Seoul".to_owned(),
        strategy: Strategy::Database,
        ack: AckLevel::Ledger,
        show_remaining: true,
        labels: std::collections::BTreeMap::new(),
    };
    let Ok(terms) = draft.check(Timestamp::MIN) else {
        bail!("the terms of the measured coupon are wrong");
    };
    Ok(terms)
}
