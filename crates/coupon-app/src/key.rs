//! API keys as the store keeps them.

use coupon_core::Timestamp;
use serde::{Deserialize, Serialize};

/// The public part of an API key, by which it is found, listed and revoked.
pub type KeyId = Box<str>;

/// What an API key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Issue for any user.
    Issue,
    /// Redeem for any user.
    Redeem,
    /// Everything.
    Admin,
}

impl Scope {
    /// Its written form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Redeem => "redeem",
            Self::Admin => "admin",
        }
    }

    /// The scope with this written form.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Issue, Self::Redeem, Self::Admin]
            .into_iter()
            .find(|scope| scope.name() == name)
    }
}

/// An API key without its secret, of which only a hash is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// The public part.
    pub id: KeyId,
    /// What administrators call it.
    pub name: Box<str>,
    /// What it may do; not empty, sorted, without repetition.
    pub scopes: Vec<Scope>,
    /// SHA-256 of the secret part.
    pub secret_hash: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// The first instant at which it is refused, if it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// About when it was last used, if it ever was; up to a minute old.
    pub last_used_at: Option<Timestamp>,
}

impl KeyRecord {
    /// Whether it may be used at `now`.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}
