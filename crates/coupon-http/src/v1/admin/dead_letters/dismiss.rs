//! `POST /v1/admin/dead-letters/{id}/dismiss`.

use crate::error::Problem;
use crate::extract::{Command, NoFields};
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use coupon_api::DismissedLetters;
use coupon_app::AuditAction;
use http::StatusCode;
use std::sync::Arc;

/// Take this dead letter, and every one before it in the same place, off the list without bringing it again.
///
/// Doing it again is harmless. For letters that will never be taken: make sure first that nobody misses them.
#[utoipa::path(
    post,
    path = "/v1/admin/dead-letters/{id}/dismiss",
    tag = "admin",
    operation_id = "dismissDeadLetters",
    security(("apiKey" = ["admin"])),
    params(("id" = String, Path, description = "The last letter to be dismissed")),
    request_body(content = NoFields, content_type = "application/json"),
    responses(
        (status = 200, description = "How many were dismissed", body = DismissedLetters),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`: some may have been dismissed; ask again", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn dismiss_dead_letters(
    State(station): State<Arc<Station>>,
    path: Result<Path<String>, PathRejection>,
    command: Command<NoFields>,
) -> Reply {
    let Path(id) = path.map_err(|_not_utf_8| Problem::UnknownDeadLetter)?;
    super::note(&station, AuditAction::DeadLettersDismissed, &id, &command.origin).await?;
    let dismissed = station.hall.dead_letters.dismiss(&id).await;
    let dismissed = dismissed
        .map_err(|error| super::changing_failed(&error))?
        .ok_or(Problem::UnknownDeadLetter)?;
    tracing::info!(through = id, dismissed, by = %command.origin.key, "dead letters were dismissed");
    json(StatusCode::OK, &DismissedLetters { dismissed })
}
