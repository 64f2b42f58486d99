//! A webhook as a row: what stores keep of it, in types that every database has.

use super::{
    DisabledReason, Webhook, WebhookId, WebhookKinds, WebhookSecret, WebhookSecrets, WebhookState, WebhookUrl,
};
use coupon_core::Timestamp;

/// The columns of a webhook, unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each field is the field of the same name of Webhook, or a part of it, in its written form"
)]
pub struct WebhookParts {
    pub id: u32,
    pub revision: u32,
    pub url: String,
    pub description: String,
    pub kinds: String,
    pub secret: Secret,
    pub previous_secret: Option<Secret>,
    pub previous_until: Option<Timestamp>,
    pub disabled_at: Option<Timestamp>,
    pub disabled_reason: Option<String>,
    pub created_at: Timestamp,
}

/// The bytes of a secret as they are kept; of any length until they are checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    fn checked(self) -> Option<WebhookSecret> {
        self.0.try_into().ok().map(WebhookSecret::new)
    }
}

impl From<&Webhook> for WebhookParts {
    fn from(webhook: &Webhook) -> Self {
        let secret = |secret: &WebhookSecret| Secret(secret.expose().to_vec());
        let previous = webhook.secrets.previous.as_ref();
        let disabled = match webhook.state {
            WebhookState::Enabled => None,
            WebhookState::Disabled { at, reason } => Some((at, reason)),
        };
        Self {
            id: webhook.id.get(),
            revision: webhook.revision,
            url: webhook.url.as_str().to_owned(),
            description: webhook.description.to_string(),
            kinds: webhook.kinds.written(),
            secret: secret(&webhook.secrets.current),
            previous_secret: previous.map(|(kept, _until)| secret(kept)),
            previous_until: previous.map(|(_kept, until)| *until),
            disabled_at: disabled.map(|(at, _reason)| at),
            disabled_reason: disabled.map(|(_at, reason)| reason.name().to_owned()),
            created_at: webhook.created_at,
        }
    }
}

impl WebhookParts {
    /// The webhook of these columns; `None` if they are damaged.
    pub fn checked(self) -> Option<Webhook> {
        let previous = match (self.previous_secret, self.previous_until) {
            (None, None) => None,
            (Some(secret), Some(until)) => Some((secret.checked()?, until)),
            (Some(_), None) | (None, Some(_)) => return None,
        };
        let state = match (self.disabled_at, self.disabled_reason) {
            (None, None) => WebhookState::Enabled,
            (Some(at), Some(reason)) => WebhookState::Disabled {
                at,
                reason: DisabledReason::parse(&reason)?,
            },
            (Some(_), None) | (None, Some(_)) => return None,
        };
        Some(Webhook {
            id: WebhookId::new(self.id).ok()?,
            revision: self.revision,
            url: WebhookUrl::parse(self.url).ok()?,
            description: self.description.into(),
            kinds: WebhookKinds::parse(&self.kinds)?,
            secrets: WebhookSecrets {
                current: self.secret.checked()?,
                previous,
            },
            state,
            created_at: self.created_at,
        })
    }
}
