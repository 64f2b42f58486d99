//! Settings of users' tokens.

use super::Findings;
use serde::{Deserialize, Serialize};

/// Which tokens are believed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TokenSettings {
    /// How tokens are signed: HS256 with the secret, or RS256, ES256 or EdDSA with `key_file`. Only this one is
    /// believed.
    pub(crate) algorithm: TokenAlgorithm,
    /// The issuer's public key as PEM, or its keys as JWKS; needed unless the algorithm is HS256.
    pub(crate) key_file: String,
    /// What `iss` must say; empty means that it is not checked, so that any token signed by the key counts.
    pub(crate) issuer: String,
    /// What `aud` must contain; empty means that it is not checked, so that a token meant for another service counts.
    pub(crate) audience: String,
    /// How far clocks may differ. Too high honours expired tokens; too low refuses fresh ones of a machine whose
    /// clock is off.
    pub(crate) leeway_s: u64,
}

/// How tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum TokenAlgorithm {
    /// HMAC with SHA-256 under `jwt_secret`.
    #[serde(rename = "HS256")]
    Hs256,
    /// RSA with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self {
            algorithm: TokenAlgorithm::Hs256,
            key_file: String::new(),
            issuer: String::new(),
            audience: String::new(),
            leeway_s: 5,
        }
    }
}

impl TokenSettings {
    pub(super) fn check(&self, findings: &mut Findings) {
        let with_secret = self.algorithm == TokenAlgorithm::Hs256;
        findings.expect(
            with_secret == self.key_file.is_empty(),
            "tokens.key_file",
            if with_secret {
                "must be empty while tokens.algorithm is HS256, which uses the secret"
            } else {
                "must name a PEM or JWKS file, because tokens.algorithm uses a public key"
            },
        );
        findings.expect_range(self.leeway_s, (0, 300), "tokens.leeway_s");
    }
}
