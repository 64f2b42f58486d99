//! Makes the topics, when it is asked to.

use crate::client::{self, Voice};
use crate::error::KafkaTrouble;
use crate::limits::{ASK_AGAIN, MAX_RECORD_BYTES};
use crate::options::{KafkaOptions, TopicPlan};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;
use std::collections::BTreeSet;
use tokio::time::Instant;

/// What became of a topic that was to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Which.
    pub topic: String,
    /// Whether it was made now. One that existed is left as it is.
    pub fresh: bool,
}

/// Makes the topics that do not exist: of what was decided, of dead letters, and of notifications unless there is none.
/// When it returns, every broker of the cluster knows them: whoever asks any of them finds them.
///
/// The topic of dead letters has one partition, so that letters have one order, and keeps them until somebody removes
/// them.
///
/// # Errors
///
/// If the cluster cannot be reached or refuses, for instance because it has fewer brokers than the plan wants replicas.
/// If a broker does not say within [`KafkaOptions::request_timeout`] that it knows the topics, though they are made.
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
    let made: Vec<Made> = said.into_iter().map(made).collect::<Result<_, _>>()?;
    let names: Vec<&str> = topics.iter().map(|topic| topic.name).collect();
    known_everywhere(options, &names).await?;
    Ok(made)
}

/// Waits until every broker knows these topics. The controller answers as soon as they are decided, and brokers learn of
/// it one by one: <https://cwiki.apache.org/confluence/display/KAFKA/KIP-631> (metadata is a log that they follow).
async fn known_everywhere(options: &KafkaOptions, names: &[&str]) -> Result<(), KafkaTrouble> {
    let any = options.brokers.join(",");
    let deadline = Instant::now() + options.request_timeout;
    let mut knowing = BTreeSet::new();
    loop {
        // Asked anew each time: a broker that has gone need know nothing.
        let (broker, why) = match ask(options, &any, names, deadline).await {
            Err(trouble) => (any.clone(), Some(Box::new(trouble))),
            Ok((brokers, _)) => {
                let Some(broker) = brokers.into_iter().find(|broker| !knowing.contains(broker)) else {
                    return Ok(());
                };
                match ask(options, &broker, names, deadline).await {
                    Ok((_, true)) => {
                        knowing.insert(broker);
                        continue;
                    }
                    Ok((_, false)) => (broker, None),
                    Err(trouble) => (broker, Some(Box::new(trouble))),
                }
            }
        };
        if Instant::now() >= deadline {
            return Err(KafkaTrouble::NotKnown { broker, why });
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// The addresses of the cluster's brokers, and whether the one that answers knows all of these topics. It is the one at this
/// address if that is one: the client is new, and so is connected to nobody else.
async fn ask(
    options: &KafkaOptions,
    brokers: &str,
    names: &[&str],
    deadline: Instant,
) -> Result<(Vec<String>, bool), KafkaTrouble> {
    let client: AdminClient<Voice> = client::base(options)
        .set("bootstrap.servers", brokers)
        .create_with_context(Voice)
        .map_err(KafkaTrouble::Settings)?;
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let asking = tokio::task::spawn_blocking(move || {
        let left = deadline.saturating_duration_since(Instant::now());
        // Of all topics, because to ask for one may make it.
        let metadata = client.inner().fetch_metadata(None, left)?;
        let found = |name: &String| {
            let mut topics = metadata.topics().iter();
            topics.any(|topic| topic.name() == name && !topic.partitions().is_empty())
        };
        let brokers = metadata.brokers().iter();
        let addresses = brokers.map(|broker| address(broker.host(), broker.port()));
        Ok((addresses.collect(), names.iter().all(found)))
    });
    let asked = asking.await.map_err(|_panicked| KafkaTrouble::Closed)?;
    asked.map_err(KafkaTrouble::Admin)
}

fn address(host: &str, port: i32) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_ipv6_is_told_from_its_port() {
        assert_eq!(address("broker-1.shop", 9_092), "broker-1.shop:9092");
        assert_eq!(address("127.0.0.1", 9_092), "127.0.0.1:9092");
        assert_eq!(address("::1", 9_092), "[::1]:9092");
    }
}
