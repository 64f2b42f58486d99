//! Secrets of webhooks: where they come from, and how they are shown.

use crate::error::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coupon_app::WebhookSecret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The form in which receivers are given a secret (Standard Webhooks).
pub(super) fn text(secret: &WebhookSecret) -> String {
    format!("whsec_{}", STANDARD.encode(secret.expose()))
}

/// One that nobody has had before.
pub(super) fn random() -> Result<WebhookSecret, Problem> {
    let mut bytes = [0; WebhookSecret::BYTES];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the operating system has no random numbers");
        Problem::Unavailable { retry_after_s: 5 }
    })?;
    Ok(WebhookSecret::new(bytes))
}

/// The one that belongs to an idempotency key. `turn` counts those that it has had.
pub(super) fn derived(seed: &[u8; 32], scope: &[u8; 16], turn: u32) -> WebhookSecret {
    let mut mac = Hmac::<Sha256>::new_from_slice(seed).expect("HMAC takes keys of any length");
    mac.update(b"firstcome webhook secret");
    mac.update(scope);
    mac.update(&turn.to_be_bytes());
    WebhookSecret::new(mac.finalize().into_bytes().into())
}

/// Sixteen hexadecimal digits that nobody has had before.
pub(super) fn random_word() -> Result<String, Problem> {
    let secret = random()?;
    let digits = secret.expose().iter().take(8).map(|byte| format!("{byte:02x}"));
    Ok(digits.collect())
}
