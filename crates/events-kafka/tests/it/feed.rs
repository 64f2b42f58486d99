//! Publishing: everything arrives, or it is said that it may not have.

use super::rig::{self, Carrier, block_on, issues, join, sale, shared, worker};
use coupon_app::contract::coupon_id;
use coupon_app::{DeliverySink, DeliverySource as _};
use coupon_testkit::Kafka;
use events_kafka::{KafkaFeed, KafkaOptions, create_topics};
use std::time::{Duration, Instant};

#[test]
fn what_was_published_arrives_as_it_was_decided() {
    block_on(async {
        let Some(options) = shared(4).await else { return };
        let feed = KafkaFeed::new(options.clone());
        feed.publish(&sale(3, 200)).await.unwrap();
        let source = join(&options, &worker());
        let mut carrier = Carrier::new();
        carrier.carry(&source, 3, 200).await;
        assert_eq!(
            carrier.seen.len(),
            3 * 201,
            "each issue and each revision is one record"
        );
        assert!(carrier.seen.values().all(|times| *times == 1), "nobody fell over");
        source.close(rig::LEAVING).await.unwrap();
        feed.close(rig::LEAVING).await.unwrap();
    });
}

#[test]
fn the_order_of_publishing_does_not_matter() {
    block_on(async {
        let Some(options) = shared(4).await else { return };
        let feed = KafkaFeed::new(options.clone());
        let mut deliveries = sale(2, 100);
        deliveries.reverse();
        let (late, early) = deliveries.split_at(7);
        feed.publish(early).await.unwrap();
        feed.publish(late).await.unwrap();
        feed.publish(early).await.unwrap();
        let source = join(&options, &worker());
        let mut carrier = Carrier::new();
        carrier.carry(&source, 2, 100).await;
    });
}

#[test]
fn nothing_is_published_and_no_topic_comes_to_be_before_it_was_made() {
    let Some(bootstrap) = rig::start(Kafka::shared_bootstrap()) else {
        return;
    };
    block_on(async {
        let options = rig::options(&bootstrap);
        let feed = KafkaFeed::new(options.clone());
        for _ in 0..2 {
            let error = feed.publish(&[issues(coupon_id(1), [1])]).await.unwrap_err();
            assert!(
                error.retriable && error.to_string().contains("does not exist"),
                "{error}"
            );
        }
        let made = create_topics(&options, &rig::plan(2)).await.unwrap();
        assert!(
            made.iter().all(|it| it.fresh),
            "writing or looking has made a topic: {made:?}"
        );
        let again = create_topics(&options, &rig::plan(3)).await.unwrap();
        assert!(again.iter().all(|it| !it.fresh), "{again:?}");
        feed.publish(&[issues(coupon_id(1), [1])]).await.unwrap();
    });
}

#[test]
fn brokers_that_are_not_there_are_said_to_be_so_in_time() {
    block_on(async {
        let port = coupon_testkit::free_port().unwrap();
        let options = KafkaOptions {
            request_timeout: Duration::from_secs(1),
            ..rig::options(&format!("127.0.0.1:{port}"))
        };
        let began = Instant::now();
        let error = KafkaFeed::new(options.clone())
            .publish(&[issues(coupon_id(1), [1])])
            .await
            .unwrap_err();
        assert!(error.retriable, "{error}");
        let source = join(&options, &worker());
        assert!(source.backlog().await.unwrap_err().retriable);
        rig::wait_for(async || source.next(1).await.is_err()).await;
        assert!(began.elapsed() < Duration::from_secs(60));
        source.close(rig::LEAVING).await.unwrap();
    });
}
