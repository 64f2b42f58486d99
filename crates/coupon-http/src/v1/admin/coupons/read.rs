//! `GET /v1/admin/coupons/{couponId}`.

use crate::auth::Administrator;
use crate::error::Problem;
use crate::extract::{CouponPath, NoQuery};
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::State;
use std::sync::Arc;

/// A coupon with everything.
#[utoipa::path(
    get,
    path = "/v1/admin/coupons/{couponId}",
    tag = "admin",
    operation_id = "getAdminCoupon",
    security(("apiKey" = ["admin"])),
    params(
        ("couponId" = u64, Path, description = "Which coupon", minimum = 1),
    ),
    responses(
        (status = 200, description = "The coupon, with its `ETag`", body = coupon_api::AdminCoupon),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_admin_coupon(
    _: Administrator,
    _: NoQuery,
    State(station): State<Arc<Station>>,
    CouponPath(id): CouponPath,
) -> Reply {
    let posted = station
        .desk
        .present_coupon(id)
        .await
        .ok_or(Problem::UnknownCoupon)?;
    super::show(&station, &posted.coupon, posted.existing())
}
