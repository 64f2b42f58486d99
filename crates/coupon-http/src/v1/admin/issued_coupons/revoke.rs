//! `POST /v1/admin/issued-coupons/{id}/revoke`.

use crate::auth::Need;
use crate::error::Problem;
use crate::extract::{Asked, IssuedPath, NoFields};
use crate::reply::Reply;
use crate::station::Station;
use crate::v1::issued_coupons::decide;
use axum::extract::{Request, State};
use coupon_app::RedemptionAction;
use std::sync::Arc;

/// Take an issued coupon back. It cannot be redeemed any more; neither stock nor eligibility come back.
///
/// A redemption that stands goes on to stand. Revoking again keeps the first time and is 200.
#[utoipa::path(
    post,
    path = "/v1/admin/issued-coupons/{id}/revoke",
    tag = "admin",
    operation_id = "revokeIssuedCoupon",
    security(("apiKey" = ["admin"])),
    params(
        ("id" = String, Path, description = "`{couponId}-{position}`"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request with the same key within 24 hours gets the same answer"),
    ),
    request_body(content = NoFields, content_type = "application/json"),
    responses(
        (status = 200, description = "The issued coupon, revoked", body = coupon_api::IssuedCoupon<'static>),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`: ask again", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn revoke_issued_coupon(
    State(station): State<Arc<Station>>,
    path: Result<IssuedPath, Problem>,
    request: Request,
) -> Reply {
    let (asked, NoFields {}) = Asked::read(request, &station, Need::Admin).await?;
    let IssuedPath(id) = path?;
    let request = asked.request(id, None, RedemptionAction::Revoke);
    decide(&station, request).await?.show(&station)
}
