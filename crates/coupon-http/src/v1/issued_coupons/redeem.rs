//! `POST /v1/issued-coupons/{id}/redemption`.

use super::{currency, decide, order_amount, order_id};
use crate::auth::Need;
use crate::error::Problem;
use crate::extract::{Asked, IssuedPath};
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::{Request, State};
use coupon_api::{RedeemBody, Redemption};
use coupon_app::RedemptionAction;
use coupon_core::{Amount, Order};
use std::borrow::Cow;
use std::sync::Arc;

/// Redeem an issued coupon on an order, once.
///
/// The same order and amount again is 200 with `Idempotent-Replayed` while that redemption stands. The discount is that
/// of the coupon when it was issued; a share of the order that is no whole number of minor units is rounded up, and no
/// discount is more than the order comes to.
#[utoipa::path(
    post,
    path = "/v1/issued-coupons/{id}/redemption",
    tag = "redemption",
    operation_id = "redeemIssuedCoupon",
    security(("userToken" = []), ("apiKey" = ["redeem"])),
    params(
        ("id" = String, Path, description = "`{couponId}-{position}`"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request with the same key within 24 hours gets the same answer"),
    ),
    request_body(content = RedeemBody, content_type = "application/json"),
    responses(
        (status = 200, description = "The issued coupon, redeemed, and what the order gets", body = Redemption<'static>),
        (status = 409, description = "`order-mismatch`, `already-redeemed`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 410, description = "`expired`, `revoked`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 422, description = "`below-minimum`, `invalid-values`, `idempotency-key-reused`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused; another user's is 404 `unknown-issued-coupon`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`: ask again", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: nothing happened", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn redeem(
    State(station): State<Arc<Station>>,
    path: Result<IssuedPath, Problem>,
    request: Request,
) -> Reply {
    let (asked, body) = Asked::read::<RedeemBody>(request, &station, Need::Redeem).await?;
    let IssuedPath(id) = path?;
    let mut wrong = Vec::new();
    let order = order_id(body.order_id, &mut wrong);
    let amount = order_amount(body.order_amount, &mut wrong);
    let user = asked.user_or(body.user_id, &mut wrong)?;
    let (Some(order), Some(amount), true) = (order, amount, wrong.is_empty()) else {
        return Err(Problem::InvalidValues(wrong));
    };
    let order = Order { id: order, amount };
    let currency = currency(&station, id).await?;
    let done = decide(&station, asked.request(id, user, RedemptionAction::Redeem(order))).await?;
    // Whatever was answered with "done" has a redemption.
    let redemption = done.issued.redemption.as_ref().ok_or(Problem::Indeterminate)?;
    let amount = redemption.order.amount;
    done.reply(&Redemption {
        issued: station.stored(&done.issued, done.decided_at),
        order_amount: amount.get(),
        discount_amount: redemption.discount.map(Amount::get),
        payable_amount: redemption.discount.map(|discount| amount.less(discount).get()),
        currency: Cow::Owned(currency),
    })
}
