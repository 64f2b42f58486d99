//! `PATCH /v1/admin/coupons/{couponId}`.

use super::terms;
use crate::extract::{Command, CouponPath};
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::State;
use coupon_api::ChangeCouponBody;
use http::StatusCode;
use std::sync::Arc;

/// Change a coupon: what is absent stays.
///
/// Validity and discount count for what is not yet issued. A quantity below what is issued is 409 `below-issued`, a new
/// `opensAt` after the opening 409 `already-opened`.
#[utoipa::path(
    patch,
    path = "/v1/admin/coupons/{couponId}",
    tag = "admin",
    operation_id = "changeCoupon",
    security(("apiKey" = ["admin"])),
    params(
        ("couponId" = u64, Path, description = "Which coupon", minimum = 1),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters, kept for 24 hours"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that must still be the present one"),
    ),
    request_body(content = ChangeCouponBody, content_type = "application/json"),
    responses(
        (status = 200, description = "The coupon, with its `ETag`", body = coupon_api::AdminCoupon),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn change_coupon(
    State(station): State<Arc<Station>>,
    CouponPath(id): CouponPath,
    command: Command<ChangeCouponBody>,
) -> Reply {
    let (command, body) = command.take();
    let posted = station.desk.newest_coupon(id).await;
    let present = posted.as_ref().map(|posted| &posted.coupon.terms);
    let change = terms::change(body, present, station.desk.now())?;
    let change = coupon_core::Command::Change(Box::new(change));
    super::carry_out(&station, Some(id), command, change, StatusCode::OK).await
}
