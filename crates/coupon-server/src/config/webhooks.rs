//! Settings of webhooks.

use super::{Findings, authorities};
use anyhow::Context as _;
use notify::{Network, Reach, WebhookOptions, limits};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// How the shop's endpoints are told what happens. The endpoints themselves are administered over HTTP.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WebhookSettings {
    /// Whether plain `http` is sent to as well. Then whoever is on the way reads who holds which coupon.
    pub(crate) allow_http: bool,
    /// Addresses or networks that are not public and may be sent to all the same. One too many lets whoever may make
    /// webhooks reach into that network.
    pub(crate) allow_networks: Vec<String>,
    /// Authorities to trust besides the system's, as a PEM file; empty for none.
    pub(crate) tls_authority_file: PathBuf,
    /// How long an attempt may take. Too high lets slow receivers hold up others; too low tells a slow one again what
    /// it has already taken.
    pub(crate) timeout_ms: u64,
    /// The waits between attempts, in seconds; none: one attempt. Too short gives up while a receiver is being
    /// repaired; too long keeps trying one that is gone.
    pub(crate) retry_s: Vec<u32>,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            allow_http: false,
            allow_networks: Vec::new(),
            tls_authority_file: PathBuf::new(),
            timeout_ms: 15_000,
            retry_s: vec![5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400],
        }
    }
}

impl WebhookSettings {
    /// As the channel takes them.
    pub(crate) fn options(&self) -> anyhow::Result<WebhookOptions> {
        let networks: Result<Vec<Network>, _> = self.allow_networks.iter().map(|text| text.parse()).collect();
        Ok(WebhookOptions {
            reach: Reach::new(networks?),
            allow_http: self.allow_http,
            authorities: authorities(&self.tls_authority_file).context("webhooks.tls_authority_file")?,
            answer_within: Duration::from_millis(self.timeout_ms),
            patience: notify::patience(&self.retry_s)?,
        })
    }

    pub(super) fn check(&self, findings: &mut Findings) {
        let network = |text: &String| text.parse::<Network>().is_ok();
        findings.expect(
            self.allow_networks.iter().all(network),
            "webhooks.allow_networks",
            "must be addresses or networks, such as 10.0.0.0/8",
        );
        if let Err(error) = authorities(&self.tls_authority_file) {
            findings.expect(
                false,
                "webhooks.tls_authority_file",
                format!("cannot be used: {error:#}"),
            );
        }
        let most = u64::try_from(limits::ANSWER_WITHIN.as_millis()).unwrap_or(u64::MAX);
        findings.expect_range(self.timeout_ms, (100, most), "webhooks.timeout_ms");
        if let Err(error) = notify::patience(&self.retry_s) {
            findings.expect(false, "webhooks.retry_s", format!("must have {error}"));
        }
    }
}
