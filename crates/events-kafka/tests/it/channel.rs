//! Notifications on their topic: each arrives, under one id, however often the broker falls.

use super::rig::{self, block_on};
use coupon_app::contract::{START, at, coupon_id, terms, user};
use coupon_app::{About, Attempt, Channel as _, ChannelOutcome, News, Notification, Patience};
use coupon_core::{Coupon, Grant, IssuedCoupon, Position};
use coupon_testkit::{FaultProxy, Kafka, KafkaOptions as Brokers, Loss, free_port};
use events_kafka::{KafkaChannel, KafkaOptions, create_topics};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const PARTITIONS: u16 = 4;

fn issued(position: u32) -> Notification {
    let grant = Grant {
        position: Position::new(position).unwrap(),
        issued_at: START,
        expires_at: at(60_000_000),
    };
    let holder = user(usize::try_from(position).unwrap());
    Notification {
        at: START,
        coupon: Coupon {
            id: coupon_id(1),
            revision: 1,
            terms: terms(100),
            paused: false,
            closed_at: None,
            deleted: false,
            created_at: START,
            revised_at: START,
        },
        about: About::IssuedCoupon {
            issued: Box::new(IssuedCoupon::new(coupon_id(1), holder, grant)),
            news: News::Issued,
        },
    }
}

async fn deliver(channel: &KafkaChannel, position: u32) -> ChannelOutcome {
    let notification = issued(position);
    let recipients = channel.recipients(&notification).await.unwrap();
    let [recipient] = recipients.as_slice() else {
        panic!("one topic: {recipients:?}")
    };
    let attempt = Attempt {
        notification,
        recipient: recipient.clone(),
        number: 1,
        now: START,
    };
    channel.deliver(&attempt).await
}

/// Delivers all of these at once, as the job does, until each is there; says how often one was not.
async fn bring(channel: &KafkaChannel, positions: impl Iterator<Item = u32>) -> usize {
    let mut left: Vec<u32> = positions.collect();
    let mut failures = 0;
    while !left.is_empty() {
        let attempts = left.iter().map(|position| deliver(channel, *position));
        let outcomes = futures_util::future::join_all(attempts).await;
        let mut again = Vec::new();
        for (position, outcome) in left.into_iter().zip(outcomes) {
            match outcome {
                ChannelOutcome::Delivered(_) => {}
                ChannelOutcome::RetryLater { .. } => again.push(position),
                other @ (ChannelOutcome::Refused(_)
                | ChannelOutcome::DisableEndpoint(_)
                | ChannelOutcome::Undeliverable(_)) => panic!("{other:?}"),
            }
        }
        failures += again.len();
        left = again;
    }
    failures
}

