//! `GET /v1/me/coupons`.

use crate::auth::UserOnly;
use crate::reply::Reply;
use crate::station::Station;
use crate::v1::wallet;
use axum::extract::{RawQuery, State};
use std::sync::Arc;

/// What the calling user holds, newest first.
#[utoipa::path(
    get,
    path = "/v1/me/coupons",
    tag = "wallet",
    operation_id = "listMyCoupons",
    security(("userToken" = [])),
    params(
        ("state" = Option<coupon_api::IssuedState>, Query, description = "Only those in this state"),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before"),
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 by default", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, description = "A page", body = coupon_api::IssuedCouponPage<'static>),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_my_coupons(
    UserOnly(user): UserOnly,
    State(station): State<Arc<Station>>,
    RawQuery(query): RawQuery,
) -> Reply {
    wallet::page(&station, &user, query.as_deref()).await
}
