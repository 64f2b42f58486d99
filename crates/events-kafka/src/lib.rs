//! The post office: what a shared ledger has decided, on a Kafka topic as CloudEvents, and workers that take it from
//! there; and notifications.
//!
//! * [`KafkaFeed`] is the sink port: it publishes and returns when everything is on the topic.
//! * [`KafkaDeliveries`] is the source port: a member of a consumer group that commits an offset only when everything
//!   below it is done.
//! * [`KafkaChannel`] is the channel port: notifications, on a topic of their own.
//! * [`DeadLetters`] lists and replays what could not be taken.
//! * [`create_topics`] makes the topics; nothing else ever does.
//!
//! Only this crate knows what a record on the topic looks like; docs/EVENTS.md says it to everybody else. TLS, and
//! sign-in with SCRAM, come with the feature `tls`, which needs OpenSSL.

mod channel;
mod client;
mod dead_letters;
mod error;
mod feed;
mod health;
mod instant;
pub mod limits;
mod message;
mod notice;
mod office;
mod options;
mod post;
mod probe;
mod progress;
mod strength;
mod topics;
mod worker;

pub use channel::KafkaChannel;
pub use dead_letters::{DeadLetter, DeadLetters, LetterId, Replay};
pub use error::KafkaTrouble;
pub use feed::KafkaFeed;
pub use health::Setting;
pub use options::{Acks, KafkaOptions, Login, Mechanism, Tls, TopicPlan, WorkerOptions};
pub use topics::{Made, create_notifications_topic, create_topics};
pub use worker::KafkaDeliveries;
