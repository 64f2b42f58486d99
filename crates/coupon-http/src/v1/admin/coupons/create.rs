//! `POST /v1/admin/coupons`.

use super::terms;
use crate::extract::Command;
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::State;
use coupon_api::CreateCouponBody;
use http::StatusCode;
use std::sync::Arc;

/// Create a coupon.
///
/// An `opensAt` in the past opens at once; a `closesAt` in the past, or not after `opensAt`, is refused.
#[utoipa::path(
    post,
    path = "/v1/admin/coupons",
    tag = "admin",
    operation_id = "createCoupon",
    security(("apiKey" = ["admin"])),
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters, kept for 24 hours"),
    ),
    request_body(content = CreateCouponBody, content_type = "application/json"),
    responses(
        (status = 201, description = "The coupon, with its `ETag`", body = coupon_api::AdminCoupon),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create_coupon(
    State(station): State<Arc<Station>>,
    command: Command<CreateCouponBody>,
) -> Reply {
    let (command, body) = command.take();
    let terms = terms::check(body, &station.hall, station.desk.now())?;
    let create = coupon_core::Command::Create(Box::new(terms));
    super::carry_out(&station, None, command, create, StatusCode::CREATED).await
}
