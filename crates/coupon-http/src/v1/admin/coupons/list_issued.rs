//! `GET /v1/admin/coupons/{couponId}/issued-coupons`.

use super::ISSUED_LIST;
use crate::auth::Administrator;
use crate::error::Problem;
use crate::extract::CouponPath;
use crate::page::{Cursor, Page};
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::{RawQuery, State};
use coupon_api::IssuedCouponPage;
use http::StatusCode;
use std::sync::Arc;

/// Who got a coupon, in the order of issue.
#[utoipa::path(
    get,
    path = "/v1/admin/coupons/{couponId}/issued-coupons",
    tag = "admin",
    operation_id = "listIssuedCoupons",
    security(("apiKey" = ["admin"])),
    params(
        ("couponId" = u64, Path, description = "Which coupon", minimum = 1),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before"),
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 by default", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, description = "A page", body = IssuedCouponPage<'static>),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_issued_coupons(
    _: Administrator,
    State(station): State<Arc<Station>>,
    CouponPath(id): CouponPath,
    RawQuery(query): RawQuery,
) -> Reply {
    let page = Page::read(query.as_deref(), ISSUED_LIST, None)?;
    station
        .desk
        .newest_coupon(id)
        .await
        .ok_or(Problem::UnknownCoupon)?;
    let of_this_coupon = |cursor: &Cursor| cursor.first == u64::from(id.get());
    if page.cursor.as_ref().is_some_and(|cursor| !of_this_coupon(cursor)) {
        return Err(Problem::InvalidCursor);
    }
    let after = page.cursor.map_or(0, |cursor| cursor.second);
    let mut issued = station.desk.issued_coupons(id, after, page.limit + 1).await?;
    let more = issued.len() > page.limit;
    issued.truncate(page.limit);
    let last = issued.last().filter(|_| more);
    let now = station.desk.now();
    let answer = IssuedCouponPage {
        next_cursor: last.map(|last| {
            Cursor {
                list: ISSUED_LIST,
                first: u64::from(id.get()),
                second: last.grant.position.get(),
            }
            .text()
        }),
        data: issued.iter().map(|one| station.stored(one, now)).collect(),
    };
    json(StatusCode::OK, &answer)
}
