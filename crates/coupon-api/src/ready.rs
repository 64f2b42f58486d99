//! Whether the server lives and whether it can serve.

use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The server lives.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Liveness {
    /// Always `live`.
    #[schema(examples("live"))]
    pub status: &'static str,
}

/// Whether the server can serve, by check.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// `ready` or `notReady`.
    #[schema(examples("ready"))]
    pub status: &'static str,
    /// Each check by its name.
    pub checks: BTreeMap<String, CheckResult>,
}

/// One check.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CheckResult {
    /// `ready` or `notReady`.
    #[schema(examples("ready"))]
    pub status: &'static str,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub reason: Option<String>,
}
