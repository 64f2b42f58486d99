//! API keys.

use crate::{AnyTime, Time};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an API key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Issue for any user.
    Issue,
    /// Redeem for any user.
    Redeem,
    /// Everything.
    Admin,
}

/// A new API key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateKeyBody {
    /// What administrators call it, 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200, examples("shop back end"))]
    pub name: String,
    /// What it may do, at least one.
    #[schema(min_items = 1, max_items = 3)]
    pub scopes: Vec<Scope>,
    /// The first instant at which it is refused, in the future; null or absent for a key that does not end by itself.
    #[serde(default)]
    #[schema(value_type = Option<Time>)]
    pub expires_at: Option<AnyTime>,
}

/// An API key without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// The public part.
    #[schema(value_type = String, examples("4f1c2a9b7d3e5f60"))]
    pub id: Box<str>,
    /// What administrators call it.
    #[schema(value_type = String, examples("shop back end"))]
    pub name: Box<str>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Time,
    /// The first instant at which it is refused.
    #[schema(required = true)]
    pub expires_at: Option<Time>,
    /// When it was revoked.
    #[schema(required = true)]
    pub revoked_at: Option<Time>,
    /// About when it was last used, up to a minute old.
    #[schema(required = true)]
    pub last_used_at: Option<Time>,
}

/// An API key with its secret, which is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewApiKey {
    /// The public part.
    #[schema(value_type = String, examples("4f1c2a9b7d3e5f60"))]
    pub id: Box<str>,
    /// What administrators call it.
    #[schema(value_type = String, examples("shop back end"))]
    pub name: Box<str>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Time,
    /// The first instant at which it is refused.
    #[schema(required = true)]
    pub expires_at: Option<Time>,
    /// When it was revoked.
    #[schema(required = true)]
    pub revoked_at: Option<Time>,
    /// The whole key, to be sent as `Authorization: Bearer ...`. Shown once; the server keeps only a hash.
    #[schema(examples("fck_4f1c2a9b7d3e5f60_W3Qp1bq6J0mJ8g5m3m0cYw5o8oJ1k1mJ0Vbq2l0yTgA"))]
    pub key: String,
}
