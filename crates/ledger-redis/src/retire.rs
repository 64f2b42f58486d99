//! Giving up a coupon's state after the sale.

use crate::engine::{Engine, Said};
use crate::error::RedisTrouble;
use crate::ledger::RedisLedger;
use coupon_app::LedgerError;
use coupon_core::CouponId;
use std::sync::Arc;

/// What became of an attempt to retire a coupon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retired {
    /// Its members and its stream are gone; from now on the store says who holds what.
    Done,
    /// It is still needed, and why.
    NotYet(String),
    /// There is no such coupon.
    Unknown,
}

impl RedisLedger {
    /// Gives up the members and the stream of a coupon whose sale is over and of which the store has everything:
    /// `stored` is the highest position in the store. It is judged again beside the issues, so asking too early is
    /// harmless. Facts stay, and commands that would change something are refused as closed.
    pub async fn retire(&self, coupon: CouponId, stored: u32) -> Result<Retired, LedgerError> {
        let engine = Arc::clone(&self.engine);
        let retiring = self
            .handle
            .spawn(async move { engine.retire(coupon, stored).await });
        let ended = |_ended| RedisTrouble::Nonsense("the runtime has ended");
        retiring
            .await
            .map_err(ended)
            .and_then(|retired| retired)
            .map_err(RedisTrouble::of_a_write)
    }
}

impl Engine {
    async fn retire(&self, coupon: CouponId, stored: u32) -> Result<Retired, RedisTrouble> {
        let keys = [
            self.keys.state(coupon),
            self.keys.users(coupon),
            self.keys.stream(coupon),
            self.keys.tokens(coupon),
        ];
        // `retire.lua` says `retired` when it is done, now or before.
        let stored = stored.to_string();
        let args: [&[u8]; 1] = [stored.as_bytes()];
        let said = self
            .consult(coupon, &self.scripts.retire, &keys, &args, false)
            .await?;
        match said {
            Said::Retired(_) => {
                let mut remove = redis::cmd("SREM");
                remove.arg(self.keys.streams()).arg(coupon.get());
                self.link.send(&remove).await?;
                Ok(Retired::Done)
            }
            Said::NotYet(why) => Ok(Retired::NotYet(why)),
            Said::Missing => Ok(Retired::Unknown),
            Said::Standing(..) | Said::Deleted | Said::Changed => Err(RedisTrouble::Nonsense(
                "no script says this of a coupon that is over",
            )),
        }
    }
}
