//! What cannot be taken is in nobody's way, can be inspected, and can be sent again.

use super::rig::{self, Carrier, block_on, issues, join, sale, shared, worker};
use coupon_app::contract::coupon_id;
use coupon_app::contract::dead_letter::letters_are_looked_after_from_the_front;
use coupon_app::{DeliverySink as _, DeliverySource as _, Ticket};
use events_kafka::{DeadLetters, KafkaFeed, KafkaOptions, Replay};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use std::sync::Arc;
use std::time::Duration;

/// Puts this onto the topic as somebody else would.
async fn smuggle(options: &KafkaOptions, values: &[&[u8]]) {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", options.brokers.join(","))
        .create()
        .unwrap();
    for value in values {
        let headers = OwnedHeaders::new().insert(Header {
            key: "from",
            value: Some("elsewhere"),
        });
        let record = FutureRecord::to(&options.topic)
            .key("k")
            .payload(*value)
            .headers(headers);
        producer.send(record, Duration::from_secs(30)).await.unwrap();
    }
}

#[test]
fn poison_goes_aside_with_its_reason_and_everything_else_goes_on() {
    block_on(async {
        let Some(options) = shared(1).await else { return };
        let feed = KafkaFeed::new(options.clone());
        let sale = sale(1, 40);
        let good = String::from_utf8(b"{}".to_vec()).unwrap();
        let event = |position: u32, version: u32| {
            format!(
                concat!(
                    r#"{{"specversion":"1.0","id":"1-7.e1","source":"/x","type":"issued_coupon.issued","subject":"1-7","#,
                    r#""time":"2027-01-15T08:00:01.000000Z","datacontenttype":"application/json","#,
                    r#""dataschema":"urn:firstcome:events:{}","data":{{"couponId":1,"epoch":1,"position":{},"#,
                    r#""userId":"u","issuedAt":"2027-01-15T08:00:01.000000Z","expiresAt":"2027-01-15T08:00:02.000000Z"}}}}"#
                ),
                version, position
            )
        };
        let (newer, contradicting) = (event(7, 2), event(8, 1));
        feed.publish(&sale[..1]).await.unwrap();
        smuggle(
            &options,
            &[
                b"no json",
                good.as_bytes(),
                newer.as_bytes(),
                contradicting.as_bytes(),
                b"",
            ],
        )
        .await;
        feed.publish(&sale[1..]).await.unwrap();
        let group = worker();
        let source = join(&options, &group);
        let mut carrier = Carrier::new();
        carrier.carry(&source, 1, 40).await;
        let letters = DeadLetters::new(options.clone(), &group.group);
        let listed = letters.list(100).await.unwrap();
        let reasons = [
            "expected ident",
            "missing field",
            "dataschema",
            "`id` contradicts",
            "empty",
        ];
        assert_eq!(listed.len(), reasons.len(), "{listed:?}");
        for ((letter, reason), offset) in listed.iter().zip(reasons).zip(1..) {
            assert!(letter.why.contains(reason), "{letter:?}");
            assert_eq!(
                (&*letter.topic, letter.partition, letter.offset),
                (&*options.topic, Some(0), Some(offset))
            );
            assert_eq!(letter.group, group.group);
            assert!(letter.delivery.is_none() && !letter.cut);
        }
        let backlog = source.backlog().await.unwrap();
        assert_eq!((backlog.waiting, backlog.in_hand, backlog.set_aside), (0, 0, 5));
        // It is not met again.
        source.close(rig::LEAVING).await.unwrap();
        let source = join(&options, &group);
        assert_eq!(source.next(10).await.unwrap(), []);
        // Poison that is replayed is poison still, and a letter anew.
        let replayed = letters.replay(listed[1].id).await.unwrap();
        assert_eq!((replayed.sent, replayed.stopped_at), (2, None));
        rig::wait_for(async || {
            assert_eq!(source.next(10).await.unwrap(), []);
            letters.list(100).await.unwrap().len() == 5
        })
        .await;
        let last = letters.list(100).await.unwrap().pop().unwrap();
        letters.dismiss(last.id).await.unwrap();
        assert!(letters.list(100).await.unwrap().is_empty());
        assert_eq!(source.backlog().await.unwrap().set_aside, 0);
    });
}

