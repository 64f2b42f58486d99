//! The HTTP hall as this configuration wants it.

use crate::config::{HttpSettings, LimitSettings, Settings, TokenAlgorithm, TokenSettings};
use crate::keys::Keys;
use anyhow::Context as _;
use coupon_app::Scope;
use coupon_core::{AckLevel, Strategy};
use coupon_http::{BuildInfo, FixedKey, Limits, Network, Rate, Rates, TokenKeys};
use secrecy::ExposeSecret as _;
use std::num::NonZeroU32;
use std::time::Duration;

/// What metrics, logs and the audit trail call the administrator's first key.
const FIRST_KEY: &str = "first-admin";

/// Everything that an operator may set of the hall.
pub(crate) fn hall_settings(settings: &Settings, keys: &Keys) -> anyhow::Result<coupon_http::Settings> {
    let admin = FixedKey::new(FIRST_KEY, keys.admin.expose_secret(), vec![Scope::Admin])
        .context("the administrator's key (admin-key or FIRSTCOME_ADMIN_KEY)")?;
    Ok(coupon_http::Settings {
        tokens: token_settings(&settings.tokens, keys)?,
        fixed_keys: vec![admin],
        rates: rates(&settings.limits),
        limits: limits(&settings.http),
        trusted_proxies: trusted_proxies(&settings.http)?,
        strategies: vec![Strategy::Journal],
        acks: vec![AckLevel::Ledger],
        build: build_info(),
    })
}

fn token_settings(settings: &TokenSettings, keys: &Keys) -> anyhow::Result<coupon_http::TokenSettings> {
    let named = |text: &String| (!text.is_empty()).then(|| text.clone());
    Ok(coupon_http::TokenSettings {
        keys: token_keys(settings, keys)?,
        issuer: named(&settings.issuer),
        audience: named(&settings.audience),
        leeway: Duration::from_secs(settings.leeway_s),
    })
}

fn token_keys(settings: &TokenSettings, keys: &Keys) -> anyhow::Result<TokenKeys> {
    let algorithm = match settings.algorithm {
        TokenAlgorithm::Hs256 => {
            let secret = keys.jwt.expose_secret().as_bytes().to_vec();
            return Ok(TokenKeys::Secret(secret.into()));
        }
        TokenAlgorithm::Rs256 => coupon_http::TokenAlgorithm::Rs256,
        TokenAlgorithm::Es256 => coupon_http::TokenAlgorithm::Es256,
        TokenAlgorithm::EdDsa => coupon_http::TokenAlgorithm::EdDsa,
    };
    let file = &settings.key_file;
    let content = std::fs::read(file).with_context(|| format!("cannot read tokens.key_file {file:?}"))?;
    // A key set is a JSON object; PEM begins with dashes or a remark.
    Ok(if content.trim_ascii_start().starts_with(b"{") {
        TokenKeys::Jwks {
            algorithm,
            json: content,
        }
    } else {
        TokenKeys::Pem {
            algorithm,
            pem: content,
        }
    })
}

fn rates(settings: &LimitSettings) -> Rates {
    let rate = |requests: u32, per_s: u64| {
        NonZeroU32::new(requests).map(|requests| Rate {
            requests,
            per: Duration::from_secs(per_s),
        })
    };
    Rates {
        issue_per_user: rate(settings.issues_per_second_and_user, 1),
        issue_per_key: rate(settings.issues_per_second_and_key, 1),
        issue_per_address: rate(settings.issues_per_second_and_address, 1),
        wrong_codes_per_user: rate(settings.wrong_codes_per_minute_and_user, 60),
        wrong_codes_per_key: rate(settings.wrong_codes_per_minute_and_key, 60),
    }
}

fn limits(settings: &HttpSettings) -> Limits {
    Limits {
        connections: usize::try_from(settings.max_connections).unwrap_or(usize::MAX),
        listeners: usize::try_from(settings.max_listeners).unwrap_or(usize::MAX),
        head_time: Duration::from_millis(settings.head_timeout_ms),
        body_time: Duration::from_millis(settings.body_timeout_ms),
        request_time: Duration::from_millis(settings.request_timeout_ms),
        idle_time: Duration::from_millis(settings.idle_timeout_ms),
    }
}

fn trusted_proxies(settings: &HttpSettings) -> anyhow::Result<Vec<Network>> {
    let parse = |text: &String| {
        text.parse::<Network>()
            .with_context(|| format!("http.trusted_proxies: {text:?}"))
    };
    settings.trusted_proxies.iter().map(parse).collect()
}

fn build_info() -> BuildInfo {
    BuildInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("FIRSTCOME_COMMIT").unwrap_or("unknown").to_owned(),
    }
}
