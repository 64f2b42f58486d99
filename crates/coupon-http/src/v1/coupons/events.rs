//! `GET /v1/coupons/{couponId}/events`.

use crate::error::Problem;
use crate::extract::{CouponPath, NoQuery};
use crate::live::{Face, Shown};
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::State;
use coupon_api::{CouponEvent, Time};
use coupon_core::CouponId;
use http::request::Parts;
use std::sync::Arc;

/// A coupon's state, live, as server-sent events.
///
/// The present state at once, with the time of that moment in `now`, then a new one when something has changed, at most
/// once a second. The id of an event says
/// what it shows: whoever comes back with `Last-Event-ID` is told nothing that they know. When the server stops, or the
/// coupon is deleted, the stream ends.
#[utoipa::path(
    get,
    path = "/v1/coupons/{couponId}/events",
    tag = "coupons",
    operation_id = "watchCoupon",
    params(
        ("couponId" = u64, Path, description = "Which coupon", minimum = 1),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was seen"),
    ),
    responses(
        (status = 200, description = "Events whose `data` is this, and a comment every 15 seconds of silence", body = CouponEvent, content_type = "text/event-stream"),
        (status = 404, description = "`unknown-coupon`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: too many listen", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn watch_coupon(
    _: NoQuery,
    State(station): State<Arc<Station>>,
    CouponPath(id): CouponPath,
    head: Parts,
) -> Reply {
    let looking = shown(&station, id);
    station.attend(id, Face::Public, &head, looking).await
}

/// What everybody sees of a coupon now.
pub(crate) async fn shown(station: &Station, id: CouponId) -> Result<Shown, Problem> {
    let posted = station
        .desk
        .newest_coupon(id)
        .await
        .ok_or(Problem::UnknownCoupon)?;
    let terms = &posted.coupon.terms;
    let now = station.desk.now();
    let event = CouponEvent {
        coupon_id: id.get(),
        state: posted.coupon.state(now, posted.issued).into(),
        now: Time(now),
        opens_at: Time(terms.window.opens_at()),
        closes_at: Time(terms.window.closes_at()),
        remaining: terms
            .show_remaining
            .then(|| terms.quantity.remaining(posted.issued)),
    };
    let content = (event.state, event.opens_at, event.closes_at, event.remaining);
    Shown::of(&event, &content)
}
