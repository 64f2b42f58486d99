//! The ledger's contract, on Redis and Valkey servers that are killed wherever the examination cuts the power.

use super::outbox::{Examined, Log};
use super::rig::{self, Ids, Opened};
use async_trait::async_trait;
use coupon_app::contract::ledger::{Bench, LedgerHarness};
use coupon_app::memory::{ManualClock, MemoryStore};
use coupon_app::{Board, Clock, CommandToken, IssuedRecord, RecordStore, Restore, RevisedRecord};
use coupon_core::Coupon;
use coupon_testkit::{Redis, RedisEngine, RedisOptions};
use std::sync::Arc;

struct RedisHarness {
    redis: Redis,
    store: MemoryStore,
    ids: Arc<Ids>,
    log: Arc<Log>,
}

/// Tells the board what the store has, as the wiring does.
struct Stored<'b>(&'b Board);

impl Restore for Stored<'_> {
    fn coupon(&mut self, _coupon: Coupon) {}

    fn issued(&mut self, record: IssuedRecord) {
        self.0.post_stored(record.coupon, record.grant.position.get());
    }

    fn token(&mut self, _record: RevisedRecord, _token: CommandToken) {}
}

impl RedisHarness {
    fn on(redis: Redis) -> Self {
        Self {
            redis,
            store: MemoryStore::new(),
            ids: Arc::default(),
            log: Arc::default(),
        }
    }

    async fn bench(&self, clock: Arc<ManualClock>) -> Bench {
        let mut options = rig::options(&self.redis);
        options.sim.clock = Some(clock as Arc<dyn Clock>);
        let Opened { ledger, board } = rig::open(options, &self.ids).await;
        self.store.load(&mut Stored(&board)).await.unwrap();
        let examined = Examined::new(ledger, Arc::clone(&self.ids), Arc::clone(&self.log));
        let examined = Arc::new(examined);
        Bench {
            outbox: Arc::clone(&examined) as _,
            ledger: examined,
            board,
            store: Arc::new(self.store.clone()),
        }
    }
}

#[async_trait(?Send)]
impl LedgerHarness for RedisHarness {
    async fn open(&mut self, clock: Arc<ManualClock>) -> Bench {
        self.redis.command(&["FLUSHALL"]).unwrap();
        self.store = MemoryStore::new();
        self.ids = Arc::default();
        self.log = Arc::default();
        self.bench(clock).await
    }

    async fn crash_and_reopen(&mut self, bench: Bench, clock: Arc<ManualClock>) -> Bench {
        self.redis.kill9();
        drop(bench);
        self.redis.restart().unwrap();
        self.bench(clock).await
    }

    fn schedules(&self) -> u32 {
        12
    }
}

/// The cases of the contract, each skipped where the server is not to be had.
macro_rules! on {
    ($name:ident, $engine:expr) => {
        mod $name {
            use super::{Redis, RedisHarness, RedisOptions};

            fn start() -> Option<RedisHarness> {
                let options = RedisOptions::durable().on($engine);
                coupon_testkit::or_skip(Redis::start(&options)).map(RedisHarness::on)
            }

            coupon_app::ledger_contract!(match start() {
                Some(harness) => harness,
                None => return,
            });
        }
    };
}

on!(on_redis, super::RedisEngine::Redis);
on!(on_valkey, super::RedisEngine::Valkey);
