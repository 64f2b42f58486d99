//! `POST /v1/admin/webhooks/{id}/rotate-secret`.

use super::{WebhookPath, change, one, secret, shown_with_secret};
use crate::error::Problem;
use crate::extract::{Command, NoFields};
use crate::idempotency::{IDEMPOTENT_REPLAYED, TRUE};
use crate::limits::WEBHOOK_SECRETS_OVERLAP;
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::State;
use coupon_app::{Webhook, WebhookSecret};
use http::StatusCode;
use secrecy::ExposeSecret;
use std::sync::Arc;

/// Give a webhook another secret, which is shown in this answer and never again.
///
/// For 24 hours what it is sent is signed with the one before as well, so that its receiver can change over. There are
/// never more than two: rotating again within that time ends the oldest at once.
#[utoipa::path(
    post,
    path = "/v1/admin/webhooks/{id}/rotate-secret",
    tag = "admin",
    operation_id = "rotateWebhookSecret",
    security(("apiKey" = ["admin"])),
    params(
        ("id" = u64, Path, description = "Which webhook"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters, kept for 24 hours"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that must still be the present one"),
    ),
    request_body(content = NoFields, content_type = "application/json"),
    responses(
        (status = 200, description = "The webhook with its new secret and its `ETag`", body = coupon_api::NewWebhook),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn rotate_webhook_secret(
    State(station): State<Arc<Station>>,
    path: Result<WebhookPath, Problem>,
    command: Command<NoFields>,
) -> Reply {
    let WebhookPath(id) = path?;
    let now = station.desk.now();
    let fresh = match &command.token {
        None => secret::random()?,
        Some(token) => {
            let present = one(&station, id).await?;
            let fresh = derive(station.hall.key_seed.expose_secret(), &token.scope, &present);
            if fresh == present.secrets.current {
                let mut response = shown_with_secret(StatusCode::OK, &present, now)?;
                response.headers_mut().insert(IDEMPOTENT_REPLAYED, TRUE);
                return Ok(response);
            }
            fresh
        }
    };
    let webhook = change(&station, id, (&command.origin, &command.headers), |webhook| {
        webhook.rotated(fresh.clone(), now, WEBHOOK_SECRETS_OVERLAP)
    })
    .await?;
    tracing::info!(webhook = %id, by = %command.origin.key, "a webhook got another secret");
    shown_with_secret(StatusCode::OK, &webhook, now)
}

/// The secret that belongs to an idempotency key; never the one that was just replaced.
fn derive(seed: &[u8; 32], scope: &[u8; 16], present: &Webhook) -> WebhookSecret {
    let first = secret::derived(seed, scope, 0);
    match &present.secrets.previous {
        Some((previous, _until)) if *previous == first => secret::derived(seed, scope, 1),
        Some(_) | None => first,
    }
}
