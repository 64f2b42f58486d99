//! What a webhook carries: the event as JSON, in the shape that the Standard Webhooks specification proposes.

use coupon_app::{CodeKey, Notification, rfc3339};
use serde::Serialize;

/// The body of a webhook.
#[derive(Debug, Serialize)]
pub(crate) struct Event<D> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// When that which it tells of happened.
    pub(crate) timestamp: String,
    pub(crate) data: D,
}

/// The body of the webhook that tells `notification`.
pub(crate) fn event_body(notification: &Notification, codes: &CodeKey) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Event {
        kind: notification.kind().event(),
        timestamp: rfc3339(notification.at),
        data: notification.data(Some(codes)),
    })
}
