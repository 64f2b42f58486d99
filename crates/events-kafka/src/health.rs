//! Whether topics and producer are configured for what is promised.

use crate::client::Voice;
use crate::error::KafkaTrouble;
use crate::options::{Acks, KafkaOptions};
use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use std::sync::Arc;

/// A setting on which durability rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setting {
    /// `acks` of our producer must be `all`, or a record counts as published that only its leader has.
    Acks,
    /// `min.insync.replicas` of the topic must be 2 or more, or "all" may be one.
    MinInsyncReplicas,
    /// The topic's partitions must have 3 replicas, or no broker may fail.
    ReplicationFactor,
    /// `unclean.leader.election.enable` must be `false`, or a replica that lacks records may become the leader.
    UncleanLeaderElection,
}

impl Setting {
    /// Every one.
    pub const ALL: [Self; 4] = [
        Self::Acks,
        Self::MinInsyncReplicas,
        Self::ReplicationFactor,
        Self::UncleanLeaderElection,
    ];

    /// What Kafka calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Acks => "acks",
            Self::MinInsyncReplicas => "min.insync.replicas",
            Self::ReplicationFactor => "replication factor",
            Self::UncleanLeaderElection => "unclean.leader.election.enable",
        }
    }

    /// The value that the promise needs.
    pub const fn needed(self) -> &'static str {
        match self {
            Self::Acks => "all",
            Self::MinInsyncReplicas => "2 or more",
            Self::ReplicationFactor => "3 or more",
            Self::UncleanLeaderElection => "false",
        }
    }

    const fn why(self) -> &'static str {
        match self {
            Self::Acks => "records would count as published that only one broker has",
            Self::MinInsyncReplicas => "records would count as published that only one broker has",
            Self::ReplicationFactor => "nothing could be published while one broker is down",
            Self::UncleanLeaderElection => "a broker that lacks records could become their leader",
        }
    }

    fn is_strong(self, value: &str) -> bool {
        let at_least = |needed: u32| value.parse().is_ok_and(|found: u32| found >= needed);
        match self {
            Self::Acks => value == "all",
            Self::MinInsyncReplicas => at_least(2),
            Self::ReplicationFactor => at_least(3),
            Self::UncleanLeaderElection => value == "false",
        }
    }
}

/// What was found of one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) exists: bool,
    pub(crate) acks: Option<String>,
    pub(crate) min_insync: Option<String>,
    pub(crate) replicas: Option<String>,
    pub(crate) unclean: Option<String>,
}

/// Everything that keeps a topic from keeping the promise, for operators; empty when nothing does.
pub(crate) fn judge(topic: &str, found: &Found, declared: &[Setting]) -> Vec<String> {
    if !found.exists {
        return vec![format!(
            "topic {topic} does not exist: make it with `firstcome migrate`"
        )];
    }
    let mut weak = Vec::new();
    for setting in Setting::ALL.into_iter().filter(|it| !declared.contains(it)) {
        let value = match setting {
            Setting::Acks => &found.acks,
            Setting::MinInsyncReplicas => &found.min_insync,
            Setting::ReplicationFactor => &found.replicas,
            Setting::UncleanLeaderElection => &found.unclean,
        };
        let (name, needed, why) = (setting.name(), setting.needed(), setting.why());
        match value {
            Some(value) if setting.is_strong(value) => {}
            Some(value) => weak.push(format!("topic {topic}: {name} is {value}, not {needed}: {why}")),
            None => weak.push(format!(
                "topic {topic}: {name} cannot be read, so nobody knows whether it is {needed}; declare it if it is"
            )),
        }
    }
    weak
}

