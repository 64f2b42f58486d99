//! `DELETE /v1/users/{userId}/contact`.

use super::{user, writing_failed};
use crate::auth::Service;
use crate::extract::NoQuery;
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use http::StatusCode;
use std::sync::Arc;

/// Forget how a user is reached, for a service. If nothing was known it is 204 too.
#[utoipa::path(
    delete,
    path = "/v1/users/{userId}/contact",
    tag = "wallet",
    operation_id = "forgetContact",
    security(("apiKey" = ["issue", "redeem"])),
    params(("userId" = String, Path, description = "Which user, percent-encoded")),
    responses(
        (status = 204, description = "Forgotten"),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn forget_contact(
    _: Service,
    _: NoQuery,
    State(station): State<Arc<Station>>,
    path: Result<Path<String>, PathRejection>,
) -> Reply {
    let user = user(path)?;
    let forgotten = station.hall.contacts.forget_contact(&user).await;
    forgotten.map_err(|error| writing_failed(&error))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
