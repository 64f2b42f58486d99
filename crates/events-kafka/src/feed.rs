//! The sink port over the topic.

use crate::error::KafkaTrouble;
use crate::message::{self, CONTENT_TYPE};
use crate::options::KafkaOptions;
use crate::post::{Parcel, Post};
use crate::strength::Strength;
use async_trait::async_trait;
use coupon_app::{Delivery, DeliverySink, Health, StoreError};
use rdkafka::message::{Header, OwnedHeaders};
use std::time::Duration;

/// Publishes what a ledger has decided, one record for each issue and each revision.
pub struct KafkaFeed {
    options: KafkaOptions,
    post: Post,
    strength: Strength,
}

impl std::fmt::Debug for KafkaFeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaFeed")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl KafkaFeed {
    /// A feed. It connects when it is first used.
    pub fn new(options: KafkaOptions) -> Self {
        Self {
            post: Post::new(options.clone()),
            strength: Strength::of(&[&options.topic, &options.dead_letters], Duration::ZERO),
            options,
        }
    }

    /// Everything that keeps topics and producer from keeping the promise, for operators, each naming its setting;
    /// empty when nothing does.
    ///
    /// # Errors
    ///
    /// If that cannot be told, because the brokers cannot be reached.
    pub async fn weaknesses(&self) -> Result<Vec<String>, StoreError> {
        let looking = self.strength.weaknesses(&self.options).await;
        looking.map_err(KafkaTrouble::of_a_port)
    }

    /// Ends it. What is still under way gets until the deadline.
    ///
    /// # Errors
    ///
    /// If something was still under way then.
    pub async fn close(&self, deadline: Duration) -> Result<(), StoreError> {
        self.post.close(deadline).await.map_err(KafkaTrouble::of_a_port)
    }

    async fn send(&self, deliveries: &[Delivery]) -> Result<(), KafkaTrouble> {
        self.strength.ready(&self.options).await?;
        let outgoing = deliveries
            .iter()
            .flat_map(|delivery| message::write(&self.options.source, delivery));
        let parcels = outgoing.map(|one| Parcel {
            key: Some(one.key.into_bytes()),
            value: Some(one.value),
            headers: OwnedHeaders::new().insert(Header {
                key: "content-type",
                value: Some(CONTENT_TYPE),
            }),
        });
        self.post.send(&self.options.topic, parcels).await
    }
}

#[async_trait]
impl DeliverySink for KafkaFeed {
    async fn publish(&self, deliveries: &[Delivery]) -> Result<(), StoreError> {
        self.send(deliveries).await.map_err(KafkaTrouble::of_a_port)
    }

    async fn health(&self) -> Health {
        match self.strength.weaknesses(&self.options).await {
            Ok(weak) if weak.is_empty() => Health::Ready,
            Ok(weak) => Health::NotReady(weak.join("; ")),
            Err(trouble) => Health::NotReady(trouble.to_string()),
        }
    }
}
