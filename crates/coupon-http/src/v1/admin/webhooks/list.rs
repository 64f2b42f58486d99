//! `GET /v1/admin/webhooks`.

use super::wire;
use crate::auth::Administrator;
use crate::error::Problem;
use crate::page::{Cursor, Page};
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::{RawQuery, State};
use coupon_api::WebhookPage;
use http::StatusCode;
use std::sync::Arc;

/// The cursors of this list: the id of the last one shown.
const LIST: u8 = 9;

/// Webhooks in order of id, without their secrets.
#[utoipa::path(
    get,
    path = "/v1/admin/webhooks",
    tag = "admin",
    operation_id = "listWebhooks",
    security(("apiKey" = ["admin"])),
    params(
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before"),
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 by default", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, description = "A page", body = WebhookPage),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_webhooks(
    _: Administrator,
    State(station): State<Arc<Station>>,
    RawQuery(query): RawQuery,
) -> Reply {
    let page = Page::read(query.as_deref(), LIST, None)?;
    let after = page.cursor.map_or(0, |cursor| cursor.first);
    let webhooks = station.hall.webhooks.store.webhooks().await;
    let webhooks = webhooks.map_err(|error| Problem::from(&error))?;
    let now = station.desk.now();
    let mut rest = webhooks
        .iter()
        .filter(|webhook| u64::from(webhook.id.get()) > after);
    let data: Vec<_> = rest
        .by_ref()
        .take(page.limit)
        .map(|webhook| wire(webhook, now))
        .collect();
    let more = rest.next().is_some();
    let last = data.last().map_or(after, |webhook| u64::from(webhook.id));
    let cursor = Cursor {
        list: LIST,
        first: last,
        second: 0,
    };
    let answer = WebhookPage {
        data,
        next_cursor: more.then(|| cursor.text()),
    };
    json(StatusCode::OK, &answer)
}