#[test]
fn a_record_that_was_set_aside_comes_again_only_when_it_is_replayed() {
    block_on(async {
        let Some(options) = shared(1).await else { return };
        let feed = KafkaFeed::new(options.clone());
        let sale = sale(1, 20);
        feed.publish(&sale).await.unwrap();
        let group = worker();
        let source = join(&options, &group);
        let letters = DeadLetters::new(options.clone(), &group.group);
        let mut carrier = Carrier::new();
        let refused = issues(coupon_id(1), [7]);
        while carrier.stored(1).await < 19 {
            let taken = source.next(500).await.unwrap();
            let (aside, rest): (Vec<_>, Vec<_>) = taken.into_iter().partition(|(_, it)| *it == refused);
            for (ticket, _) in aside {
                source
                    .set_aside(&ticket, "the store does not like it")
                    .await
                    .unwrap();
                source.set_aside(&ticket, "again").await.unwrap();
            }
            carrier.write(&rest).await;
            let tickets: Vec<Ticket> = rest.into_iter().map(|(ticket, _)| ticket).collect();
            source.done(&tickets).await.unwrap();
        }
        source.close(rig::LEAVING).await.unwrap();
        let source = join(&options, &group);
        assert_eq!(source.next(10).await.unwrap(), []);
        let listed = letters.list(100).await.unwrap();
        let [letter] = &listed[..] else {
            panic!("{listed:?}")
        };
        assert_eq!(letter.why, "the store does not like it");
        assert_eq!(letter.delivery.as_ref(), Some(&refused));
        let replayed = letters.replay(letter.id).await.unwrap();
        assert_eq!((replayed.sent, replayed.stopped_at), (1, None));
        assert_eq!(letters.replay(letter.id).await.unwrap(), Replay::default());
        carrier.carry(&source, 1, 20).await;
    });
}

#[test]
fn a_letter_too_long_to_keep_is_cut_and_said_to_be() {
    block_on(async {
        let Some(options) = shared(1).await else { return };
        let long = vec![b'x'; 3 << 20];
        // Ten bytes to the broker, three million to whoever reads it.
        let producer: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", options.brokers.join(","))
            .set("message.max.bytes", "8000000")
            .set("compression.type", "lz4")
            .create()
            .unwrap();
        let record = FutureRecord::to(&options.topic).key("k").payload(&long);
        producer.send(record, Duration::from_secs(30)).await.unwrap();
        let group = worker();
        let source = join(&options, &group);
        let letters = DeadLetters::new(options.clone(), &group.group);
        rig::wait_for(async || {
            assert_eq!(source.next(10).await.unwrap(), []);
            letters.list(10).await.unwrap().len() == 1
        })
        .await;
        let [cut] = &letters.list(10).await.unwrap()[..] else {
            panic!("one letter")
        };
        assert!(cut.cut);
        let stopped = letters.replay(cut.id).await.unwrap();
        assert_eq!((stopped.sent, stopped.stopped_at), (0, Some(cut.id)));
    });
}

#[test]
fn letters_are_looked_after_one_place_after_the_other() {
    block_on(async {
        let Some(options) = shared(1).await else { return };
        let group = worker();
        let source = join(&options, &group);
        let letters = Arc::new(DeadLetters::new(options.clone(), &group.group));
        let await_letters = async |count| {
            rig::wait_for(async || {
                assert_eq!(source.next(10).await.unwrap(), []);
                letters.list(100).await.unwrap().len() == count
            })
            .await;
        };
        smuggle(&options, &[b"a", b"b", b"c"]).await;
        await_letters(3).await;
        let long = vec![b'x'; 3 << 20];
        let producer: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", options.brokers.join(","))
            .set("message.max.bytes", "8000000")
            .set("compression.type", "lz4")
            .create()
            .unwrap();
        let record = FutureRecord::to(&options.topic).key("k").payload(&long);
        producer.send(record, Duration::from_secs(30)).await.unwrap();
        await_letters(4).await;
        smuggle(&options, &[b"d", b"e"]).await;
        await_letters(6).await;
        // Whatever is sent again would come back as a new letter.
        source.close(rig::LEAVING).await.unwrap();
        let sent = letters_are_looked_after_from_the_front(Arc::clone(&letters) as _).await;
        assert_eq!(sent, 4);
        let source = join(&options, &group);
        rig::wait_for(async || {
            assert_eq!(source.next(10).await.unwrap(), []);
            letters.list(100).await.unwrap().len() == 4
        })
        .await;
        let back = letters.list_after(None, 100).await.unwrap();
        assert!(back.iter().all(|letter| !letter.cut));
    });
}
