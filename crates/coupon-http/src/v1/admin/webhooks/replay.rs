//! `POST /v1/admin/webhooks/{id}/deliveries/{notification}/replay`.

use super::{CHANNEL, one, writing_failed};
use crate::error::Problem;
use crate::extract::{Command, NoFields};
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use coupon_app::{DeliveryId, WebhookId};
use http::StatusCode;
use std::sync::Arc;

/// Have a delivery that has come to an end tried again, under the same id, as often as a new one.
#[utoipa::path(
    post,
    path = "/v1/admin/webhooks/{id}/deliveries/{notification}/replay",
    tag = "admin",
    operation_id = "replayWebhookDelivery",
    security(("apiKey" = ["admin"])),
    params(
        ("id" = u64, Path, description = "Which webhook"),
        ("notification" = String, Path, description = "The id of the delivery, such as `redeemed-1-17-1`"),
    ),
    request_body(content = NoFields, content_type = "application/json"),
    responses(
        (status = 204, description = "It is tried again"),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn replay_webhook_delivery(
    State(station): State<Arc<Station>>,
    path: Result<Path<(String, String)>, PathRejection>,
    command: Command<NoFields>,
) -> Reply {
    let Path((id, notification)) = path.map_err(|_not_utf_8| Problem::UnknownWebhook)?;
    let id: WebhookId = id.parse().map_err(|_no_id| Problem::UnknownWebhook)?;
    one(&station, id).await?;
    let delivery = DeliveryId {
        notification: notification.parse().map_err(|_no_id| Problem::UnknownDelivery)?,
        channel: CHANNEL.into(),
        recipient: id.recipient(),
    };
    let kept = super::deliveries(&station)?;
    let replayed = kept.replay(&delivery, station.desk.now(), &command.origin).await;
    if !replayed.map_err(|error| writing_failed(&error))? {
        return Err(Problem::UnknownDelivery);
    }
    tracing::info!(webhook = %id, notification = %delivery.notification, by = %command.origin.key, "a delivery is tried again");
    Ok(StatusCode::NO_CONTENT.into_response())
}
