//! `POST /v1/issued-coupons/{id}/redemption/cancel`.

use super::{decide, order_id};
use crate::auth::Need;
use crate::error::Problem;
use crate::extract::{Asked, IssuedPath};
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::{Request, State};
use coupon_api::CancelBody;
use coupon_app::RedemptionAction;
use std::sync::Arc;

/// Give the use of an issued coupon back, to the order that had it.
///
/// Repeated it is 200 with `Idempotent-Replayed` and changes nothing, whatever has happened since. After the validity's
/// end the use is given back all the same, and the issued coupon is expired.
#[utoipa::path(
    post,
    path = "/v1/issued-coupons/{id}/redemption/cancel",
    tag = "redemption",
    operation_id = "cancelRedemption",
    security(("apiKey" = ["redeem"])),
    params(
        ("id" = String, Path, description = "`{couponId}-{position}`"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request with the same key within 24 hours gets the same answer"),
    ),
    request_body(content = CancelBody, content_type = "application/json"),
    responses(
        (status = 200, description = "The issued coupon, with the use given back", body = coupon_api::IssuedCoupon<'static>),
        (status = 409, description = "`not-redeemed`, `order-mismatch`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`: ask again", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: nothing happened", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn cancel_redemption(
    State(station): State<Arc<Station>>,
    path: Result<IssuedPath, Problem>,
    request: Request,
) -> Reply {
    let (asked, body) = Asked::read::<CancelBody>(request, &station, Need::GiveBack).await?;
    let IssuedPath(id) = path?;
    let mut wrong = Vec::new();
    let order = order_id(body.order_id, &mut wrong);
    let user = asked.user_or(body.user_id, &mut wrong)?;
    let (Some(order), true) = (order, wrong.is_empty()) else {
        return Err(Problem::InvalidValues(wrong));
    };
    let request = asked.request(id, user, RedemptionAction::Cancel(order));
    decide(&station, request).await?.show(&station)
}
