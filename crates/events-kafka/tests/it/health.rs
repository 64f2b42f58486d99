//! Settings that are too weak are named, until they are strong or declared.

use super::rig::{self, block_on, issues};
use coupon_app::contract::coupon_id;
use coupon_app::{DeliverySink as _, Health};
use coupon_testkit::Kafka;
use events_kafka::{Acks, KafkaFeed, KafkaOptions, Setting};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

async fn why(options: &KafkaOptions) -> String {
    match KafkaFeed::new(options.clone()).health().await {
        Health::Ready => String::new(),
        Health::NotReady(why) => why,
    }
}

#[test]
fn each_weak_setting_is_named_and_nothing_is_published_until_it_is_declared() {
    let Some(bootstrap) = rig::start(Kafka::shared_bootstrap()) else {
        return;
    };
    block_on(async {
        let mut options = rig::options(&bootstrap);
        options.acks = Acks::Leader;
        options.declared.clear();
        let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
            .set("bootstrap.servers", &bootstrap)
            .create()
            .unwrap();
        let like = |name| {
            NewTopic::new(name, 1, TopicReplication::Fixed(1))
                .set("unclean.leader.election.enable", "true")
                .set("min.insync.replicas", "1")
        };
        let topics = [like(&options.topic), like(&options.dead_letters)];
        admin.create_topics(&topics, &AdminOptions::new()).await.unwrap();
        // Made beside our own way of making them, which waits for this.
        rig::wait_for(async || !why(&options).await.contains("does not exist")).await;
        let all = why(&options).await;
        for said in [
            "acks is 1, not all",
            "min.insync.replicas is 1, not 2 or more",
            "replication factor is 1, not 3 or more",
            "unclean.leader.election.enable is true, not false",
        ] {
            assert_eq!(all.matches(said).count(), 2, "on each topic: {all}");
        }
        let mut left = Setting::ALL.to_vec();
        while let Some(setting) = left.pop() {
            let feed = KafkaFeed::new(options.clone());
            let error = feed.publish(&[issues(coupon_id(1), [1])]).await.unwrap_err();
            assert!(
                error.retriable && error.to_string().contains(setting.name()),
                "{error}"
            );
            options.declared.push(setting);
            assert!(!why(&options).await.contains(setting.name()));
        }
        assert_eq!(why(&options).await, "");
        KafkaFeed::new(options)
            .publish(&[issues(coupon_id(1), [1])])
            .await
            .unwrap();
    });
}

#[test]
fn a_build_without_tls_says_so_and_shows_no_password() {
    let login = events_kafka::Login {
        mechanism: events_kafka::Mechanism::ScramSha512,
        user: "shop".to_owned(),
        password: "guess".to_owned().into(),
    };
    let options = KafkaOptions {
        login: Some(login),
        tls: Some(events_kafka::Tls::default()),
        ..rig::options("127.0.0.1:1")
    };
    assert!(!format!("{options:?}").contains("guess"));
    block_on(async {
        let clock = std::sync::Arc::new(coupon_app::memory::ManualClock::at(coupon_app::contract::START));
        let joined = events_kafka::KafkaDeliveries::join(options, rig::worker(), clock);
        if cfg!(feature = "tls") {
            joined.unwrap();
            return;
        }
        let error = joined.unwrap_err().to_string();
        assert!(
            error.contains("security.protocol") && !error.contains("guess"),
            "{error}"
        );
    });
}
