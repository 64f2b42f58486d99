//! `GET /v1/coupons/{couponId}/time`.

use crate::error::Problem;
use crate::extract::{CouponPath, NoQuery};
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::State;
use coupon_api::{CouponTime, Time};
use http::StatusCode;
use std::sync::Arc;

/// The clock that judges a coupon, for countdowns.
#[utoipa::path(
    get,
    path = "/v1/coupons/{couponId}/time",
    tag = "coupons",
    operation_id = "getCouponTime",
    params(("couponId" = u64, Path, description = "Which coupon", minimum = 1)),
    responses(
        (status = 200, description = "The clock", body = CouponTime),
        (status = 404, description = "`unknown-coupon`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_coupon_time(
    _: NoQuery,
    State(station): State<Arc<Station>>,
    CouponPath(id): CouponPath,
) -> Reply {
    let posted = station
        .desk
        .newest_coupon(id)
        .await
        .ok_or(Problem::UnknownCoupon)?;
    let now = station.desk.now();
    let window = posted.coupon.terms.window;
    json(
        StatusCode::OK,
        &CouponTime {
            coupon_id: id.get(),
            now: Time(now),
            opens_at: Time(window.opens_at()),
            closes_at: Time(window.closes_at()),
            state: posted.coupon.state(now, posted.existing()).into(),
        },
    )
}