/// Reads the topic as another system would until `enough` says so: how often each id came, and from which partitions.
fn read(
    options: &KafkaOptions,
    enough: impl Fn(&BTreeMap<String, usize>) -> bool,
) -> (BTreeMap<String, usize>, BTreeSet<i32>) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", options.brokers.join(","))
        .set("group.id", "nobody")
        .create()
        .unwrap();
    let mut all = TopicPartitionList::new();
    for partition in 0..i32::from(PARTITIONS) {
        all.add_partition_offset(&options.notifications, partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&all).unwrap();
    let (mut ids, mut partitions) = (BTreeMap::new(), BTreeSet::new());
    while !enough(&ids) {
        let Some(Ok(record)) = consumer.poll(Duration::from_millis(200)) else {
            continue;
        };
        let header = record.headers().unwrap().get(0);
        assert_eq!(
            (header.key, header.value),
            (
                "content-type",
                Some(&b"application/cloudevents+json; charset=utf-8"[..])
            )
        );
        let event: serde_json::Value = serde_json::from_slice(record.payload().unwrap()).unwrap();
        assert_eq!(event["type"], "issued_coupon.issued");
        assert_eq!(
            Some(record.key().unwrap()),
            event["subject"].as_str().map(str::as_bytes)
        );
        partitions.insert(record.partition());
        *ids.entry(event["id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    (ids, partitions)
}

fn patience() -> Patience {
    Patience::new(Vec::new())
}

fn ids(positions: impl Iterator<Item = u32>) -> BTreeSet<String> {
    positions.map(|position| format!("issued-1-{position}")).collect()
}

#[test]
fn notifications_arrive_once_each_and_spread_over_the_partitions() {
    block_on(async {
        let Some(options) = rig::shared(PARTITIONS).await else {
            return;
        };
        let channel = KafkaChannel::new(options.clone(), patience());
        assert_eq!(bring(&channel, 1..=100).await, 0);
        let (told, partitions) = read(&options, |ids| ids.len() == 100);
        assert!(told.keys().eq(ids(1..=100).iter()) && told.values().all(|times| *times == 1));
        assert_eq!(partitions.len(), usize::from(PARTITIONS));
    });
}

#[test]
fn a_broker_killed_and_started_again_loses_no_notification_that_was_called_delivered() {
    let Some(mut kafka) = rig::start(Kafka::start(&Brokers::default())) else {
        return;
    };
    block_on(async {
        let options = rig::impatient(&kafka.bootstrap());
        create_topics(&options, &rig::plan(PARTITIONS)).await.unwrap();
        let channel = KafkaChannel::new(options.clone(), patience());
        assert_eq!(bring(&channel, 1..=50).await, 0);
        kafka.kill9(1).unwrap();
        for position in 51..=53 {
            let outcome = deliver(&channel, position).await;
            assert!(
                matches!(outcome, ChannelOutcome::RetryLater { .. }),
                "{outcome:?}"
            );
        }
        kafka.restart(1).unwrap();
        bring(&channel, 51..=100).await;
        let (told, _partitions) = read(&options, |told| told.len() == 100);
        assert!(told.keys().eq(ids(1..=100).iter()), "{told:?}");
    });
}

#[test]
fn a_notification_whose_answer_is_lost_is_there_and_keeps_its_id() {
    let port = free_port().unwrap();
    let proxy = FaultProxy::to(port).unwrap();
    let brokers = Brokers::default().behind(&[port], &[proxy.port()]);
    let Some(kafka) = rig::start(Kafka::start(&brokers)) else {
        return;
    };
    block_on(async {
        let options = rig::options(&kafka.bootstrap());
        create_topics(&options, &rig::plan(PARTITIONS)).await.unwrap();
        let channel = KafkaChannel::new(options.clone(), patience());
        bring(&channel, 1..=1).await;
        proxy.cut_at(b"specversion", Loss::Answer, 3);
        bring(&channel, 2..=20).await;
        let cuts = proxy.counts().cut;
        proxy.mend();
        assert!(cuts >= 1, "nothing was cut");
        let (told, _partitions) = read(&options, |told| told.len() == 20);
        assert!(told.keys().eq(ids(1..=20).iter()), "{told:?}");
    });
}

#[test]
fn without_its_topic_or_with_a_weak_one_a_notification_waits_and_says_why() {
    let Some(bootstrap) = rig::start(Kafka::shared_bootstrap()) else {
        return;
    };
    block_on(async {
        let options = rig::options(&bootstrap);
        let why = async |options: &KafkaOptions| {
            let channel = KafkaChannel::new(options.clone(), patience());
            match deliver(&channel, 1).await {
                ChannelOutcome::RetryLater { report, .. } => report.text.into_string(),
                other @ (ChannelOutcome::Delivered(_)
                | ChannelOutcome::Refused(_)
                | ChannelOutcome::DisableEndpoint(_)
                | ChannelOutcome::Undeliverable(_)) => panic!("{other:?}"),
            }
        };
        let said = why(&options).await;
        assert!(said.contains("does not exist"), "{said}");
        let made = create_topics(&options, &rig::plan(1)).await.unwrap();
        assert!(
            made.iter().all(|one| one.fresh) && made.len() == 3,
            "trying has made a topic: {made:?}"
        );
        let strict = KafkaOptions {
            declared: Vec::new(),
            ..options.clone()
        };
        let said = why(&strict).await;
        assert!(said.contains("min.insync.replicas is 1"), "{said}");
        assert_eq!(bring(&KafkaChannel::new(options, patience()), 1..=1).await, 0);
    });
}
