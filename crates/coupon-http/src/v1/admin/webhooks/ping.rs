//! `POST /v1/admin/webhooks/{id}/ping`.

use super::{WebhookPath, one, secret};
use crate::error::Problem;
use crate::extract::{Command, NoFields};
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::State;
use coupon_api::{Ping, PingOutcome};
use coupon_app::ChannelOutcome;
use http::StatusCode;
use std::sync::Arc;

/// Send a webhook a `webhook.ping` now, once, and say what came of it. It changes nothing, even if the answer is 410.
#[utoipa::path(
    post,
    path = "/v1/admin/webhooks/{id}/ping",
    tag = "admin",
    operation_id = "pingWebhook",
    security(("apiKey" = ["admin"])),
    params(
        ("id" = u64, Path, description = "Which webhook"),
    ),
    request_body(content = NoFields, content_type = "application/json"),
    responses(
        (status = 200, description = "What came of it, good or bad", body = Ping),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn ping_webhook(
    State(station): State<Arc<Station>>,
    path: Result<WebhookPath, Problem>,
    _command: Command<NoFields>,
) -> Reply {
    let WebhookPath(id) = path?;
    let webhook = one(&station, id).await?;
    let now = station.desk.now();
    let message_id = format!("ping-{}", secret::random_word()?);
    let outcome = station.hall.webhooks.post.ping(&webhook, &message_id, now).await;
    let report = outcome.report();
    let answer = Ping {
        outcome: match &outcome {
            ChannelOutcome::Delivered(_) => PingOutcome::Delivered,
            ChannelOutcome::RetryLater { .. } => PingOutcome::Failed,
            ChannelOutcome::Refused(_) | ChannelOutcome::Undeliverable(_) => PingOutcome::Refused,
            ChannelOutcome::DisableEndpoint(_) => PingOutcome::Gone,
        },
        status: report.status,
        detail: report.text.to_string(),
    };
    json(StatusCode::OK, &answer)
}
