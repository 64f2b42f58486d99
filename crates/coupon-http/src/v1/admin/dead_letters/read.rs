//! `GET /v1/admin/dead-letters/{id}`.

use crate::auth::Administrator;
use crate::error::Problem;
use crate::extract::NoQuery;
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use http::StatusCode;
use std::sync::Arc;

/// One dead letter.
#[utoipa::path(
    get,
    path = "/v1/admin/dead-letters/{id}",
    tag = "admin",
    operation_id = "getDeadLetter",
    security(("apiKey" = ["admin"])),
    params(("id" = String, Path, description = "The letter's id")),
    responses(
        (status = 200, description = "The letter", body = coupon_api::DeadLetter),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_dead_letter(
    _: Administrator,
    _: NoQuery,
    State(station): State<Arc<Station>>,
    path: Result<Path<String>, PathRejection>,
) -> Reply {
    let Path(id) = path.map_err(|_not_utf_8| Problem::UnknownDeadLetter)?;
    let found = station.hall.dead_letters.find(&id).await;
    let letter = found
        .map_err(|error| super::looking_failed(&error))?
        .ok_or(Problem::UnknownDeadLetter)?;
    json(StatusCode::OK, &super::wire(letter))
}
