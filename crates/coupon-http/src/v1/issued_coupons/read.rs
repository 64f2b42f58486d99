//! `GET /v1/issued-coupons/{id}`.

use crate::auth::UserOrService;
use crate::extract::{IssuedPath, NoQuery};
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::State;
use std::sync::Arc;

/// One issued coupon: its holder's, or any for a service.
#[utoipa::path(
    get,
    path = "/v1/issued-coupons/{id}",
    tag = "wallet",
    operation_id = "getIssuedCoupon",
    security(("userToken" = []), ("apiKey" = ["issue", "redeem"])),
    params(("id" = String, Path, description = "`{couponId}-{position}`")),
    responses(
        (status = 200, description = "The issued coupon", body = coupon_api::IssuedCoupon<'static>),
        (status = "4XX", description = "Refused; another user's is 404 `unknown-issued-coupon`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_issued_coupon(
    UserOrService(caller): UserOrService,
    _: NoQuery,
    State(station): State<Arc<Station>>,
    IssuedPath(id): IssuedPath,
) -> Reply {
    super::show(&station, &caller, id).await
}
