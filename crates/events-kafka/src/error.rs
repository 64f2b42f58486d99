//! What can go wrong with Kafka.

use coupon_app::StoreError;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Trouble with Kafka.
#[derive(Debug, thiserror::Error)]
pub enum KafkaTrouble {
    /// A client could not be made: a setting is wrong, or this build lacks what it needs (TLS without the feature `tls`).
    #[error("the Kafka client cannot be made: {0}")]
    Settings(#[source] KafkaError),
    /// A record was refused, or nobody knows whether it was taken.
    #[error("Kafka did not take a record: {0}")]
    Publish(#[source] KafkaError),
    /// A record that no broker will take.
    #[error("{what} is too long for the topic: {cause}")]
    TooLong {
        /// Which record.
        what: String,
        /// What the client said.
        #[source]
        cause: KafkaError,
    },
    /// Offsets could not be committed: what is done will be handed out again.
    #[error("Kafka did not take offsets: {0}")]
    Commit(#[source] KafkaError),
    /// Something could not be read.
    #[error("Kafka could not be read: {0}")]
    Read(#[source] KafkaError),
    /// The cluster could not be asked about topics, or could not make one.
    #[error("Kafka could not be administered: {0}")]
    Admin(#[source] KafkaError),
    /// The broker refused to make a topic.
    #[error("topic {topic} could not be made: {code}")]
    Topic {
        /// Which.
        topic: String,
        /// Why.
        code: RDKafkaErrorCode,
    },
    /// A broker does not know topics that are made: it has not learned of them yet, or cannot be reached.
    #[error("the topics are made, but broker {broker} does not say that it knows them ({why}); do it again, which is harmless", why = reason(.why))]
    NotKnown {
        /// Its address.
        broker: String,
        /// Why it cannot be reached.
        #[source]
        why: Option<Box<KafkaTrouble>>,
    },
    /// The settings are weaker than the promise, so nothing is published.
    #[error("nothing is published: {0}")]
    Weak(String),
    /// A range was not read within its time.
    #[error("Kafka answered too slowly")]
    TooSlow,
    /// The worker was closed, or its thread has ended.
    #[error("the worker is closed")]
    Closed,
}

fn reason(why: &Option<Box<KafkaTrouble>>) -> String {
    why.as_ref()
        .map_or_else(|| "it answers without them".to_owned(), ToString::to_string)
}

impl KafkaTrouble {
    /// As the ports say it.
    pub(crate) fn of_a_port(self) -> StoreError {
        match self {
            Self::Settings(_) | Self::TooLong { .. } | Self::Closed => StoreError::lasting(self),
            Self::Read(KafkaError::MessageConsumptionFatal(_)) => StoreError::lasting(self),
            Self::Publish(_)
            | Self::Commit(_)
            | Self::Read(_)
            | Self::Admin(_)
            | Self::Topic { .. }
            | Self::NotKnown { .. }
            | Self::Weak(_)
            | Self::TooSlow => StoreError::passing(self),
        }
    }
}
