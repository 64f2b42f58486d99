//! `DELETE /v1/admin/webhooks/{id}`.

use super::{WebhookPath, writing_failed};
use crate::error::Problem;
use crate::extract::{Command, NoFields};
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::State;
use axum::response::IntoResponse as _;
use http::StatusCode;
use std::sync::Arc;

/// Delete a webhook. What is still on its way to it is given up.
#[utoipa::path(
    delete,
    path = "/v1/admin/webhooks/{id}",
    tag = "admin",
    operation_id = "deleteWebhook",
    security(("apiKey" = ["admin"])),
    params(
        ("id" = u64, Path, description = "Which webhook"),
    ),
    responses(
        (status = 204, description = "Deleted"),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete_webhook(
    State(station): State<Arc<Station>>,
    path: Result<WebhookPath, Problem>,
    command: Command<NoFields>,
) -> Reply {
    let WebhookPath(id) = path?;
    let store = &station.hall.webhooks.store;
    let deleted = store
        .delete_webhook(id, station.desk.now(), &command.origin)
        .await;
    if !deleted.map_err(|error| writing_failed(&error))? {
        return Err(Problem::UnknownWebhook);
    }
    tracing::info!(webhook = %id, by = %command.origin.key, "a webhook was deleted");
    Ok(StatusCode::NO_CONTENT.into_response())
}
