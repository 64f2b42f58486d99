//! Brokers that die, and answers that are lost.

use super::rig::{self, Carrier, block_on, issues, join, sale, worker};
use coupon_app::contract::coupon_id;
use coupon_app::{Delivery, DeliverySink as _, DeliverySource as _, Health};
use coupon_testkit::{FaultProxy, Kafka, KafkaOptions as Brokers, Loss, free_port};
use events_kafka::{KafkaFeed, KafkaOptions, KafkaTrouble, TopicPlan, create_topics};
use std::time::Duration;

/// Publishes as the house does: until it is on the topic.
async fn publish(feed: &KafkaFeed, deliveries: &[Delivery]) -> u32 {
    let mut failures = 0;
    while let Err(error) = feed.publish(deliveries).await {
        assert!(error.retriable, "{error}");
        failures += 1;
    }
    failures
}

#[test]
fn a_broker_killed_in_the_middle_loses_nothing_that_was_published() {
    let Some(mut kafka) = rig::start(Kafka::start(&Brokers::default())) else {
        return;
    };
    block_on(async {
        let options = rig::impatient(&kafka.bootstrap());
        create_topics(&options, &rig::plan(3)).await.unwrap();
        let feed = KafkaFeed::new(options.clone());
        let group = worker();
        let source = join(&options, &group);
        let mut carrier = Carrier::new();
        let sale = sale(1, 400);
        let (before, after) = sale.split_at(10);
        publish(&feed, before).await;
        while carrier.turn(&source).await == 0 {}
        kafka.kill9(1).unwrap();
        let error = feed.publish(&after[..1]).await.unwrap_err();
        assert!(error.retriable, "{error}");
        assert!(source.backlog().await.is_err(), "nobody can tell how far it is");
        kafka.restart(1).unwrap();
        publish(&feed, after).await;
        carrier.carry(&source, 1, 400).await;
    });
}

#[test]
fn records_whose_answers_are_lost_are_sent_again_and_told_apart_by_the_broker() {
    let port = free_port().unwrap();
    let proxy = FaultProxy::to(port).unwrap();
    let brokers = Brokers::default().behind(&[port], &[proxy.port()]);
    let Some(kafka) = rig::start(Kafka::start(&brokers)) else {
        return;
    };
    block_on(async {
        let options = rig::options(&kafka.bootstrap());
        create_topics(&options, &rig::plan(1)).await.unwrap();
        let feed = KafkaFeed::new(options.clone());
        let sale = sale(1, 100);
        feed.publish(&sale[..1]).await.unwrap();
        // The broker gets the records and answers, and the connection ends before the answer is there.
        proxy.cut_at(b"specversion", Loss::Answer, 3);
        for deliveries in sale[1..].chunks(2) {
            feed.publish(deliveries).await.unwrap();
        }
        let cuts = proxy.counts().cut;
        proxy.mend();
        assert!(cuts >= 3, "nothing was cut");
        let source = join(&options, &worker());
        let mut carrier = Carrier::new();
        carrier.carry(&source, 1, 100).await;
        assert!(
            carrier.seen.values().all(|times| *times == 1),
            "a repetition was taken for a new record"
        );
    });
}

#[test]
fn topics_are_made_when_every_broker_knows_them() {
    // The one that stands still counts as alive for as long as this takes.
    let brokers = Brokers::brokers(3).set("broker.session.timeout.ms", "60000");
    let Some(kafka) = rig::start(Kafka::start(&brokers)) else {
        return;
    };
    block_on(async {
        let options = KafkaOptions {
            declared: Vec::new(),
            ..rig::impatient(&kafka.bootstrap())
        };
        let plan = TopicPlan::default();
        kafka.pause(3).unwrap();
        let waited_for = loop {
            match create_topics(&options, &plan).await {
                Ok(made) => panic!("said to be made while a broker cannot know: {made:?}"),
                Err(KafkaTrouble::NotKnown { broker, .. }) => break broker,
                // It led the others, or was the one that was asked.
                Err(_other) => {}
            }
        };
        let port = kafka.port(3).unwrap();
        assert!(waited_for.ends_with(&format!(":{port}")), "{waited_for}");
        kafka.resume(3).unwrap();
        let mut made = create_topics(&options, &plan).await;
        while made.is_err() {
            made = create_topics(&options, &plan).await;
        }
        assert!(made.unwrap().iter().all(|topic| !topic.fresh));
        for id in kafka.ids() {
            let at_one = KafkaOptions {
                brokers: vec![format!("127.0.0.1:{}", kafka.port(id).unwrap())],
                ..options.clone()
            };
            assert_eq!(
                KafkaFeed::new(at_one).health().await,
                Health::Ready,
                "broker {id}"
            );
        }
    });
}

#[test]
fn of_three_brokers_one_may_fall_and_with_two_down_nothing_is_said_to_be_published() {
    let Some(mut kafka) = rig::start(Kafka::start(&Brokers::brokers(3))) else {
        return;
    };
    block_on(async {
        let options = KafkaOptions {
            declared: Vec::new(),
            publish_timeout: Duration::from_secs(20),
            request_timeout: Duration::from_secs(5),
            // A look at the settings would find that nobody answers; here it is the records that must be refused.
            probe_every: Duration::from_secs(3_600),
            ..rig::options(&kafka.bootstrap())
        };
        let plan = TopicPlan {
            partitions: 3,
            ..TopicPlan::default()
        };
        create_topics(&options, &plan).await.unwrap();
        let strict = KafkaOptions {
            topic: format!("{}.strict", options.topic),
            publish_timeout: Duration::from_secs(15),
            ..options.clone()
        };
        let every_one = TopicPlan {
            min_insync: 3,
            ..plan
        };
        create_topics(&strict, &every_one).await.unwrap();
        let strict_feed = KafkaFeed::new(strict);
        strict_feed
            .publish(&[issues(coupon_id(3), 1..=30)])
            .await
            .unwrap();
        let feed = KafkaFeed::new(options.clone());
        assert_eq!(
            feed.health().await,
            Health::Ready,
            "as the house makes topics, they are strong"
        );
        let sale = sale(1, 300);
        let (before, after) = sale.split_at(8);
        feed.publish(before).await.unwrap();
        kafka.kill9(3).unwrap();
        // Where every replica must have a record, two are too few, though each partition has its leader.
        let error = strict_feed
            .publish(&[issues(coupon_id(3), 31..=60)])
            .await
            .unwrap_err();
        assert!(error.retriable, "{error}");
        publish(&feed, after).await;
        let group = worker();
        let source = join(&options, &group);
        let mut carrier = Carrier::new();
        carrier.carry(&source, 1, 300).await;
        kafka.kill9(2).unwrap();
        let more = issues(coupon_id(2), 1..=30);
        let error = feed.publish(std::slice::from_ref(&more)).await.unwrap_err();
        assert!(error.retriable, "{error}");
        kafka.restart(2).unwrap();
        publish(&feed, &[rig::creation(coupon_id(2), 30), more]).await;
        while carrier.stored(2).await < 330 {
            carrier.turn(&source).await;
        }
        carrier.check(1, 300).await;
    });
}
