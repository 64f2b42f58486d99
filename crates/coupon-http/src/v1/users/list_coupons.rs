//! `GET /v1/users/{userId}/coupons`.

use crate::auth::Service;
use crate::error::Problem;
use crate::reply::Reply;
use crate::station::Station;
use crate::v1::wallet;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use coupon_core::UserId;
use std::sync::Arc;

/// What a user holds, newest first, for a service.
#[utoipa::path(
    get,
    path = "/v1/users/{userId}/coupons",
    tag = "wallet",
    operation_id = "listUserCoupons",
    security(("apiKey" = ["issue", "redeem"])),
    params(
        ("userId" = String, Path, description = "Which user, percent-encoded"),
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
pub(crate) async fn list_user_coupons(
    _: Service,
    State(station): State<Arc<Station>>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Reply {
    let Path(user) = path.map_err(|_not_utf_8| Problem::UnknownUser)?;
    let user = UserId::parse(user).map_err(|_not_a_user| Problem::UnknownUser)?;
    wallet::page(&station, &user, query.as_deref()).await
}
