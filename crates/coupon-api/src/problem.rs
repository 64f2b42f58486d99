//! Errors and refusals: `application/problem+json`, RFC 9457.

use serde::Serialize;
use utoipa::ToSchema;

/// An error or a refusal. The facts of the case stand beside these members under their own names.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// A name for the kind of problem, `urn:firstcome:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(examples("urn:firstcome:problem:sold-out"))]
    pub kind: String,
    /// What it is, in the language of `Accept-Language`.
    #[schema(examples("Sold out"))]
    pub title: String,
    /// The HTTP status.
    #[schema(examples(410))]
    pub status: u16,
    /// What it means here, in the language of `Accept-Language`.
    #[schema(examples("All of this coupon have been issued."))]
    pub detail: String,
    /// Stable, for programs.
    #[schema(examples("sold-out"))]
    pub code: String,
    /// Of a 422: every field that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
}

/// One field with a value that may not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Which field, a dotted path.
    #[schema(examples("quantity"))]
    pub field: String,
    /// Which rule it breaks, stable, for programs.
    #[schema(examples("range"))]
    pub code: String,
    /// The same in words.
    #[schema(examples("Must be a whole number from 1 to 4294967295."))]
    pub detail: String,
}
