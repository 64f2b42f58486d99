//! Issued coupons: their holder's, or any for a service.

pub(crate) mod lookup;
pub(crate) mod read;

use crate::auth::Caller;
use crate::error::Problem;
use crate::reply::{Reply, json};
use crate::station::Station;
use coupon_core::IssuedCouponId;
use http::StatusCode;

/// One issued coupon, if the caller may see it. Another user's is as none.
async fn show(station: &Station, caller: &Caller, id: IssuedCouponId) -> Reply {
    let issued = station.desk.issued_coupon(id).await?;
    let visible = issued.filter(|issued| caller.user().is_none_or(|user| *user == issued.user));
    let issued = visible.ok_or(Problem::UnknownIssuedCoupon)?;
    json(StatusCode::OK, &station.stored(&issued, station.desk.now()))
}
