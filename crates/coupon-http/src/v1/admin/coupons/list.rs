//! `GET /v1/admin/coupons`.

use super::{COUPON_LIST, terms};
use crate::auth::Administrator;
use crate::error::Problem;
use crate::page::{Cursor, Page};
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::{RawQuery, State};
use coupon_api::AdminCouponPage;
use coupon_core::CouponId;
use http::StatusCode;
use std::sync::Arc;

/// Coupons in order of id.
#[utoipa::path(
    get,
    path = "/v1/admin/coupons",
    tag = "admin",
    operation_id = "listCoupons",
    security(("apiKey" = ["admin"])),
    params(
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before"),
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 by default"),
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
    let page = Page::read(query.as_deref(), COUPON_LIST, None)?;
    let after = page.cursor.map(|cursor| CouponId::new(cursor.second));
    let after = after.transpose().map_err(|_forged| Problem::InvalidCursor)?;
    let mut coupons = station.desk.coupons(after, page.limit + 1);
    let more = coupons.len() > page.limit;
    coupons.truncate(page.limit);
    let now = station.desk.now();
    let last = coupons.last().filter(|_| more);
    let answer = AdminCouponPage {
        next_cursor: last.map(|last| {
            let second = last.coupon.id.get();
            Cursor {
                list: COUPON_LIST,
                first: 0,
                second,
            }
            .text()
        }),
        data: coupons
            .iter()
            .map(|posted| terms::wire(&posted.coupon, posted.existing(), now))
            .collect(),
    };
    json(StatusCode::OK, &answer)
}
