//! A secret among the settings: never shown, never written.

use super::Findings;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The settings that are secrets. They are masked wherever settings are shown, and no flag sets them, because other
/// users of the machine can read a command line.
pub(crate) const SECRET_KEYS: [&str; 9] = [
    "admin_key",
    "jwt_secret",
    "key_seed",
    "database.url",
    "redis.password",
    "redis.sentinel_password",
    "mail.password",
    "mail.lookup_token",
    "kafka.password",
];
/// Those that the first start makes and keeps in the data directory.
pub(crate) const KEPT_KEYS: [&str; 3] = ["admin_key", "jwt_secret", "key_seed"];

/// Fewest characters of a secret: 256 bits where each carries eight, as RFC 7518 demands for HS256, and far beyond
/// guessing where each carries four.
const FEWEST_CHARACTERS: usize = 32;
/// Most characters of a secret; longer ones would not fit the header that carries them.
const MOST_CHARACTERS: usize = 512;

/// A secret text; empty means that none is set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secret(SecretString);

impl Secret {
    /// The secret, if one is set.
    pub(crate) fn get(&self) -> Option<SecretString> {
        (!self.0.expose_secret().is_empty()).then(|| self.0.clone())
    }

    pub(super) fn check(&self, key: &'static str, findings: &mut Findings) {
        let Some(secret) = self.get() else { return };
        let secret = secret.expose_secret();
        let length = FEWEST_CHARACTERS..=MOST_CHARACTERS;
        findings.expect(
            length.contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic()),
            key,
            format!(
                "must be {FEWEST_CHARACTERS} to {MOST_CHARACTERS} visible ASCII characters, drawn at random \
                 (for example: openssl rand -hex 32)"
            ),
        );
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

impl Serialize for Secret {
    /// Only the default is ever serialised with a value of its own, which is empty.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.get().is_some() { "***" } else { "" })
    }
}
