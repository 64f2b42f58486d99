//! `GET /v1/admin/reconciliation`.

use crate::auth::Administrator;
use crate::page::{Cursor, Page};
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::{RawQuery, State};
use coupon_api::ReconciliationPage;
use coupon_core::CouponId;
use http::StatusCode;
use std::sync::Arc;

/// The cursors of this list: the last coupon that was compared.
const LIST: u8 = 9;

/// Compare ledger, what is on its way, and store, coupon by coupon.
///
/// Every issue of the page's coupons is read on both sides, so ask for few at once while a sale goes on. What is merely on
/// its way is no difference.
#[utoipa::path(
    get,
    path = "/v1/admin/reconciliation",
    tag = "admin",
    operation_id = "listReconciliation",
    security(("apiKey" = ["admin"])),
    params(
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before"),
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 by default", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, description = "A page", body = ReconciliationPage),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_reconciliation(
    _: Administrator,
    State(station): State<Arc<Station>>,
    RawQuery(query): RawQuery,
) -> Reply {
    let page = Page::read(query.as_deref(), LIST, None)?;
    let after = page.cursor.and_then(|cursor| {
        let id = u32::try_from(cursor.first).ok()?;
        CouponId::new(id).ok()
    });
    let posted = station.desk.coupons(after, page.limit);
    let full = posted.len() == page.limit;
    let last = posted.last().map(|last| u64::from(last.coupon.id.get()));
    let mut data = Vec::with_capacity(posted.len());
    for one in posted {
        data.extend(super::compared(&station, one.coupon.id).await?);
    }
    let next_cursor = last.filter(|_| full).map(|first| {
        Cursor {
            list: LIST,
            first,
            second: 0,
        }
        .text()
    });
    json(StatusCode::OK, &ReconciliationPage { data, next_cursor })
}
