//! `GET /v1/admin/keys`.

use crate::auth::Administrator;
use crate::error::Problem;
use crate::page::{Cursor, Page};
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::{RawQuery, State};
use coupon_api::ApiKeyPage;
use http::StatusCode;
use std::sync::Arc;

/// The cursors of this list: how many keys have been shown. Keys are revoked but never removed.
const LIST: u8 = 4;

/// API keys in order of making, revoked ones too.
#[utoipa::path(
    get,
    path = "/v1/admin/keys",
    tag = "admin",
    operation_id = "listKeys",
    security(("apiKey" = ["admin"])),
    params(
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before"),
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 by default", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, description = "A page", body = ApiKeyPage),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_keys(
    _: Administrator,
    State(station): State<Arc<Station>>,
    RawQuery(query): RawQuery,
) -> Reply {
    let page = Page::read(query.as_deref(), LIST, None)?;
    let keys = station
        .hall
        .keys
        .keys()
        .await
        .map_err(|error| Problem::from(&error))?;
    let shown = page
        .cursor
        .map_or(0, |cursor| usize::try_from(cursor.first).unwrap_or(usize::MAX));
    let rest = keys.get(shown..).ok_or(Problem::InvalidCursor)?;
    let data: Vec<_> = rest.iter().take(page.limit).map(super::wire).collect();
    let next = shown + data.len();
    let more = next < keys.len();
    let answer = ApiKeyPage {
        data,
        next_cursor: more.then(|| {
            Cursor {
                list: LIST,
                first: u64::try_from(next).unwrap_or(u64::MAX),
                second: 0,
            }
            .text()
        }),
    };
    json(StatusCode::OK, &answer)
}
