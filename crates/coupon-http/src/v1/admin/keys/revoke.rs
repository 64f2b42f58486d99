//! `POST /v1/admin/keys/{id}/revoke`.

use crate::error::Problem;
use crate::extract::{Command, NoFields};
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use http::StatusCode;
use std::sync::Arc;

/// Revoke an API key. It is refused from the moment of this answer on.
///
/// Revoking again keeps the first time and is 200. Keys of the configuration are not in the list and cannot be revoked
/// here.
#[utoipa::path(
    post,
    path = "/v1/admin/keys/{id}/revoke",
    tag = "admin",
    operation_id = "revokeKey",
    security(("apiKey" = ["admin"])),
    params(("id" = String, Path, description = "The public part of the key")),
    request_body(content = NoFields, content_type = "application/json"),
    responses(
        (status = 200, description = "The key, revoked", body = coupon_api::ApiKey),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn revoke_key(
    State(station): State<Arc<Station>>,
    path: Result<Path<String>, PathRejection>,
    command: Command<NoFields>,
) -> Reply {
    let Path(id) = path.map_err(|_not_utf_8| Problem::UnknownKey)?;
    let hall = &station.hall;
    let _office = hall.key_office.lock().await;
    let revoked = hall
        .keys
        .revoke_key(&id, station.desk.now(), &command.origin)
        .await;
    let record = revoked
        .map_err(|error| super::writing_failed(&error))?
        .ok_or(Problem::UnknownKey)?;
    super::refresh(hall).await?;
    tracing::info!(key = %record.id, by = %command.origin.key, "an API key was revoked");
    json(StatusCode::OK, &super::wire(&record))
}