/// Looks at these topics.
pub(crate) async fn weaknesses(
    options: &KafkaOptions,
    topics: &[String],
) -> Result<Vec<String>, KafkaTrouble> {
    let admin: AdminClient<Voice> = crate::client::base(options)
        .create_with_context(Voice)
        .map_err(KafkaTrouble::Settings)?;
    let admin = Arc::new(admin);
    let mut weak = Vec::new();
    let replicas = replicas(Arc::clone(&admin), options, topics.to_vec()).await?;
    for (topic, replicas) in topics.iter().zip(replicas) {
        let mut found = Found {
            exists: replicas.is_some(),
            acks: Some(match options.acks {
                Acks::All => "all".to_owned(),
                Acks::Leader => "1".to_owned(),
            }),
            replicas: replicas.map(|count| count.to_string()),
            ..Found::default()
        };
        if found.exists {
            let request = AdminOptions::new().request_timeout(Some(options.request_timeout));
            let about = [ResourceSpecifier::Topic(topic)];
            let asked = admin.describe_configs(&about, &request).await;
            let said = asked.map_err(KafkaTrouble::Admin)?.into_iter().next();
            // Not permitted, or not supported: then nobody knows.
            if let Some(Ok(resource)) = said {
                found.min_insync = value(&resource, "min.insync.replicas");
                found.unclean = value(&resource, "unclean.leader.election.enable");
            }
        }
        weak.extend(judge(topic, &found, &options.declared));
    }
    Ok(weak)
}

fn value(resource: &ConfigResource, name: &str) -> Option<String> {
    resource.get(name)?.value.clone()
}

/// The smallest number of replicas of any partition of each topic; `None` where there is no such topic. All topics are
/// asked for, because to ask for one may make it.
async fn replicas(
    admin: Arc<AdminClient<Voice>>,
    options: &KafkaOptions,
    topics: Vec<String>,
) -> Result<Vec<Option<usize>>, KafkaTrouble> {
    let timeout = options.request_timeout;
    let asking = tokio::task::spawn_blocking(move || {
        let metadata = admin.inner().fetch_metadata(None, timeout)?;
        let fewest = |topic: &String| {
            let found = metadata.topics().iter().find(|found| found.name() == topic)?;
            found.partitions().iter().map(|it| it.replicas().len()).min()
        };
        Ok(topics.iter().map(fewest).collect())
    });
    let asked = asking.await.map_err(|_panicked| KafkaTrouble::Closed)?;
    asked.map_err(KafkaTrouble::Admin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strong() -> Found {
        let some = |text: &str| Some(text.to_owned());
        Found {
            exists: true,
            acks: some("all"),
            min_insync: some("2"),
            replicas: some("3"),
            unclean: some("false"),
        }
    }

    #[test]
    fn each_weak_or_unreadable_setting_is_named_until_it_is_declared() {
        assert_eq!(judge("t", &strong(), &[]), Vec::<String>::new());
        type Field = fn(&mut Found) -> &mut Option<String>;
        let change: [(Setting, Field, &[&str]); 4] = [
            (Setting::Acks, |it| &mut it.acks, &["1", "0", "-1"]),
            (
                Setting::MinInsyncReplicas,
                |it| &mut it.min_insync,
                &["1", "0", ""],
            ),
            (Setting::ReplicationFactor, |it| &mut it.replicas, &["1", "2"]),
            (
                Setting::UncleanLeaderElection,
                |it| &mut it.unclean,
                &["true", ""],
            ),
        ];
        for (setting, field, wrong) in change {
            for value in wrong.iter().map(|value| Some(*value)).chain([None]) {
                let mut found = strong();
                *field(&mut found) = value.map(str::to_owned);
                let weak = judge("t", &found, &[]);
                assert_eq!(weak.len(), 1, "{weak:?}");
                assert!(weak[0].contains(setting.name()), "{weak:?}");
                assert!(weak[0].contains("cannot be read") == value.is_none(), "{weak:?}");
                assert_eq!(judge("t", &found, &[setting]), Vec::<String>::new());
            }
        }
        let absent = judge("t", &Found::default(), &Setting::ALL);
        assert!(absent[0].contains("does not exist"), "{absent:?}");
    }
}
