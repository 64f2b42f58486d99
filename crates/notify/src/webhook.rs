//! The channel of webhooks, by the Standard Webhooks specification.

mod signature;

pub use signature::secret_text;

use crate::authority::Authorities;
use crate::event::{Event, event_body};
use crate::network::Reach;
use crate::outcome::{delivered, later, refused};
use crate::post::{NoAnswer, Post};
use crate::retry_after::retry_after;
use async_trait::async_trait;
use coupon_app::{
    Attempt, Channel, ChannelOutcome, CodeKey, DisabledReason, Notification, Patience, Recipient, Report,
    StoreError, Webhook, WebhookId, WebhookPost, WebhookStore, WebhookUrl, WebhookUrlError, rfc3339,
};
use coupon_core::Timestamp;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// How webhooks are sent.
#[derive(Clone, Debug)]
pub struct WebhookOptions {
    /// Which addresses may be connected to.
    pub reach: Reach,
    /// Whether plain `http` is sent to as well.
    pub allow_http: bool,
    /// Whom to trust besides the system's authorities.
    pub authorities: Option<Authorities>,
    /// Longest that an attempt may take until the head of the answer is there, connecting included; never more than
    /// [`crate::limits::ANSWER_WITHIN`].
    pub answer_within: Duration,
    /// The waits between attempts.
    pub patience: Patience,
}

/// The client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client for webhooks: {0}")]
pub struct WebhookError(#[source] reqwest::Error);

/// Tells the shop's endpoints, each by a signed POST.
pub struct WebhookChannel {
    store: Arc<dyn WebhookStore>,
    codes: CodeKey,
    post: Post,
    patience: Patience,
}

impl std::fmt::Debug for WebhookChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookChannel")
            .field("post", &self.post)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// How often a webhook that has answered 410 is read again because somebody else has just changed it.
const DISABLE_TRIES: usize = 5;

impl WebhookChannel {
    /// A channel to the endpoints in `store`.
    pub fn new(
        store: Arc<dyn WebhookStore>,
        codes: CodeKey,
        options: WebhookOptions,
    ) -> Result<Self, WebhookError> {
        Ok(Self {
            store,
            codes,
            post: Post::new(
                options.reach,
                options.allow_http,
                options.authorities.as_ref(),
                options.answer_within,
            )
            .map_err(WebhookError)?,
            patience: options.patience,
        })
    }

    async fn send(&self, webhook: &Webhook, id: &str, body: Vec<u8>, now: Timestamp) -> ChannelOutcome {
        let url = match self.post.judge(webhook.url.as_str()) {
            Ok(url) => url,
            Err(error) => return refused(None, &error.to_string()),
        };
        let seconds = now.as_micros() / 1_000_000;
        let signature = signature::signatures(webhook.secrets.live(now), id, seconds, &body);
        let request = self
            .post
            .client()
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature)
            .body(body);
        match request.send().await {
            // What follows the head is nobody's business here: dropping the answer closes its connection.
            Ok(response) => judge_answer(&response, now),
            Err(error) => {
                let NoAnswer { text, passing } = NoAnswer::from(&error);
                if passing {
                    later(None, text)
                } else {
                    refused(None, text)
                }
            }
        }
    }

    /// Disables a webhook whose receiver wants nothing any more. Says whether it is so.
    async fn disable(&self, id: WebhookId, now: Timestamp) -> Result<bool, StoreError> {
        for _try in 0..DISABLE_TRIES {
            let Some(webhook) = self.store.webhook(id).await? else {
                return Ok(true);
            };
            let gone = webhook.disabled(now, DisabledReason::Gone);
            if self.store.change_webhook(&gone, None).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// What an answer's head means.
fn judge_answer(response: &Response, now: Timestamp) -> ChannelOutcome {
    let status = response.status();
    let code = Some(status.as_u16());
    if status.is_success() {
        delivered(code, "accepted")
    } else if status == StatusCode::GONE {
        ChannelOutcome::DisableEndpoint(Report::new(code, "the receiver wants nothing any more"))
    } else if status.is_redirection() {
        later(code, "a redirect, which is not followed")
    } else {
        let asked = response.headers().get(RETRY_AFTER);
        ChannelOutcome::RetryLater {
            after: asked
                .and_then(|header| header.to_str().ok())
                .and_then(|header| retry_after(header, now)),
            report: Report::new(code, "not accepted"),
        }
    }
}

#[async_trait]
impl Channel for WebhookChannel {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn patience(&self) -> &Patience {
        &self.patience
    }

    async fn recipients(&self, notification: &Notification) -> Result<Vec<Recipient>, StoreError> {
        let kind = notification.kind();
        let webhooks = self.store.webhooks().await?;
        Ok(webhooks
            .iter()
            .filter(|webhook| webhook.wants(kind))
            .map(|webhook| webhook.id.recipient())
            .collect())
    }

    async fn deliver(&self, attempt: &Attempt) -> ChannelOutcome {
        let Ok(id) = attempt.recipient.as_str().parse::<WebhookId>() else {
            return refused(None, "no webhook has this id");
        };
        let webhook = match self.store.webhook(id).await {
            Ok(Some(webhook)) => webhook,
            Ok(None) => return refused(None, "the webhook was deleted"),
            Err(error) => return later(None, &error.to_string()),
        };
        if webhook.state != coupon_app::WebhookState::Enabled {
            return refused(None, "the webhook is disabled");
        }
        let body = match event_body(&attempt.notification, &self.codes) {
            Ok(body) => body,
            Err(error) => return refused(None, &error.to_string()),
        };
        let message_id = attempt.notification.id().to_string();
        let outcome = self.send(&webhook, &message_id, body, attempt.now).await;
        if !matches!(outcome, ChannelOutcome::DisableEndpoint(_)) {
            return outcome;
        }
        match self.disable(id, attempt.now).await {
            Ok(true) => outcome,
            Ok(false) => later(
                Some(410),
                "wants nothing any more, but is being changed by somebody",
            ),
            Err(error) => later(Some(410), &error.to_string()),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ping {
    webhook_id: u32,
}

#[async_trait]
impl WebhookPost for WebhookChannel {
    fn accepts(&self, url: &WebhookUrl) -> Result<(), WebhookUrlError> {
        self.post.judge(url.as_str()).map(|_url| ())
    }

    async fn ping(&self, webhook: &Webhook, id: &str, now: Timestamp) -> ChannelOutcome {
        let event = Event {
            kind: "webhook.ping",
            timestamp: rfc3339(now),
            data: Ping {
                webhook_id: webhook.id.get(),
            },
        };
        match serde_json::to_vec(&event) {
            Ok(body) => self.send(webhook, id, body, now).await,
            Err(error) => refused(None, &error.to_string()),
        }
    }
}
