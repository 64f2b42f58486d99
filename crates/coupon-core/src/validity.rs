//! How long an issued coupon can be redeemed.

use crate::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// The end of an issued coupon's validity: it can be redeemed while `now < expires_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Validity {
    /// A fixed instant, the same for every issued coupon.
    Until(Timestamp),
    /// So long after the issue.
    For(Span),
}

impl Validity {
    /// When a coupon issued at `issued_at` expires.
    pub fn expires_at(self, issued_at: Timestamp) -> Timestamp {
        match self {
            Self::Until(instant) => instant,
            Self::For(span) => issued_at.saturating_add(span),
        }
    }
}
