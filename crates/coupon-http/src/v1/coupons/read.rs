//! `GET /v1/coupons/{couponId}`.

use crate::error::Problem;
use crate::extract::{CouponPath, NoQuery};
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::State;
use coupon_api::{Discount, PublicCoupon, Time};
use http::StatusCode;
use std::sync::Arc;

/// A coupon's public face.
#[utoipa::path(
    get,
    path = "/v1/coupons/{couponId}",
    tag = "coupons",
    operation_id = "getCoupon",
    params(("couponId" = u64, Path, description = "Which coupon", minimum = 1)),
    responses(
        (status = 200, description = "The coupon", body = PublicCoupon),
        (status = 404, description = "`unknown-coupon`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_coupon(
    _: NoQuery,
    State(station): State<Arc<Station>>,
    CouponPath(id): CouponPath,
) -> Reply {
    let posted = station
        .desk
        .newest_coupon(id)
        .await
        .ok_or(Problem::UnknownCoupon)?;
    let (coupon, terms) = (&posted.coupon, &posted.coupon.terms);
    let shown = |value: Option<u32>| terms.show_remaining.then_some(value);
    json(
        StatusCode::OK,
        &PublicCoupon {
            id: coupon.id.get(),
            name: terms.name.clone(),
            state: coupon.state(station.desk.now(), posted.existing()).into(),
            opens_at: Time(terms.window.opens_at()),
            closes_at: Time(terms.window.closes_at()),
            discount: terms.discount.map(Discount::from),
            min_order_amount: terms.min_order_amount,
            currency: terms.currency.clone(),
            quantity: shown(terms.quantity.limit().map(std::num::NonZeroU32::get)),
            remaining: shown(terms.quantity.remaining(posted.existing())),
        },
    )
}
