//! `GET /openapi.json`.

use crate::reply::Reply;
use crate::router::DOCUMENT;
use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;

/// The OpenAPI document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "operations",
    operation_id = "openapi",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)),
)]
pub(crate) async fn get_openapi() -> Reply {
    Ok(([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response())
}
