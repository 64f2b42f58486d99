//! How people are reached.

use serde::Deserialize;
use utoipa::ToSchema;

/// A language that people are written to in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
pub enum Language {
    /// English.
    #[serde(rename = "en")]
    English,
    /// Korean.
    #[serde(rename = "ko")]
    Korean,
}

/// How a user is reached.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContactBody {
    /// An address for mail: `name@domain` in ASCII, at most 254 bytes.
    #[schema(max_length = 254, examples("kim@example.com"))]
    pub email: String,
    /// What the user is called, 1 to 200 bytes of UTF-8.
    #[serde(default)]
    pub name: Option<String>,
    /// The user's language.
    #[serde(default)]
    pub language: Option<Language>,
}
