//! Users' tokens: JWTs (RFC 7519), checked as RFC 8725 advises.
//!
//! The algorithm is the configuration's choice, never the token's: one verifier knows one algorithm and keys of its
//! kind alone, so `none` and keys mistaken for another kind cannot pass. Times are judged by the house's own clock.

use crate::error::Problem;
use crate::limits::{CHECKED_TOKENS, TOKEN_BYTES};
use coupon_core::{Span, Timestamp, UserId};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use quick_cache::sync::Cache;
use secrecy::{ExposeSecret, SecretSlice};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// Shortest secret for HS256: RFC 7518, 3.2 asks for as many bits as the hash has.
const MIN_SECRET_BYTES: usize = 32;

/// How users' tokens are checked.
#[derive(Debug)]
pub struct TokenSettings {
    /// The algorithm and its keys.
    pub keys: TokenKeys,
    /// Who must have issued a token (`iss`); anyone when `None`.
    pub issuer: Option<String>,
    /// Whom a token must be meant for (`aud`); `None` accepts any audience.
    pub audience: Option<String>,
    /// How far the issuer's clock may be off. More accepts expired tokens for longer.
    pub leeway: Duration,
}

/// The algorithm that tokens must have, with the keys for it.
#[derive(Debug)]
pub enum TokenKeys {
    /// HMAC with SHA-256 under a secret of at least 32 bytes that the issuer shares with this server.
    Secret(SecretSlice<u8>),
    /// A public key as PEM.
    Pem {
        /// Of which kind.
        algorithm: TokenAlgorithm,
        /// The file's content.
        pem: Vec<u8>,
    },
    /// Public keys as a JSON Web Key Set. Keys of other kinds are left out; `kid` chooses among several.
    Jwks {
        /// Of which kind.
        algorithm: TokenAlgorithm,
        /// The file's content.
        json: Vec<u8>,
    },
}

/// The algorithms with public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl TokenAlgorithm {
    const fn jose(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Es256 => Algorithm::ES256,
            Self::EdDsa => Algorithm::EdDSA,
        }
    }

    fn fits(self, key: &Jwk) -> bool {
        let declared = key.common.key_algorithm.as_ref().is_none_or(|declared| {
            declared.to_string().eq_ignore_ascii_case(match self {
                Self::Rs256 => "RS256",
                Self::Es256 => "ES256",
                Self::EdDsa => "EdDSA",
            })
        });
        declared
            && match self {
                Self::Rs256 => matches!(key.algorithm, AlgorithmParameters::RSA(_)),
                Self::Es256 => {
                    matches!(&key.algorithm, AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256)
                }
                Self::EdDsa => {
                    matches!(&key.algorithm, AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519)
                }
            }
    }
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenSettingsError {
    /// Too easily guessed.
    #[error("the token secret must have at least {MIN_SECRET_BYTES} bytes")]
    ShortSecret,
    /// The file has no key in it that can be read.
    #[error("the token key cannot be read: {0}")]
    Key(#[source] jsonwebtoken::errors::Error),
    /// The file is no key set.
    #[error("the key set cannot be read: {0}")]
    KeySet(#[source] serde_json::Error),
    /// The key set has no key for the algorithm.
    #[error("the key set has no key for the chosen algorithm")]
    NoKey,
}

/// A token that was checked.
#[derive(Debug)]
pub(crate) struct CheckedToken {
    pub(crate) user: UserId,
    /// The first instant at which it is no longer good, leeway included.
    expires_at: Timestamp,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    /// RFC 7519 calls these NumericDate: seconds, perhaps with a fraction.
    exp: f64,
    nbf: Option<f64>,
}

/// Checks tokens, and remembers which it has checked.
#[derive(Debug)]
pub(crate) struct TokenVerifier {
    keys: Vec<(Option<String>, DecodingKey)>,
    validation: Validation,
    leeway: Span,
    checked: Cache<[u8; 32], Arc<CheckedToken>>,
}

impl TokenVerifier {
    pub(crate) fn new(settings: &TokenSettings) -> Result<Self, TokenSettingsError> {
        let (algorithm, keys) = read_keys(&settings.keys)?;
        let mut validation = Validation::new(algorithm);
        // Times are judged below, by the clock of the house.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = settings.audience.is_some();
        let mut required = vec!["exp", "sub"];
        if let Some(audience) = &settings.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        if let Some(issuer) = &settings.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        let leeway = i64::try_from(settings.leeway.as_micros()).unwrap_or(i64::MAX);
        Ok(Self {
            keys,
            validation,
            leeway: Span::from_micros(leeway).unwrap_or(Span::ZERO),
            checked: Cache::new(CHECKED_TOKENS),
        })
    }

    /// The user that a token speaks for.
    pub(crate) fn check(&self, token: &str, now: Timestamp) -> Result<Arc<CheckedToken>, Problem> {
        if token.len() > TOKEN_BYTES {
            return Err(Problem::InvalidCredentials);
        }
        // A collision would let one token pass for another, so the hash is one that nobody can collide.
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some(checked) = self.checked.get(&hash) {
            return if now < checked.expires_at {
                Ok(checked)
            } else {
                self.checked.remove(&hash);
                Err(Problem::TokenExpired)
            };
        }
        let checked = Arc::new(self.check_anew(token, now)?);
        self.checked.insert(hash, Arc::clone(&checked));
        Ok(checked)
    }

    fn check_anew(&self, token: &str, now: Timestamp) -> Result<CheckedToken, Problem> {
        let invalid = || Problem::InvalidCredentials;
        let header = decode_header(token).map_err(|_malformed| invalid())?;
        // RFC 7515, 4.1.11: extensions that must be understood are not.
        if header.crit.is_some() || !is_for_access(header.typ.as_deref()) {
            return Err(invalid());
        }
        let key = self.key(header.kid.as_deref()).ok_or_else(invalid)?;
        let claims = decode::<Claims>(token, key, &self.validation)
            .map_err(|_refused| invalid())?
            .claims;
        let expires_at = instant(claims.exp)
            .ok_or_else(invalid)?
            .saturating_add(self.leeway);
        if now >= expires_at {
            return Err(Problem::TokenExpired);
        }
        if let Some(nbf) = claims.nbf {
            let not_before = instant(nbf).ok_or_else(invalid)?;
            if now.saturating_add(self.leeway) < not_before {
                return Err(invalid());
            }
        }
        let user = UserId::parse(claims.sub).map_err(|_not_a_user| invalid())?;
        Ok(CheckedToken { user, expires_at })
    }

    /// The key that the token names; without a name, the only one there is.
    fn key(&self, kid: Option<&str>) -> Option<&DecodingKey> {
        let named = kid.and_then(|kid| self.keys.iter().find(|(name, _)| name.as_deref() == Some(kid)));
        let only = || match self.keys.as_slice() {
            [(name, key)] if name.is_none() || kid.is_none() => Some(key),
            _ => None,
        };
        named.map(|(_, key)| key).or_else(only)
    }
}

/// Whether a token that says so of itself is one to call a service with: one of no type, a plain JWT, or an access token
/// (RFC 9068). An issuer gives tokens for other purposes types of their own, and signs them with the same key
/// (RFC 8725, 3.11): a logout token or a security event names a user in `sub` too.
fn is_for_access(typ: Option<&str>) -> bool {
    let Some(typ) = typ else { return true };
    // RFC 7515, 4.1.9: a media type, of which the first part may be left out.
    const APPLICATION: &str = "application/";
    let bare = match typ.get(..APPLICATION.len()) {
        Some(first) if first.eq_ignore_ascii_case(APPLICATION) => &typ[APPLICATION.len()..],
        Some(_) | None => typ,
    };
    ["jwt", "at+jwt"]
        .iter()
        .any(|known| bare.eq_ignore_ascii_case(known))
}

/// Seconds since 1970 as an instant; beyond the year 9999 is the end of it.
fn instant(seconds: f64) -> Option<Timestamp> {
    if !seconds.is_finite() || seconds < 0.0 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be in range; a fraction of a microsecond does not matter"
    )]
    let micros = (seconds * 1e6).min(9e18) as i64;
    Some(Timestamp::saturating_from_micros(micros))
}

