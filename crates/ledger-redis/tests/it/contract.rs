//! The contracts of the ledger and of the combiner before it, on Redis and Valkey servers that are killed wherever the
//! examination cuts the power, and on a cluster, where only the connections are cut: killing every node takes seconds,
//! and durability is the same.

use super::outbox::{Examined, Log};
use super::rig::{self, Ids, Opened};
use async_trait::async_trait;
use coupon_app::contract::ledger::{Bench, LedgerHarness};
use coupon_app::memory::{ManualClock, MemoryStore};
use coupon_app::{Board, Clock, CommandToken, IssuedRecord, RecordStore, Restore, RevisedRecord};
use coupon_core::Coupon;
use coupon_testkit::{Redis, RedisCluster, RedisEngine, RedisOptions, ServerError};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// What the ledger stands on.
enum Servers {
    One(Redis),
    /// One cluster for all cases, each under names of its own.
    Cluster(&'static RedisCluster),
}

static CLUSTER: Mutex<Option<&'static RedisCluster>> = Mutex::new(None);
static LEDGERS: AtomicU32 = AtomicU32::new(0);

fn one(engine: RedisEngine) -> Result<Servers, ServerError> {
    Redis::start(&RedisOptions::durable().on(engine)).map(Servers::One)
}

/// Starts the cluster once. It ends with the process.
fn cluster() -> Result<Servers, ServerError> {
    let mut started = CLUSTER.lock().unwrap();
    let cluster = match *started {
        Some(cluster) => cluster,
        None => Box::leak(Box::new(RedisCluster::start(&RedisOptions::durable())?)),
    };
    *started = Some(cluster);
    Ok(Servers::Cluster(cluster))
}

struct RedisHarness {
    servers: Servers,
    prefix: String,
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
    fn on(servers: Servers) -> Self {
        Self {
            servers,
            prefix: String::new(),
            store: MemoryStore::new(),
            ids: Arc::default(),
            log: Arc::default(),
        }
    }

    async fn bench(&self, clock: Arc<ManualClock>) -> Bench {
        let target = match &self.servers {
            Servers::One(redis) => rig::target(redis),
            Servers::Cluster(cluster) => rig::cluster_target(cluster),
        };
        let mut options = rig::options_at(target);
        options.prefix = self.prefix.as_str().into();
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
        if let Servers::One(redis) = &self.servers {
            redis.command(&["FLUSHALL"]).unwrap();
        }
        self.prefix = format!("exam-{}", LEDGERS.fetch_add(1, Ordering::Relaxed));
        self.store = MemoryStore::new();
        self.ids = Arc::default();
        self.log = Arc::default();
        self.bench(clock).await
    }

    async fn crash_and_reopen(&mut self, bench: Bench, clock: Arc<ManualClock>) -> Bench {
        if let Servers::One(redis) = &mut self.servers {
            redis.kill9();
            drop(bench);
            redis.restart().unwrap();
        } else {
            drop(bench);
        }
        self.bench(clock).await
    }

    fn schedules(&self) -> u32 {
        12
    }
}

/// The cases of the contract, each skipped where the server is not to be had.
macro_rules! on {
    ($name:ident, $start:expr) => {
        mod $name {
            use super::RedisHarness;

            fn start() -> Option<RedisHarness> {
                coupon_testkit::or_skip($start).map(RedisHarness::on)
            }

            coupon_app::ledger_contract!(match start() {
                Some(harness) => harness,
                None => return,
            });

            mod combiner {
                coupon_app::combiner_contract!(match super::start() {
                    Some(harness) => harness,
                    None => return,
                });
            }
        }
    };
}

on!(on_redis, super::one(super::RedisEngine::Redis));
on!(on_valkey, super::one(super::RedisEngine::Valkey));
on!(on_a_cluster, super::cluster());
