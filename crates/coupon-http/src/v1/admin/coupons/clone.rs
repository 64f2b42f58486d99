//! `POST /v1/admin/coupons/{couponId}/clone`.

use super::terms;
use crate::error::Problem;
use crate::extract::{Command, CouponPath};
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::State;
use coupon_api::CloneCouponBody;
use http::StatusCode;
use std::sync::Arc;

/// Create a coupon with the terms of another, but for what the body says.
///
/// The new one has its own issue window or that of the other, which then must not be over. It begins with nothing
/// issued, neither paused nor closed.
#[utoipa::path(
    post,
    path = "/v1/admin/coupons/{couponId}/clone",
    tag = "admin",
    operation_id = "cloneCoupon",
    security(("apiKey" = ["admin"])),
    params(
        ("couponId" = u64, Path, description = "Which coupon", minimum = 1),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters, kept for 24 hours"),
    ),
    request_body(content = CloneCouponBody, content_type = "application/json"),
    responses(
        (status = 201, description = "The new coupon, with its `ETag`", body = coupon_api::AdminCoupon),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn clone_coupon(
    State(station): State<Arc<Station>>,
    CouponPath(id): CouponPath,
    command: Command<CloneCouponBody>,
) -> Reply {
    let (command, body) = command.take();
    let cloned = station
        .desk
        .present_coupon(id)
        .await
        .ok_or(Problem::UnknownCoupon)?;
    let terms = terms::clone(body, &cloned.coupon.terms, &station.hall, station.desk.now())?;
    let create = coupon_core::Command::Create(Box::new(terms));
    super::carry_out_as(&station, None, command, create, StatusCode::CREATED, Some(id)).await
}