type NamedKeys = Vec<(Option<String>, DecodingKey)>;

fn read_keys(keys: &TokenKeys) -> Result<(Algorithm, NamedKeys), TokenSettingsError> {
    match keys {
        TokenKeys::Secret(secret) => {
            let secret = secret.expose_secret();
            if secret.len() < MIN_SECRET_BYTES {
                return Err(TokenSettingsError::ShortSecret);
            }
            Ok((Algorithm::HS256, vec![(None, DecodingKey::from_secret(secret))]))
        }
        TokenKeys::Pem { algorithm, pem } => {
            let key = match algorithm {
                TokenAlgorithm::Rs256 => DecodingKey::from_rsa_pem(pem),
                TokenAlgorithm::Es256 => DecodingKey::from_ec_pem(pem),
                TokenAlgorithm::EdDsa => DecodingKey::from_ed_pem(pem),
            };
            Ok((
                algorithm.jose(),
                vec![(None, key.map_err(TokenSettingsError::Key)?)],
            ))
        }
        TokenKeys::Jwks { algorithm, json } => {
            let set: JwkSet = serde_json::from_slice(json).map_err(TokenSettingsError::KeySet)?;
            let mut found = Vec::new();
            for key in set.keys.iter().filter(|key| algorithm.fits(key)) {
                let decoding = DecodingKey::from_jwk(key).map_err(TokenSettingsError::Key)?;
                found.push((key.common.key_id.clone(), decoding));
            }
            if found.is_empty() {
                return Err(TokenSettingsError::NoKey);
            }
            Ok((algorithm.jose(), found))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(keys: TokenKeys) -> String {
        let settings = TokenSettings {
            keys,
            issuer: None,
            audience: None,
            leeway: Duration::ZERO,
        };
        TokenVerifier::new(&settings).unwrap_err().to_string()
    }

    #[test]
    fn keys_that_cannot_be_used_are_refused_at_the_start() {
        let short = TokenKeys::Secret(vec![7; 31].into());
        assert_eq!(refused(short), "the token secret must have at least 32 bytes");
        let algorithm = TokenAlgorithm::Rs256;
        for pem in [
            "",
            "no key",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        ] {
            let pem = pem.as_bytes().to_vec();
            assert!(refused(TokenKeys::Pem { algorithm, pem }).starts_with("the token key cannot be read"));
        }
        // A set that has symmetric keys alone has none that this server may use.
        let symmetric = br#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#;
        for (json, said) in [
            (&b"[]"[..], "the key set cannot be read"),
            (br#"{"keys":[]}"#, "the key set has no key"),
            (symmetric, "the key set has no key"),
        ] {
            let json = json.to_vec();
            assert!(refused(TokenKeys::Jwks { algorithm, json }).starts_with(said));
        }
    }

    #[test]
    fn numeric_dates_are_seconds_within_the_calendar() {
        assert_eq!(instant(1.5), Timestamp::from_micros(1_500_000));
        assert_eq!(instant(1e30), Some(Timestamp::MAX));
        for refused in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(instant(refused), None);
        }
    }
}
