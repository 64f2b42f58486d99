//! Makes users' tokens, as the shop's login would: for trying things out and for rehearsals.

use crate::config::{Settings, TokenAlgorithm};
use crate::{clock, keys};
use anyhow::{Context as _, bail};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::ExposeSecret as _;
use serde::Serialize;

/// Signs tokens that this configuration's server believes.
#[derive(Clone, Debug)]
pub(crate) struct TokenMint {
    key: EncodingKey,
    issuer: Option<String>,
    audience: Option<String>,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

impl TokenMint {
    /// A mint with the server's own secret. Where tokens are signed with a private key, only the issuer can.
    pub(crate) fn of(settings: &Settings) -> anyhow::Result<Self> {
        if settings.tokens.algorithm != TokenAlgorithm::Hs256 {
            bail!(
                "this server believes tokens signed with the private key of another issuer (tokens.algorithm), which \
                 is not here; get a token from that issuer"
            );
        }
        let secret = keys::jwt_secret(settings)?;
        let named = |text: &String| (!text.is_empty()).then(|| text.clone());
        Ok(Self {
            key: EncodingKey::from_secret(secret.expose_secret().as_bytes()),
            issuer: named(&settings.tokens.issuer),
            audience: named(&settings.tokens.audience),
        })
    }

    /// A token of `user` that expires after so many seconds.
    pub(crate) fn token(&self, user: &str, ttl_s: i64) -> anyhow::Result<String> {
        let now = clock::now().as_second();
        let claims = Claims {
            sub: user,
            iat: now,
            exp: now.saturating_add(ttl_s),
            iss: self.issuer.as_deref(),
            aud: self.audience.as_deref(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.key)
            .context("cannot sign the token")
    }
}
