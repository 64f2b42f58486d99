//! Ids of new coupons.

use crate::error::Failure;
use crate::script::Script;
use crate::store::Reader;
use coupon_core::CouponId;
use coupon_core::limits::MAX_COUPON_ID;

/// Counts up and commits in one statement. If the answer is lost the id is lost too, and nobody gets it.
pub(crate) async fn next(reader: &Reader) -> Result<Option<CouponId>, Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement(
                "UPDATE meta SET last_coupon_id = LAST_INSERT_ID(last_coupon_id + 1) \
                 WHERE only_row = 1 AND last_coupon_id < ",
            )
            .number(MAX_COUPON_ID);
        script
    };
    let answered = reader.ask_one(script).await?;
    if answered.affected == 0 {
        return Ok(None);
    }
    let id = u32::try_from(answered.last_id)
        .ok()
        .and_then(|id| CouponId::new(id).ok());
    id.map(Some)
        .ok_or_else(|| Failure::Damaged("the last coupon id".to_owned()))
}
