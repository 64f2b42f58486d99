//! `GET /v1/admin/coupons/{couponId}/stats`.

use crate::auth::Administrator;
use crate::error::Problem;
use crate::extract::{CouponPath, NoQuery};
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::State;
use coupon_api::{CouponState, CouponStats, Duration, Time};
use coupon_app::Posted;
use coupon_core::{CouponId, Span};
use http::StatusCode;
use std::num::NonZeroU32;
use std::sync::Arc;

/// What is counted of a coupon: exact, from ledger and store. Refusals are this server's since its start.
#[utoipa::path(
    get,
    path = "/v1/admin/coupons/{couponId}/stats",
    tag = "admin",
    operation_id = "getCouponStats",
    security(("apiKey" = ["admin"])),
    params(
        ("couponId" = u64, Path, description = "Which coupon", minimum = 1),
    ),
    responses(
        (status = 200, description = "The counts", body = CouponStats),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_coupon_stats(
    _: Administrator,
    _: NoQuery,
    State(station): State<Arc<Station>>,
    CouponPath(id): CouponPath,
) -> Reply {
    json(StatusCode::OK, &of(&station, id).await?)
}

/// What is counted of a coupon now.
pub(super) async fn of(station: &Station, id: CouponId) -> Result<CouponStats, Problem> {
    let tally = station.desk.tally(id).await?.ok_or(Problem::UnknownCoupon)?;
    let posted = &tally.posted;
    let terms = &posted.coupon.terms;
    let issued = u32::try_from(tally.issued).unwrap_or(u32::MAX);
    let state: CouponState = posted.coupon.state(station.desk.now(), issued).into();
    Ok(CouponStats {
        coupon_id: id.get(),
        state,
        quantity: terms.quantity.limit().map(NonZeroU32::get),
        issued: tally.issued,
        remaining: terms.quantity.remaining(issued),
        pending: tally.pending,
        redeemed: tally.redeemed,
        cancelled: tally.cancelled,
        expired: tally.expired,
        revoked: tally.revoked,
        time_to_sell_out: time_to_sell_out(posted, issued),
        first_issued_at: posted.first_issued_at.map(Time),
        last_issued_at: posted.last_issued_at.map(Time),
        refusals_by_this_server: station.hall.refusals.of(id),
    })
}

/// From the first instant at which it could be issued to the last issue.
fn time_to_sell_out(posted: &Posted, issued: u32) -> Option<Duration> {
    let coupon = &posted.coupon;
    if coupon.terms.quantity.remaining(issued) != Some(0) {
        return None;
    }
    let opened_at = coupon.terms.window.opens_at().max(coupon.created_at);
    let took = posted.last_issued_at?.as_micros() - opened_at.as_micros();
    Some(Duration(Span::from_micros(took.max(0)).unwrap_or(Span::ZERO)))
}
