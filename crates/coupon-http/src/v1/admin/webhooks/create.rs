//! `POST /v1/admin/webhooks`.

use super::{description, kinds, secret, shown_with_secret, url, writing_failed};
use crate::error::Problem;
use crate::extract::Command;
use crate::idempotency::{IDEMPOTENT_REPLAYED, TRUE};
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::State;
use coupon_api::{CreateWebhookBody, NewWebhook};
use coupon_app::limits::{COMMAND_TOKEN_LIFE_US, MAX_WEBHOOKS};
use coupon_app::{Webhook, WebhookDraft, WebhookSecret};
use coupon_core::Timestamp;
use http::StatusCode;
use secrecy::ExposeSecret;
use std::sync::Arc;

/// Make a webhook. Its secret is shown in this answer and never again.
///
/// What it is sent is signed as the Standard Webhooks specification says.
#[utoipa::path(
    post,
    path = "/v1/admin/webhooks",
    tag = "admin",
    operation_id = "createWebhook",
    security(("apiKey" = ["admin"])),
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters, kept for 24 hours"),
    ),
    request_body(content = CreateWebhookBody, content_type = "application/json"),
    responses(
        (status = 201, description = "The webhook with its secret and its `ETag`", body = NewWebhook),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create_webhook(
    State(station): State<Arc<Station>>,
    command: Command<CreateWebhookBody>,
) -> Reply {
    let (command, body) = command.take();
    let mut wrong = Vec::new();
    let url = url(&station, body.url, &mut wrong);
    let description = description(body.description, &mut wrong);
    let kinds = kinds(body.events, &mut wrong);
    let Some(url) = url.filter(|_url| wrong.is_empty()) else {
        return Err(Problem::InvalidValues(wrong));
    };
    let hall = &station.hall;
    let now = station.desk.now();
    let store = &hall.webhooks.store;
    let (secret, earlier) = match &command.token {
        None => (secret::random()?, None),
        Some(token) => {
            let existing = store.webhooks().await.map_err(|error| Problem::from(&error))?;
            derive(hall.key_seed.expose_secret(), &token.scope, existing, now)
        }
    };
    let draft = WebhookDraft {
        url,
        description,
        kinds,
        secret,
    };
    // The secret tells that the webhook was made by the same request; what was asked then is what is on record.
    if let Some(earlier) = earlier {
        let same = Webhook::new(earlier.id, draft, earlier.created_at) == earlier;
        if !same {
            return Err(Problem::IdempotencyKeyReused);
        }
        let mut response = shown_with_secret(StatusCode::CREATED, &earlier, now)?;
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, TRUE);
        return Ok(response);
    }
    let added = store.add_webhook(&draft, now, &command.origin).await;
    let webhook = added
        .map_err(|error| writing_failed(&error))?
        .ok_or(Problem::TooManyWebhooks { limit: MAX_WEBHOOKS })?;
    tracing::info!(webhook = %webhook.id, by = %command.origin.key, "a webhook was made");
    shown_with_secret(StatusCode::CREATED, &webhook, now)
}

/// The secret that belongs to an idempotency key, and the webhook if one was made with it before. One that is older
/// than such keys are kept for makes room for the next in line.
fn derive(
    seed: &[u8; 32],
    scope: &[u8; 16],
    mut existing: Vec<Webhook>,
    now: Timestamp,
) -> (WebhookSecret, Option<Webhook>) {
    let mut turn = 0;
    loop {
        let secret = secret::derived(seed, scope, turn);
        let earlier = existing
            .iter()
            .position(|webhook| webhook.secrets.current == secret);
        let Some(index) = earlier else {
            return (secret, None);
        };
        let earlier = existing.swap_remove(index);
        let age_us = now.as_micros().saturating_sub(earlier.created_at.as_micros());
        if age_us < COMMAND_TOKEN_LIFE_US {
            return (secret, Some(earlier));
        }
        turn += 1;
    }
}
