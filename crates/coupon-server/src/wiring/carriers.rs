//! What `firstcome work` carries, from where to where.

use super::Engines;
use super::kafka::{FEED_GROUP, STORE_GROUP, kafka_options, member_options};
use super::redis_options;
use crate::clock::SystemClock;
use crate::config::Settings;
use coupon_app::{Clock, DeliverySource, DeliveryStore};
use coupon_worker::{BACKLOG_EVERY, Books, Confirming, Part, Publishing, Stop};
use events_kafka::{KafkaDeliveries, KafkaFeed, KafkaOptions};
use ledger_redis::{RedisDeliveries, WorkerOptions};
use std::sync::Arc;
use std::time::Duration;

/// How often the backlog of a topic is asked for. It takes some questions for each partition.
const TOPIC_BACKLOG_EVERY: Duration = Duration::from_secs(5);
/// How long leaving the group, and sending what is under way, may take at the end.
const LEAVING: Duration = Duration::from_secs(10);

/// One way that deliveries are brought.
pub(crate) struct Carrier {
    pub(crate) source: Arc<dyn DeliverySource>,
    pub(crate) target: Arc<dyn DeliveryStore>,
    pub(crate) books: Books,
    /// How often the backlog is asked for.
    pub(crate) look_every: Duration,
}

/// Everything that a worker carries.
pub(crate) struct Carriers {
    pub(crate) all: Vec<Arc<Carrier>>,
    /// Where Kafka lies between.
    pub(crate) kafka: Option<Arc<KafkaLegs>>,
}

/// A worker's own connections to Kafka.
pub(crate) struct KafkaLegs {
    pub(crate) feed: Arc<KafkaFeed>,
    member: Arc<KafkaDeliveries>,
}

impl KafkaLegs {
    /// Leaves the group, so that others get the partitions at once.
    pub(crate) async fn leave(&self) {
        if let Err(error) = self.member.close(LEAVING).await {
            tracing::warn!(%error, "the consumer group was not left in time; it will notice by itself");
        }
        if let Err(error) = self.feed.close(LEAVING).await {
            tracing::warn!(%error, "what was being published may come to the topic or not; it will be published again");
        }
    }
}

impl Carriers {
    /// Nothing without Redis: only Redis hands issues on. Without Kafka from the stream to the store. With it from the stream to the topic, from the topic to the store,
    /// and out of the stream when the store has it.
    pub(crate) fn open(
        settings: &Settings,
        engines: &Engines,
        name: &str,
        stop: &Stop,
    ) -> anyhow::Result<Self> {
        if !settings.redis.is_set() {
            // What the database decides is there already.
            return Ok(Self {
                all: Vec::new(),
                kafka: None,
            });
        }
        match kafka_options(&settings.kafka)? {
            None => Self::direct(settings, engines, name),
            Some(options) => Self::by_kafka(settings, engines, name, stop, options),
        }
    }

    fn direct(settings: &Settings, engines: &Engines, name: &str) -> anyhow::Result<Self> {
        let carry = Carrier {
            source: stream(settings, engines, name, STORE_GROUP, &[STORE_GROUP])?,
            target: Arc::clone(&engines.store) as _,
            books: Books::of(Part::CARRY),
            look_every: BACKLOG_EVERY,
        };
        Ok(Self {
            all: vec![Arc::new(carry)],
            kafka: None,
        })
    }

    fn by_kafka(
        settings: &Settings,
        engines: &Engines,
        name: &str,
        stop: &Stop,
        options: KafkaOptions,
    ) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let groups = [STORE_GROUP, FEED_GROUP];
        let feed = Arc::new(KafkaFeed::new(options.clone()));
        let member = member_options(&settings.kafka, name);
        let member = Arc::new(KafkaDeliveries::join(options, member, Arc::clone(&clock))?);
        let publish = Carrier {
            source: stream(settings, engines, name, FEED_GROUP, &groups)?,
            target: Arc::new(Publishing::new(Arc::clone(&feed) as _)),
            books: Books::of(Part::PUBLISH),
            look_every: BACKLOG_EVERY,
        };
        let persist = Carrier {
            source: Arc::clone(&member) as _,
            target: Arc::clone(&engines.store) as _,
            books: Books::of(Part::PERSIST),
            look_every: TOPIC_BACKLOG_EVERY,
        };
        let confirm = Carrier {
            source: stream(settings, engines, name, STORE_GROUP, &groups)?,
            target: Arc::new(Confirming::new(
                Arc::clone(&engines.store) as _,
                Arc::clone(&engines.store) as _,
                clock,
                settings.kafka.overdue_after(),
                stop.clone(),
            )),
            books: Books::of(Part::CONFIRM),
            look_every: BACKLOG_EVERY,
        };
        Ok(Self {
            all: [publish, persist, confirm].map(Arc::new).into(),
            kafka: Some(Arc::new(KafkaLegs { feed, member })),
        })
    }
}

/// One group's place at the streams.
fn stream(
    settings: &Settings,
    engines: &Engines,
    name: &str,
    group: &str,
    groups: &[&str],
) -> anyhow::Result<Arc<dyn DeliverySource>> {
    let deliveries = RedisDeliveries::new(
        redis_options(&settings.redis)?,
        WorkerOptions {
            group: group.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            consumer: name.to_owned(),
            claim_after: settings.work.claim_after(),
        },
        engines.handle().clone(),
    );
    Ok(Arc::new(deliveries))
}
