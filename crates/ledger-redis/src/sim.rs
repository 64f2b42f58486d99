//! What tests and measurements may look at and change; no product can ask for it.

use crate::error::RedisTrouble;
use crate::ledger::RedisLedger;
use crate::streams::{self, Raw};
use coupon_app::{Clock, Delivery};
use coupon_core::CouponId;
use std::sync::Arc;

/// What tests and measurements change.
#[derive(Clone, Default)]
pub struct Sim {
    /// Judges instead of the server's clock.
    pub clock: Option<Arc<dyn Clock>>,
    /// Leaves the stream entry out, to measure what it costs.
    pub without_stream: bool,
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim")
            .field("without_stream", &self.without_stream)
            .finish_non_exhaustive()
    }
}

impl RedisLedger {
    /// The entries of a coupon's stream after this one, with their ids.
    pub async fn entries_after(
        &self,
        coupon: CouponId,
        after: &str,
    ) -> Result<Vec<(Box<str>, Delivery)>, RedisTrouble> {
        let engine = Arc::clone(&self.engine);
        let from = format!("({after}");
        let reading = self.handle.spawn(async move {
            let mut range = redis::cmd("XRANGE");
            range.arg(engine.keys.stream(coupon)).arg(from).arg("+");
            Raw::list(engine.link.send(&range).await?)
        });
        let read = reading
            .await
            .map_err(|_ended| RedisTrouble::Nonsense("the runtime has ended"))??;
        let delivery = |raw: Raw| {
            let delivery = streams::delivery(coupon, &raw).map_err(|it| RedisTrouble::Nonsense(it.0))?;
            Ok((raw.id, delivery))
        };
        read.into_iter().map(delivery).collect()
    }
}
