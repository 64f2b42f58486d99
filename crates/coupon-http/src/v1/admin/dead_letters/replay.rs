//! `POST /v1/admin/dead-letters/{id}/replay`.

use crate::error::Problem;
use crate::extract::{Command, NoFields};
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use coupon_api::ReplayedLetters;
use coupon_app::AuditAction;
use http::StatusCode;
use std::sync::Arc;

/// Bring this dead letter, and every one before it in the same place, to where it belongs again.
///
/// They leave the list; what still cannot be taken comes back as a new letter. A notification keeps its id, and what
/// others have replayed or dismissed meanwhile is not touched. Doing it again is harmless, whether or not the letter is
/// still on the list. A letter that is not replayable stops it: `stoppedAt` names it, and only dismissing takes it off
/// the list.
#[utoipa::path(
    post,
    path = "/v1/admin/dead-letters/{id}/replay",
    tag = "admin",
    operation_id = "replayDeadLetters",
    security(("apiKey" = ["admin"])),
    params(("id" = String, Path, description = "The last letter to be replayed")),
    request_body(content = NoFields, content_type = "application/json"),
    responses(
        (status = 200, description = "How many were brought again", body = ReplayedLetters),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`: some may have been replayed; ask again", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn replay_dead_letters(
    State(station): State<Arc<Station>>,
    path: Result<Path<String>, PathRejection>,
    command: Command<NoFields>,
) -> Reply {
    let Path(id) = path.map_err(|_not_utf_8| Problem::UnknownDeadLetter)?;
    super::note(&station, AuditAction::DeadLettersReplayed, &id, &command.origin).await?;
    let replayed = station.hall.dead_letters.replay(&id).await;
    let replayed = replayed
        .map_err(|error| super::changing_failed(&error))?
        .ok_or(Problem::UnknownDeadLetter)?;
    tracing::info!(through = id, sent = replayed.sent, by = %command.origin.key, "dead letters were replayed");
    let answer = ReplayedLetters {
        replayed: replayed.sent,
        stopped_at: replayed.stopped_at.map(String::from),
    };
    json(StatusCode::OK, &answer)
}
