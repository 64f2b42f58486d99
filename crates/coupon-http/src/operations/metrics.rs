//! `GET /metrics`.

use crate::error::Problem;
use crate::metrics;
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use std::sync::Arc;

/// Everything that is counted, in the OpenMetrics text format.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operations",
    operation_id = "metrics",
    responses((status = 200, description = "OpenMetrics", body = String, content_type = "application/openmetrics-text")),
)]
pub(crate) async fn get_metrics(State(station): State<Arc<Station>>) -> Reply {
    let text = metrics::scrape(&station).map_err(|error| {
        tracing::error!(%error, "the metrics cannot be written");
        Problem::Unavailable { retry_after_s: 5 }
    })?;
    Ok(([(CONTENT_TYPE, metrics::OPEN_METRICS)], text).into_response())
}
