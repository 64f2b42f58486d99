//! `POST /v1/admin/keys`.

use crate::auth::{ApiKeySecret, MATERIAL_BYTES};
use crate::error::{Problem, Wrong, WrongRule};
use crate::extract::Command;
use crate::idempotency::{IDEMPOTENT_REPLAYED, TRUE};
use crate::limits::KEY_NAME_CHARS;
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::State;
use coupon_api::{AnyTime, CreateKeyBody, NewApiKey};
use coupon_app::limits::COMMAND_TOKEN_LIFE_US;
use coupon_app::{KeyRecord, Scope};
use coupon_core::{Rule, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use secrecy::ExposeSecret;
use sha2::Sha256;
use std::borrow::Cow;
use std::sync::Arc;

/// Make an API key. Its secret is shown in this answer and never again.
#[utoipa::path(
    post,
    path = "/v1/admin/keys",
    tag = "admin",
    operation_id = "createKey",
    security(("apiKey" = ["admin"])),
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters, kept for 24 hours"),
    ),
    request_body(content = CreateKeyBody, content_type = "application/json"),
    responses(
        (status = 201, description = "The key with its secret", body = NewApiKey),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create_key(
    State(station): State<Arc<Station>>,
    command: Command<CreateKeyBody>,
) -> Reply {
    let Wanted {
        name,
        scopes,
        expires_at,
    } = check(&command.body, station.desk.now())?;
    let hall = &station.hall;
    let _office = hall.key_office.lock().await;
    let now = station.desk.now();
    let existing = match &command.token {
        None => None,
        Some(_) => Some(hall.keys.keys().await.map_err(|error| Problem::from(&error))?),
    };
    let (key, earlier) = match (&command.token, &existing) {
        (Some(token), Some(existing)) => derive(hall.key_seed.expose_secret(), &token.scope, existing, now),
        _ => (generate()?, None),
    };
    let (record, replayed) = match earlier {
        // The secret is derived from the key of the request, so the earlier answer can be given again without having
        // been kept. What was asked then is what the record says.
        Some(earlier)
            if *earlier.name == *name && earlier.scopes == scopes && earlier.expires_at == expires_at =>
        {
            (earlier.clone(), true)
        }
        Some(_) => return Err(Problem::IdempotencyKeyReused),
        None => {
            let record = key.record(&name, scopes, now, expires_at);
            let added = hall.keys.add_key(&record, &command.origin).await;
            added.map_err(|error| super::writing_failed(&error))?;
            super::refresh(hall).await?;
            tracing::info!(key = %record.id, by = %command.origin.key, "an API key was made");
            (record, false)
        }
    };
    let shown = super::wire(&record);
    let mut response = json(
        StatusCode::CREATED,
        &NewApiKey {
            id: shown.id,
            name: shown.name,
            scopes: shown.scopes,
            created_at: shown.created_at,
            expires_at: shown.expires_at,
            revoked_at: shown.revoked_at,
            key: key.expose(),
        },
    )?;
    if replayed {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, TRUE);
    }
    Ok(response)
}

fn generate() -> Result<ApiKeySecret, Problem> {
    ApiKeySecret::generate().map_err(|error| {
        tracing::error!(%error, "the operating system has no random numbers");
        Problem::Unavailable { retry_after_s: 5 }
    })
}

/// The key that belongs to an idempotency key, and its record if it was made before. A record that is older than such
/// keys are kept for makes room for the next in line.
fn derive<'k>(
    seed: &[u8; 32],
    scope: &[u8; 16],
    existing: &'k [KeyRecord],
    now: Timestamp,
) -> (ApiKeySecret, Option<&'k KeyRecord>) {
    let mut turn = 0u32;
    loop {
        let key = derived(seed, scope, turn);
        let id = key.id();
        let earlier = existing.iter().find(|record| record.id == id);
        let outlived = |record: &KeyRecord| {
            now.as_micros().saturating_sub(record.created_at.as_micros()) >= COMMAND_TOKEN_LIFE_US
        };
        if !earlier.is_some_and(outlived) {
            return (key, earlier);
        }
        turn += 1;
    }
}

fn derived(seed: &[u8; 32], scope: &[u8; 16], turn: u32) -> ApiKeySecret {
    let half = |part: u8| {
        let mut mac = Hmac::<Sha256>::new_from_slice(seed).expect("HMAC takes keys of any length");
        mac.update(b"firstcome api key");
        mac.update(scope);
        mac.update(&turn.to_be_bytes());
        mac.update(&[part]);
        mac.finalize().into_bytes()
    };
    let mut material = [0; MATERIAL_BYTES];
    material.copy_from_slice(&half(0)[..MATERIAL_BYTES]);
    ApiKeySecret::from_material(material)
}

/// A key that can be made.
struct Wanted {
    name: Box<str>,
    /// Sorted.
    scopes: Vec<Scope>,
    expires_at: Option<Timestamp>,
}

/// What is wanted, or every field that is wrong.
fn check(body: &CreateKeyBody, now: Timestamp) -> Result<Wanted, Problem> {
    let mut wrong = Vec::new();
    let mut add = |field, rule| {
        wrong.push(Wrong {
            field: Cow::Borrowed(field),
            rule,
        });
    };
    let name = body.name.trim();
    if name.is_empty() || body.name.chars().count() > KEY_NAME_CHARS {
        let (min, max) = (1, KEY_NAME_CHARS);
        add("name", WrongRule::Domain(Rule::Length { min, max }));
    } else if body.name.chars().any(char::is_control) {
        add("name", WrongRule::Domain(Rule::ForbiddenCharacter));
    }
    let mut scopes: Vec<Scope> = body.scopes.iter().copied().map(super::scope).collect();
    scopes.sort_unstable();
    let given = scopes.len();
    scopes.dedup();
    if given == 0 {
        add("scopes", WrongRule::Empty);
    } else if scopes.len() < given {
        add("scopes", WrongRule::Repeated);
    }
    let expires_at = body.expires_at.and_then(AnyTime::get);
    if body.expires_at.is_some() && expires_at.is_none() {
        add("expiresAt", WrongRule::TimeRange);
    } else if expires_at.is_some_and(|expires_at| expires_at <= now) {
        add("expiresAt", WrongRule::Domain(Rule::InThePast));
    }
    if wrong.is_empty() {
        Ok(Wanted {
            name: body.name.as_str().into(),
            scopes,
            expires_at,
        })
    } else {
        Err(Problem::InvalidValues(wrong))
    }
}
