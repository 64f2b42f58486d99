//! `GET /v1/admin/coupons/{couponId}/events`.

use super::stats;
use crate::auth::Administrator;
use crate::error::Problem;
use crate::extract::{CouponPath, NoQuery};
use crate::live::{Face, Shown};
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::State;
use coupon_api::CouponStats;
use coupon_core::CouponId;
use http::request::Parts;
use std::sync::Arc;

/// What is counted of a coupon, live, as server-sent events.
///
/// The present counts at once, then new ones when something has changed, at most once a second. `Last-Event-ID` and the
/// end of the stream are as for everybody's.
#[utoipa::path(
    get,
    path = "/v1/admin/coupons/{couponId}/events",
    tag = "admin",
    operation_id = "watchCouponStats",
    security(("apiKey" = ["admin"])),
    params(
        ("couponId" = u64, Path, description = "Which coupon", minimum = 1),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was seen"),
    ),
    responses(
        (status = 200, description = "Events whose `data` is this, and a comment every 15 seconds of silence", body = CouponStats, content_type = "text/event-stream"),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`, or too many listen", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn watch_coupon_stats(
    _: Administrator,
    _: NoQuery,
    State(station): State<Arc<Station>>,
    CouponPath(id): CouponPath,
    head: Parts,
) -> Reply {
    let looking = shown(&station, id);
    station.attend(id, Face::Admin, &head, looking).await
}

/// What administrators see of a coupon now.
pub(crate) async fn shown(station: &Station, id: CouponId) -> Result<Shown, Problem> {
    let stats: CouponStats = stats::of(station, id).await?;
    Shown::of(&stats, &stats)
}
