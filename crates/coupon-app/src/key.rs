//! API keys as the store keeps them.

use coupon_core::Timestamp;

/// The public part of an API key, by which it is found, listed and revoked.
pub type KeyId = Box<str>;

/// What an API key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}
