//! `POST /v1/admin/coupons/{couponId}/pause`.

use crate::extract::{Command, CouponPath, NoFields};
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::State;
use http::StatusCode;
use std::sync::Arc;

/// Pause a coupon: requests are refused until it is resumed.
///
/// Pausing a paused coupon changes nothing and is 200.
#[utoipa::path(
    post,
    path = "/v1/admin/coupons/{couponId}/pause",
    tag = "admin",
    operation_id = "pauseCoupon",
    security(("apiKey" = ["admin"])),
    params(
        ("couponId" = u64, Path, description = "Which coupon", minimum = 1),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters, kept for 24 hours"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that must still be the present one"),
    ),
    request_body(content = NoFields, content_type = "application/json"),
    responses(
        (status = 200, description = "The coupon, with its `ETag`", body = coupon_api::AdminCoupon),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn pause_coupon(
    State(station): State<Arc<Station>>,
    CouponPath(id): CouponPath,
    command: Command<NoFields>,
) -> Reply {
    super::carry_out(
        &station,
        Some(id),
        command,
        coupon_core::Command::Pause,
        StatusCode::OK,
    )
    .await
}
