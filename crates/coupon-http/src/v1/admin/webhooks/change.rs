//! `PATCH /v1/admin/webhooks/{id}`.

use super::{WebhookPath, change, description, kinds, shown, url};
use crate::error::Problem;
use crate::extract::Command;
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::State;
use coupon_api::ChangeWebhookBody;
use coupon_app::DisabledReason;
use http::StatusCode;
use std::sync::Arc;

/// Change a webhook: what is absent stays.
///
/// `enabled` switches it off and on again. One that a receiver has ended with 410 can be switched on like any other.
#[utoipa::path(
    patch,
    path = "/v1/admin/webhooks/{id}",
    tag = "admin",
    operation_id = "changeWebhook",
    security(("apiKey" = ["admin"])),
    params(
        ("id" = u64, Path, description = "Which webhook"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that must still be the present one"),
    ),
    request_body(content = ChangeWebhookBody, content_type = "application/json"),
    responses(
        (status = 200, description = "The webhook, with its `ETag`", body = coupon_api::Webhook),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn change_webhook(
    State(station): State<Arc<Station>>,
    path: Result<WebhookPath, Problem>,
    command: Command<ChangeWebhookBody>,
) -> Reply {
    let (command, body) = command.take();
    let WebhookPath(id) = path?;
    let mut wrong = Vec::new();
    let url = body.url.map(|text| url(&station, text, &mut wrong));
    let description = body.description.map(|text| description(text, &mut wrong));
    let kinds = body.events.map(|events| kinds(events, &mut wrong));
    if !wrong.is_empty() {
        return Err(Problem::InvalidValues(wrong));
    }
    let now = station.desk.now();
    let webhook = change(
        &station,
        id,
        (&command.origin, &command.headers),
        |mut webhook| {
            if let Some(Some(url)) = &url {
                webhook.url = url.clone();
            }
            if let Some(description) = &description {
                webhook.description.clone_from(description);
            }
            if let Some(kinds) = &kinds {
                webhook.kinds = kinds.clone();
            }
            match body.enabled {
                None => webhook.next(),
                Some(true) => webhook.enabled(),
                Some(false) => webhook.disabled(now, DisabledReason::ByHand),
            }
        },
    )
    .await?;
    tracing::info!(webhook = %id, by = %command.origin.key, "a webhook was changed");
    shown(StatusCode::OK, &webhook, now)
}
