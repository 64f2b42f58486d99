//! Notifications as records: CloudEvents 1.0 in structured JSON, one for each.

use crate::message::Outgoing;
use coupon_app::{Notification, NotificationData, rfc3339};
use serde::Serialize;

/// Names what `data` holds. It changes when a reader of this one would misunderstand.
const SCHEMA: &str = "urn:firstcome:notifications:1";

#[derive(Serialize)]
struct Event<'a> {
    specversion: &'static str,
    id: String,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    subject: &'a str,
    time: String,
    datacontenttype: &'static str,
    dataschema: &'static str,
    data: NotificationData<'a>,
}

/// A notification as it goes to the topic. The key is what it is of, so that the news of one issued coupon lies in one
/// partition and those of a sale in all of them.
pub(crate) fn write(source: &str, notification: &Notification) -> Result<Outgoing, serde_json::Error> {
    let key = notification.subject();
    let value = serde_json::to_vec(&Event {
        specversion: "1.0",
        id: notification.id().to_string(),
        source,
        kind: notification.kind().event(),
        subject: &key,
        time: rfc3339(notification.at),
        datacontenttype: "application/json",
        dataschema: SCHEMA,
        // Whoever can read a topic could use the codes in it for as long as it is kept.
        data: notification.data(None),
    })?;
    Ok(Outgoing { key, value })
}

#[cfg(test)]
mod tests;
