//! Settings of the rate limits.

use super::Findings;
use serde::{Deserialize, Serialize};

/// How much one client may ask. Zero means no limit.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitSettings {
    /// Issue requests per second of one user with a token. Too high lets scripts outrun people; too low refuses
    /// people who tap twice.
    pub(crate) issues_per_second_and_user: u32,
    /// Issue requests per second with one API key. Zero, because the shop's own back end asks for everyone; too low
    /// stalls it.
    pub(crate) issues_per_second_and_key: u32,
    /// Issue requests per second of one address. Zero, because a carrier puts thousands of phones behind one; none
    /// leaves floods to the proxy.
    pub(crate) issues_per_second_and_address: u32,
    /// Wrong codes per minute of one user. Too high helps guessing; too low punishes typing errors.
    pub(crate) wrong_codes_per_minute_and_user: u32,
    /// Wrong codes per minute with one API key. Zero, because all customers of a shop share it; too low stalls it.
    pub(crate) wrong_codes_per_minute_and_key: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            issues_per_second_and_user: 10,
            issues_per_second_and_key: 0,
            issues_per_second_and_address: 0,
            wrong_codes_per_minute_and_user: 10,
            wrong_codes_per_minute_and_key: 0,
        }
    }
}

impl LimitSettings {
    pub(super) fn check(&self, findings: &mut Findings) {
        for (value, key) in [
            (
                self.issues_per_second_and_user,
                "limits.issues_per_second_and_user",
            ),
            (self.issues_per_second_and_key, "limits.issues_per_second_and_key"),
            (
                self.issues_per_second_and_address,
                "limits.issues_per_second_and_address",
            ),
            (
                self.wrong_codes_per_minute_and_user,
                "limits.wrong_codes_per_minute_and_user",
            ),
            (
                self.wrong_codes_per_minute_and_key,
                "limits.wrong_codes_per_minute_and_key",
            ),
        ] {
            findings.expect_range(u64::from(value), (0, 1_000_000), key);
        }
    }
}
