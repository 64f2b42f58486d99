//! `POST /v1/issued-coupons/{id}/quote`.

use super::{currency, order_amount};
use crate::auth::Need;
use crate::error::Problem;
use crate::extract::{Asked, IssuedPath};
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::{Request, State};
use coupon_api::{IssuedCouponIdText, Quote, QuoteBody, Time};
use coupon_core::Amount;
use http::StatusCode;
use std::borrow::Cow;
use std::sync::Arc;

/// What an order of this amount would get, or why nothing. Changes nothing.
#[utoipa::path(
    post,
    path = "/v1/issued-coupons/{id}/quote",
    tag = "redemption",
    operation_id = "quoteIssuedCoupon",
    security(("userToken" = []), ("apiKey" = ["redeem"])),
    params(("id" = String, Path, description = "`{couponId}-{position}`")),
    request_body(content = QuoteBody, content_type = "application/json"),
    responses(
        (status = 200, description = "What the order would get", body = Quote<'static>),
        (status = 409, description = "`already-redeemed`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 410, description = "`expired`, `revoked`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 422, description = "`below-minimum`, `invalid-values`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused; another user's is 404 `unknown-issued-coupon`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn quote(
    State(station): State<Arc<Station>>,
    path: Result<IssuedPath, Problem>,
    request: Request,
) -> Reply {
    let (asked, body) = Asked::read::<QuoteBody>(request, &station, Need::Redeem).await?;
    let IssuedPath(id) = path?;
    let mut wrong = Vec::new();
    let amount = order_amount(body.order_amount, &mut wrong);
    let user = asked.user_or(body.user_id, &mut wrong)?;
    let (Some(amount), true) = (amount, wrong.is_empty()) else {
        return Err(Problem::InvalidValues(wrong));
    };
    let currency = currency(&station, id).await?;
    let redeemer = &station.hall.redeemer;
    let quoted = redeemer.quote(id, user.as_ref(), amount).await??;
    json(
        StatusCode::OK,
        &Quote {
            id: IssuedCouponIdText(id),
            order_amount: amount.get(),
            discount_amount: quoted.discount.map(Amount::get),
            payable_amount: quoted.discount.map(|discount| amount.less(discount).get()),
            currency: Cow::Owned(currency),
            expires_at: Time(quoted.issued.grant.expires_at),
        },
    )
}
