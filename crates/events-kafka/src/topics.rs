//! Makes the topics, when it is asked to.

use crate::client::{self, Voice};
use crate::error::KafkaTrouble;
use crate::limits::MAX_RECORD_BYTES;
use crate::options::{KafkaOptions, TopicPlan};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;

/// What became of a topic that was to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Which.
    pub topic: String,
    /// Whether it was made now. One that existed is left as it is.
    pub fresh: bool,
}

/// Makes the topics that do not exist: of what was decided, of dead letters, and of notifications unless there is none.
///
/// The topic of dead letters has one partition, so that letters have one order, and keeps them until somebody removes
/// them.
///
/// # Errors
///
/// If the cluster cannot be reached or refuses, for instance because it has fewer brokers than the plan wants replicas.
pub async fn create_topics(options: &KafkaOptions, plan: &TopicPlan) -> Result<Vec<Made>, KafkaTrouble> {
    let kept = plan.retention.as_millis().to_string();
    let record_bytes = MAX_RECORD_BYTES.to_string();
    let settings = Common::of(plan);
    let mut topics = vec![
        settings.topic(&options.topic, plan.partitions, &kept),
        settings
            .topic(&options.dead_letters, 1, "-1")
            .set("max.message.bytes", &record_bytes),
    ];
    if !options.notifications.is_empty() {
        topics.push(settings.topic(&options.notifications, plan.partitions, &kept));
    }
    create(options, &topics).await
}

/// Makes the topic of notifications alone, if it does not exist: for a server that works alone.
///
/// # Errors
///
/// As [`create_topics`].
pub async fn create_notifications_topic(
    options: &KafkaOptions,
    plan: &TopicPlan,
) -> Result<Vec<Made>, KafkaTrouble> {
    let kept = plan.retention.as_millis().to_string();
    let settings = Common::of(plan);
    create(
        options,
        &[settings.topic(&options.notifications, plan.partitions, &kept)],
    )
    .await
}

/// What all topics have in common.
struct Common {
    replicas: u16,
    min_insync: String,
}

impl Common {
    fn of(plan: &TopicPlan) -> Self {
        Self {
            replicas: plan.replicas,
            min_insync: plan.min_insync.to_string(),
        }
    }

    fn topic<'t>(&'t self, name: &'t str, partitions: u16, retention: &'t str) -> NewTopic<'t> {
        NewTopic::new(
            name,
            partitions.into(),
            TopicReplication::Fixed(self.replicas.into()),
        )
        .set("min.insync.replicas", &self.min_insync)
        .set("unclean.leader.election.enable", "false")
        .set("cleanup.policy", "delete")
        .set("retention.bytes", "-1")
        .set("retention.ms", retention)
    }
}

async fn create(options: &KafkaOptions, topics: &[NewTopic<'_>]) -> Result<Vec<Made>, KafkaTrouble> {
    let admin: AdminClient<Voice> = client::base(options)
        .create_with_context(Voice)
        .map_err(KafkaTrouble::Settings)?;
    let request = AdminOptions::new()
        .request_timeout(Some(options.request_timeout))
        .operation_timeout(Some(options.request_timeout));
    let said = admin
        .create_topics(topics, &request)
        .await
        .map_err(KafkaTrouble::Admin)?;
    let made = |one| match one {
        Ok(topic) => Ok(Made { topic, fresh: true }),
        Err((topic, RDKafkaErrorCode::TopicAlreadyExists)) => Ok(Made { topic, fresh: false }),
        Err((topic, code)) => Err(KafkaTrouble::Topic { topic, code }),
    };
    said.into_iter().map(made).collect()
}
