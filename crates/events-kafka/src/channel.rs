//! The channel port over a topic: notifications for other systems.

use crate::error::KafkaTrouble;
use crate::limits::{NOTICE_WITHIN, TROUBLE_COUNTS};
use crate::message::CONTENT_TYPE;
use crate::notice;
use crate::options::KafkaOptions;
use crate::post::{Parcel, Post};
use crate::strength::Strength;
use async_trait::async_trait;
use coupon_app::{Attempt, Channel, ChannelOutcome, Notification, Patience, Recipient, Report, StoreError};
use rdkafka::message::{Header, OwnedHeaders};

/// Whom this channel tells: whoever reads the topic.
const READERS: &str = "topic";

/// Puts each notification onto the topic of notifications.
pub struct KafkaChannel {
    options: KafkaOptions,
    post: Post,
    strength: Strength,
    patience: Patience,
}

impl std::fmt::Debug for KafkaChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaChannel")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl KafkaChannel {
    /// A channel. It connects when it is first used.
    pub fn new(options: KafkaOptions, patience: Patience) -> Self {
        let options = KafkaOptions {
            // What is given up here must not come to the topic long after.
            publish_timeout: options.publish_timeout.min(NOTICE_WITHIN),
            ..options
        };
        Self {
            post: Post::new(options.clone()),
            strength: Strength::of(&[&options.notifications], TROUBLE_COUNTS),
            options,
            patience,
        }
    }

    /// Everything that keeps topic and producer from keeping the promise, for operators, each naming its setting; empty
    /// when nothing does.
    ///
    /// # Errors
    ///
    /// If that cannot be told, because the brokers cannot be reached.
    pub async fn weaknesses(&self) -> Result<Vec<String>, StoreError> {
        let looking = self.strength.weaknesses(&self.options).await;
        looking.map_err(KafkaTrouble::of_a_port)
    }

    async fn publish(&self, parcel: Parcel) -> Result<(), KafkaTrouble> {
        self.strength.ready(&self.options).await?;
        let sent = self.post.send_alone(&self.options.notifications, parcel).await;
        if sent.is_err() {
            // The next one learns in less time that Kafka is away.
            self.strength.doubt().await;
        }
        sent
    }
}

#[async_trait]
impl Channel for KafkaChannel {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn patience(&self) -> &Patience {
        &self.patience
    }

    async fn recipients(&self, _notification: &Notification) -> Result<Vec<Recipient>, StoreError> {
        Recipient::parse(READERS)
            .map(|readers| vec![readers])
            .map_err(StoreError::lasting)
    }

    async fn deliver(&self, attempt: &Attempt) -> ChannelOutcome {
        let outgoing = match notice::write(&self.options.source, &attempt.notification) {
            Ok(outgoing) => outgoing,
            Err(error) => return ChannelOutcome::Refused(Report::new(None, &error.to_string())),
        };
        let parcel = Parcel {
            key: Some(outgoing.key.into_bytes()),
            value: Some(outgoing.value),
            headers: OwnedHeaders::new().insert(Header {
                key: "content-type",
                value: Some(CONTENT_TYPE),
            }),
        };
        let publishing = tokio::time::timeout(NOTICE_WITHIN, self.publish(parcel)).await;
        match publishing.unwrap_or(Err(KafkaTrouble::TooSlow)) {
            Ok(()) => ChannelOutcome::Delivered(Report::new(None, "on the topic")),
            Err(trouble @ KafkaTrouble::TooLong { .. }) => {
                ChannelOutcome::Refused(Report::new(None, &trouble.to_string()))
            }
            // Settings and topics can be mended while this waits.
            Err(trouble) => ChannelOutcome::RetryLater {
                after: None,
                report: Report::new(None, &trouble.to_string()),
            },
        }
    }
}
