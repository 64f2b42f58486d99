//! Who calls: a user with a token, or a service or administrator with an API key.

mod caller;
mod extract;
mod keys;
mod secret;
mod token;

pub(crate) use caller::{Caller, Need};
pub(crate) use extract::{Administrator, Service, UserOnly, UserOrService};
pub(crate) use keys::LiveKeys;
pub use keys::{FixedKey, FixedKeyError};
pub use secret::ApiKeySecret;
pub(crate) use secret::{MATERIAL_BYTES, from_hex, hex};
pub(crate) use token::TokenVerifier;
pub use token::{TokenAlgorithm, TokenKeys, TokenSettings, TokenSettingsError};

use crate::error::Problem;
use http::HeaderMap;
use http::header::AUTHORIZATION;

const SCHEME: &str = "Bearer ";

/// The bearer credential of a request (RFC 6750; the scheme's name is of no particular case).
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Problem::AuthenticationRequired)?;
    if values.next().is_some() {
        return Err(Problem::InvalidCredentials);
    }
    let text = value.to_str().map_err(|_not_ascii| Problem::InvalidCredentials)?;
    let scheme = text.get(..SCHEME.len()).ok_or(Problem::InvalidCredentials)?;
    let credential = &text[SCHEME.len()..];
    if scheme.eq_ignore_ascii_case(SCHEME) && !credential.is_empty() {
        Ok(credential)
    } else {
        Err(Problem::InvalidCredentials)
    }
}
