//! What the tests stand on: a runtime for the connections, a store's ids, and ledgers that are opened on a server.

use async_trait::async_trait;
use coupon_app::{Board, CouponIds, StoreError};
use coupon_core::CouponId;
use coupon_testkit::Redis;
use ledger_redis::{RedisLedger, RedisOptions, Target};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
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

/// Options for one server, that do nothing by themselves while a test runs.
pub(crate) fn options(redis: &Redis) -> RedisOptions {
    RedisOptions {
        probe_every: Duration::from_secs(3_600),
        refresh_every: Duration::from_secs(3_600),
        ..RedisOptions::at(Target::Single(format!("127.0.0.1:{}", redis.port())))
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
