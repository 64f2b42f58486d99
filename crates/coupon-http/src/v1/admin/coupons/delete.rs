//! `DELETE /v1/admin/coupons/{couponId}`.

use crate::extract::{Command, CouponPath, NoFields};
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::State;
use http::StatusCode;
use std::sync::Arc;

/// Delete a coupon of which nothing is issued.
///
/// If anything is issued, 409 `has-issues`. The id is not used again.
#[utoipa::path(
    delete,
    path = "/v1/admin/coupons/{couponId}",
    tag = "admin",
    operation_id = "deleteCoupon",
    security(("apiKey" = ["admin"])),
    params(
        ("couponId" = u64, Path, description = "Which coupon", minimum = 1),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters, kept for 24 hours"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that must still be the present one"),
    ),
    responses(
        (status = 204, description = "Deleted"),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete_coupon(
    State(station): State<Arc<Station>>,
    CouponPath(id): CouponPath,
    command: Command<NoFields>,
) -> Reply {
    let delete = coupon_core::Command::Delete;
    super::carry_out(&station, Some(id), command, delete, StatusCode::NO_CONTENT).await
}
