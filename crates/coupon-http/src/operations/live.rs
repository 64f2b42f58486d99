//! `GET /livez`.

use crate::reply::{Reply, json};
use coupon_api::Liveness;
use http::StatusCode;

/// The server lives.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "operations",
    operation_id = "live",
    responses((status = 200, description = "It does", body = Liveness)),
)]
pub(crate) async fn live() -> Reply {
    json(StatusCode::OK, &Liveness { status: "live" })
}
