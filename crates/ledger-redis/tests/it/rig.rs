//! What the tests stand on: a runtime for the connections, a store's ids, and ledgers that are opened on a server.

use async_trait::async_trait;
use coupon_app::{Board, CouponIds, FactsOfRecord, IssuedRecord, OnRecord, StoreError};
use coupon_core::{CouponId, Held, UserId};
use coupon_testkit::{Redis, RedisCluster};
use ledger_redis::{RedisLedger, RedisOptions, Target};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
});

/// Where connections live, beyond the runtime of any test.
pub(crate) fn handle() -> Handle {
    RUNTIME.handle().clone()
}

/// Hands out ids as a store would.
#[derive(Debug, Default)]
pub(crate) struct Ids(AtomicU32);

impl Ids {
    /// The last one that was handed out.
    pub(crate) fn last(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl CouponIds for Ids {
    async fn next_id(&self) -> Result<Option<CouponId>, StoreError> {
        Ok(CouponId::new(self.0.fetch_add(1, Ordering::Relaxed) + 1).ok())
    }
}

/// Where a server is.
pub(crate) fn target(redis: &Redis) -> Target {
    Target::Single(format!("127.0.0.1:{}", redis.port()))
}

/// Where a cluster is.
pub(crate) fn cluster_target(cluster: &RedisCluster) -> Target {
    let nodes = cluster.nodes().iter();
    Target::Cluster(nodes.map(|node| format!("127.0.0.1:{}", node.port())).collect())
}

/// Options for one server.
pub(crate) fn options(redis: &Redis) -> RedisOptions {
    options_at(target(redis))
}

/// Options for a ledger that does nothing by itself while a test runs.
pub(crate) fn options_at(target: Target) -> RedisOptions {
    RedisOptions {
        probe_every: Duration::from_secs(3_600),
        refresh_every: Duration::from_secs(3_600),
        ..RedisOptions::at(target)
    }
}

/// A ledger, its board, and where its ids come from.
pub(crate) struct Opened {
    pub(crate) ledger: RedisLedger,
    pub(crate) board: Arc<Board>,
}

/// Opens a ledger.
pub(crate) async fn open(options: RedisOptions, ids: &Arc<Ids>) -> Opened {
    let board = Arc::new(Board::new());
    let ids = Arc::clone(ids) as Arc<dyn CouponIds>;
    let ledger = RedisLedger::open(options, handle(), Arc::clone(&board), ids, None).await;
    Opened {
        ledger: ledger.unwrap(),
        board,
    }
}

/// Opens a ledger that asks this record.
pub(crate) async fn open_beside(options: RedisOptions, ids: &Arc<Ids>, record: &Arc<Record>) -> Opened {
    let board = Arc::new(Board::new());
    let ids = Arc::clone(ids) as Arc<dyn CouponIds>;
    let record = Arc::clone(record) as Arc<dyn FactsOfRecord>;
    let ledger = RedisLedger::open(options, handle(), Arc::clone(&board), ids, Some(record)).await;
    Opened {
        ledger: ledger.unwrap(),
        board,
    }
}

/// What a store has on record.
#[derive(Debug, Default)]
pub(crate) struct Record(Mutex<HashMap<CouponId, (u32, Vec<IssuedRecord>)>>);

impl Record {
    /// From now on it has these of a coupon.
    pub(crate) fn has(&self, coupon: CouponId, epoch: u32, records: &[IssuedRecord]) {
        self.0.lock().unwrap().insert(coupon, (epoch, records.to_vec()));
    }
}

#[async_trait]
impl FactsOfRecord for Record {
    async fn on_record(&self, coupon: CouponId) -> Result<Option<OnRecord>, StoreError> {
        let record = self.0.lock().unwrap();
        Ok(record.get(&coupon).map(|(epoch, records)| OnRecord {
            epoch: *epoch,
            last_position: records.last().map_or(0, |last| last.grant.position.get()),
        }))
    }

    async fn held(&self, coupon: CouponId, users: &[UserId]) -> Result<Vec<Option<Held>>, StoreError> {
        let record = self.0.lock().unwrap();
        let (_, records) = record.get(&coupon).unwrap();
        let held = |user: &UserId| {
            let found = records.iter().find(|it| it.user == *user)?;
            Some(Held {
                grant: found.grant,
                key: found.key,
            })
        };
        Ok(users.iter().map(held).collect())
    }
}

/// Starts a server, or says that the test is skipped.
pub(crate) fn start(options: &coupon_testkit::RedisOptions) -> Option<Redis> {
    coupon_testkit::or_skip(Redis::start(options))
}

/// Runs a test. Whoever waits longer waits for something that will not come.
pub(crate) fn block_on(test: impl Future<Output = ()>) {
    RUNTIME.block_on(async {
        tokio::time::timeout(Duration::from_secs(60), test)
            .await
            .expect("a test that does not end waits for something that will not come");
    });
}
