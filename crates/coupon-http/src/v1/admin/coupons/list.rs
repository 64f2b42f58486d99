//! `GET /v1/admin/coupons`.

use super::search::Search;
use super::{COUPON_LIST, terms};
use crate::auth::Administrator;
use crate::error::Problem;
use crate::limits::SEARCHED_COUPONS;
use crate::page::{Cursor, Page};
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::{RawQuery, State};
use coupon_api::{AdminCouponPage, Time};
use coupon_core::CouponId;
use http::StatusCode;
use std::sync::Arc;

/// Coupons in order of id: all, or those to which everything that is given applies.
///
/// One request looks at 10,000 coupons at most. When it has found few of these to be what is asked for, the page is
/// short or even empty, and `nextCursor` goes on.
#[utoipa::path(
    get,
    path = "/v1/admin/coupons",
    tag = "admin",
    operation_id = "listCoupons",
    security(("apiKey" = ["admin"])),
    params(
        ("name" = Option<String>, Query, description = "Only those with this in their name, in upper or lower case"),
        ("state" = Option<coupon_api::CouponState>, Query, description = "Only those in this state"),
        ("label" = Option<Vec<String>>, Query, description = "Only those with this label: `KEY`, or `KEY=VALUE`; may be repeated, and then all must be there"),
        ("opensFrom" = Option<Time>, Query, description = "Only those that open at this instant or later"),
        ("opensUntil" = Option<Time>, Query, description = "Only those that open before this instant"),
        ("closesFrom" = Option<Time>, Query, description = "Only those whose window ends at this instant or later"),
        ("closesUntil" = Option<Time>, Query, description = "Only those whose window ends before this instant"),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before"),
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 by default", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, description = "A page", body = AdminCouponPage),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_coupons(
    _: Administrator,
    State(station): State<Arc<Station>>,
    RawQuery(query): RawQuery,
) -> Reply {
    let mut search = Search::default();
    let page = Page::read_with(query.as_deref(), COUPON_LIST, &mut |name, value| {
        search.take(name, value)
    })?;
    let after = page.cursor.map(|cursor| CouponId::new(cursor.second));
    let after = after.transpose().map_err(|_forged| Problem::InvalidCursor)?;
    let now = station.desk.now();
    let found = station
        .desk
        .find_coupons(after, page.limit, SEARCHED_COUPONS, &|posted| {
            search.finds(posted, now)
        });
    let answer = AdminCouponPage {
        next_cursor: found.more_after.map(|last| {
            Cursor {
                list: COUPON_LIST,
                first: 0,
                second: last.get(),
            }
            .text()
        }),
        data: found
            .coupons
            .iter()
            .map(|posted| terms::wire(&posted.coupon, posted.existing(), now))
            .collect(),
    };
    json(StatusCode::OK, &answer)
}
