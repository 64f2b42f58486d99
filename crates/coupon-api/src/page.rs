//! Pages of lists.

use crate::{AdminCoupon, ApiKey, AuditEntry, DeadLetter, IssuedCoupon};
use serde::Serialize;
use utoipa::ToSchema;

/// A page of issued coupons.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuedCouponPage<'a> {
    /// The page.
    pub data: Vec<IssuedCoupon<'a>>,
    /// Where the next page begins; null on the last.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}

/// A page of coupons.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminCouponPage {
    /// The page.
    pub data: Vec<AdminCoupon>,
    /// Where the next page begins; null on the last. While coupons are searched a page may be short, or empty, and
    /// there are more.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}

/// A page of API keys.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyPage {
    /// The page.
    pub data: Vec<ApiKey>,
    /// Where the next page begins; null on the last.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}

/// A page of dead letters.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterPage {
    /// The page.
    pub data: Vec<DeadLetter>,
    /// Where the next page begins; null on the last.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}

/// A page of the audit log.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntryPage {
    /// The page.
    pub data: Vec<AuditEntry>,
    /// Where the next page begins; null on the last.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}
