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

/// Makes the topics that do not exist.
///
/// The topic of dead letters has one partition, so that letters have one order, and keeps them until somebody removes
/// them.
///
/// # Errors
///
/// If the cluster cannot be reached or refuses, for instance because it has fewer brokers than the plan wants replicas.
pub async fn create_topics(options: &KafkaOptions, plan: &TopicPlan) -> Result<Vec<Made>, KafkaTrouble> {
    let admin: AdminClient<Voice> = client::base(options)
        .create_with_context(Voice)
        .map_err(KafkaTrouble::Settings)?;
    let min_insync = plan.min_insync.to_string();
    let retention = plan.retention.as_millis().to_string();
    let record_bytes = MAX_RECORD_BYTES.to_string();
    let like = |name, partitions: u16, retention| {
        NewTopic::new(
            name,
            partitions.into(),
            TopicReplication::Fixed(plan.replicas.into()),
        )
        .set("min.insync.replicas", &min_insync)
        .set("unclean.leader.election.enable", "false")
        .set("cleanup.policy", "delete")
        .set("retention.bytes", "-1")
        .set("retention.ms", retention)
    };
    let topics = [
        like(&options.topic, plan.partitions, &retention),
        like(&options.dead_letters, 1, "-1").set("max.message.bytes", &record_bytes),
    ];
    let request = AdminOptions::new()
        .request_timeout(Some(options.request_timeout))
        .operation_timeout(Some(options.request_timeout));
    let said = admin
        .create_topics(&topics, &request)
        .await
        .map_err(KafkaTrouble::Admin)?;
    let made = |one| match one {
        Ok(topic) => Ok(Made { topic, fresh: true }),
        Err((topic, RDKafkaErrorCode::TopicAlreadyExists)) => Ok(Made { topic, fresh: false }),
        Err((topic, code)) => Err(KafkaTrouble::Topic { topic, code }),
    };
    said.into_iter().map(made).collect()
}
