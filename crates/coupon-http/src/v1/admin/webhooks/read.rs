//! `GET /v1/admin/webhooks/{id}`.

use super::{WebhookPath, one, shown};
use crate::auth::Administrator;
use crate::extract::NoQuery;
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::State;
use http::StatusCode;
use std::sync::Arc;

/// One webhook, without its secrets.
#[utoipa::path(
    get,
    path = "/v1/admin/webhooks/{id}",
    tag = "admin",
    operation_id = "getWebhook",
    security(("apiKey" = ["admin"])),
    params(
        ("id" = u64, Path, description = "Which webhook"),
    ),
    responses(
        (status = 200, description = "The webhook, with its `ETag`", body = coupon_api::Webhook),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_webhook(
    _: Administrator,
    _: NoQuery,
    State(station): State<Arc<Station>>,
    WebhookPath(id): WebhookPath,
) -> Reply {
    let webhook = one(&station, id).await?;
    shown(StatusCode::OK, &webhook, station.desk.now())
}
