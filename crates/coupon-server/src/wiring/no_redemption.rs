//! Redemption where the store cannot redeem yet: everything is refused as unavailable, which promises that nothing
//! happened.

use async_trait::async_trait;
use coupon_app::{
    LedgerError, Reason, Redeemable, RedemptionOutcome, RedemptionRequest, RedemptionStore, StoreError,
};
use coupon_core::{HistoryEntry, IssuedCouponId, Timestamp};

#[derive(Debug, thiserror::Error)]
#[error("this store does not redeem")]
struct NotHere;

pub(super) struct NoRedemption;

#[async_trait]
impl RedemptionStore for NoRedemption {
    async fn decide(
        &self,
        _requests: &[RedemptionRequest],
        _now: Timestamp,
    ) -> Result<Vec<RedemptionOutcome>, LedgerError> {
        Err(LedgerError::Unavailable(Reason::adapter(NotHere)))
    }

    async fn redeemable(&self, _id: IssuedCouponId) -> Result<Option<Redeemable>, StoreError> {
        Err(StoreError::lasting(NotHere))
    }

    async fn history(
        &self,
        _id: IssuedCouponId,
        _after: u32,
        _limit: usize,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        Ok(Vec::new())
    }

    async fn with_history(&self, _each: &mut (dyn FnMut(IssuedCouponId) + Send)) -> Result<(), StoreError> {
        Ok(())
    }
}
