//! Settings of the rate limits.

use super::Findings;
use serde::{Deserialize, Serialize};

/// How much one client may ask. Zero means no limit.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitSettings {
    /// Issue requests per second of one user with a token. Too high lets scripts outrun people; too low refuses
    /// people who tap twice.
    pub(crate) issues_per_second_and_user: u64,
    /// Issue requests per second of one address. Zero, because a carrier puts thousands of phones behind one.
    pub(crate) issues_per_second_and_address: u64,
    /// Requests per second of one API key. Zero, because the shop's own back end is trusted to serve everyone.
    pub(crate) requests_per_second_and_key: u64,
    /// Wrong codes per minute of one user. Too high helps guessing; too low punishes typing errors.
    pub(crate) wrong_codes_per_minute_and_user: u64,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            issues_per_second_and_user: 10,
            issues_per_second_and_address: 0,
            requests_per_second_and_key: 0,
            wrong_codes_per_minute_and_user: 10,
        }
    }
}

impl LimitSettings {
    pub(super) fn check(&self, findings: &mut Findings) {
        let range = (0, 1_000_000);
        for (value, key) in [
            (
                self.issues_per_second_and_user,
                "limits.issues_per_second_and_user",
            ),
            (
                self.issues_per_second_and_address,
                "limits.issues_per_second_and_address",
            ),
            (
                self.requests_per_second_and_key,
                "limits.requests_per_second_and_key",
            ),
            (
                self.wrong_codes_per_minute_and_user,
                "limits.wrong_codes_per_minute_and_user",
            ),
        ] {
            findings.expect_range(value, range, key);
        }
    }
}
