//! Measures the script: users a second with batches of several sizes, with one user a call on fifty connections, and
//! what the stream entry costs. The server is a real one, with `appendfsync always`.
//!
//! `cargo bench -p ledger-redis -- [users]`; 200,000 users a measurement unless said otherwise. Nothing here is a
//! test: it prints.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that fails is to stop and to show where"
)]

use async_trait::async_trait;
use coupon_app::contract::ledger::{ask, order};
use coupon_app::contract::{terms, user};
use coupon_app::{Board, CommandOutcome, CouponIds, IssueLedger, Reply, Request, StoreError};
use coupon_core::{Command, CouponId, Terms, Timestamp, Validity, Window};
use coupon_testkit::Redis;
use ledger_redis::{RedisLedger, RedisOptions, Sim, Target};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// As many as redis-benchmark opens.
const CONNECTIONS: usize = 50;

#[derive(Default)]
struct Ids(AtomicU32);

#[async_trait]
impl CouponIds for Ids {
    async fn next_id(&self) -> Result<Option<CouponId>, StoreError> {
        Ok(CouponId::new(self.0.fetch_add(1, Ordering::Relaxed) + 1).ok())
    }
}

fn main() {
    let numbers: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let users: usize = numbers.first().map_or(200_000, |word| word.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let redis = Redis::start(&coupon_testkit::RedisOptions::durable()).unwrap();
    runtime.block_on(async {
        let ids = Arc::new(Ids::default());
        let single = one_a_call(&redis, &ids, users / 4).await;
        println!("one user a call, {CONNECTIONS} connections: {single:>9.0} users/s");
        for batch in [64, 256, 1_024, 4_096] {
            let with = batches(&redis, &ids, users, batch, false).await;
            let without = batches(&redis, &ids, users, batch, true).await;
            println!(
                "batches of {batch:>5}: {with:>9.0} users/s, {:.1} times as many; without the stream entry \
                 {without:>9.0}, so with it {:.2}",
                with / single,
                with / without,
            );
        }
    });
}

async fn open(redis: &Redis, ids: &Arc<Ids>, without_stream: bool) -> RedisLedger {
    let options = RedisOptions {
        refresh_every: Duration::from_secs(3_600),
        sim: Sim {
            clock: None,
            without_stream,
        },
        ..RedisOptions::at(Target::Single(format!("127.0.0.1:{}", redis.port())))
    };
    let (board, ids) = (Arc::new(Board::new()), Arc::clone(ids) as Arc<dyn CouponIds>);
    let handle = tokio::runtime::Handle::current();
    RedisLedger::open(options, handle, board, ids, None)
        .await
        .unwrap()
}

async fn commit(ledger: &RedisLedger, mut requests: Vec<Request>) -> Vec<Reply> {
    let mut answers = Vec::new();
    ledger.commit(&mut requests, &mut answers).await;
    answers.into_iter().map(Result::unwrap).collect()
}

/// A new coupon, without limit and open now.
async fn create(ledger: &RedisLedger) -> CouponId {
    let instant = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000).unwrap();
    let wanted = Terms {
        window: Window::new(instant(1_500_000_000), instant(4_000_000_000)).unwrap(),
        validity: Validity::Until(instant(5_000_000_000)),
        ..terms(0)
    };
    let create = order(None, Command::Create(Box::new(wanted)));
    let mut replies = commit(ledger, vec![Request::Command(Box::new(create))]).await;
    let Reply::Command(outcome) = replies.remove(0) else {
        unreachable!("a command is answered as one")
    };
    let CommandOutcome::Done { coupon, .. } = *outcome else {
        unreachable!("nothing is wrong with these terms")
    };
    coupon.id
}

async fn batches(redis: &Redis, ids: &Arc<Ids>, users: usize, batch: usize, without_stream: bool) -> f64 {
    let ledger = open(redis, ids, without_stream).await;
    let coupon = create(&ledger).await;
    let everyone: Vec<Request> = (0..users).map(|n| ask(coupon, &user(n), None)).collect();
    let began = Instant::now();
    for some in everyone.chunks(batch) {
        commit(&ledger, some.to_vec()).await;
    }
    rate(users, began)
}

async fn one_a_call(redis: &Redis, ids: &Arc<Ids>, users: usize) -> f64 {
    let coupon = create(&open(redis, ids, false).await).await;
    let mut ledgers = Vec::new();
    for _ in 0..CONNECTIONS {
        ledgers.push(open(redis, ids, false).await);
    }
    let began = Instant::now();
    let each = users / CONNECTIONS;
    let mut asking = Vec::new();
    for (number, ledger) in ledgers.into_iter().enumerate() {
        asking.push(tokio::spawn(async move {
            for n in 0..each {
                commit(&ledger, vec![ask(coupon, &user(number * each + n), None)]).await;
            }
        }));
    }
    for asked in asking {
        asked.await.unwrap();
    }
    rate(each * CONNECTIONS, began)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate needs no more digits than a double has"
)]
fn rate(users: usize, began: Instant) -> f64 {
    users as f64 / began.elapsed().as_secs_f64()
}
