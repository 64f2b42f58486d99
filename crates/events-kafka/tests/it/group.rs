//! Workers of one group: nothing is lost whoever dies, joins or leaves, and nothing is committed that is not done.

use super::rig::{Carrier, LEAVING, block_on, join, sale, shared, worker};
use coupon_app::{DeliverySink as _, DeliverySource, Ticket};
use events_kafka::KafkaFeed;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// Takes so many and says of none that it is done.
async fn take(source: &dyn DeliverySource, count: usize, carrier: &mut Carrier) -> Vec<Ticket> {
    let mut tickets = Vec::new();
    while tickets.len() < count {
        let taken = source.next(count - tickets.len()).await.unwrap();
        carrier.write(&taken).await;
        tickets.extend(taken.into_iter().map(|(ticket, _)| ticket));
    }
    tickets
}

#[test]
fn what_a_dead_worker_held_goes_to_another() {
    block_on(async {
        let Some(options) = shared(3).await else { return };
        KafkaFeed::new(options.clone())
            .publish(&sale(1, 300))
            .await
            .unwrap();
        let group = worker();
        let first = join(&options, &group);
        let mut carrier = Carrier::new();
        take(&first, 301, &mut carrier).await;
        // It has written the store and dies before it could say so.
        drop(first);
        let second = join(&options, &group);
        take(&second, 301, &mut carrier).await;
        assert!(
            carrier.seen.values().all(|times| *times == 2),
            "all of it came again"
        );
        carrier.check(1, 300).await;
    });
}

#[test]
fn an_offset_is_not_committed_while_something_below_it_is_not_done() {
    block_on(async {
        let Some(options) = shared(1).await else { return };
        KafkaFeed::new(options.clone())
            .publish(&sale(1, 99))
            .await
            .unwrap();
        let group = worker();
        let first = join(&options, &group);
        let mut carrier = Carrier::new();
        let tickets = take(&first, 100, &mut carrier).await;
        // In any order: the tenth is never done.
        for ticket in tickets.iter().rev() {
            if *ticket != tickets[9] {
                first.done(std::slice::from_ref(ticket)).await.unwrap();
            }
        }
        let behind = first.backlog().await.unwrap();
        assert_eq!(behind.waiting + behind.in_hand, 91);
        first.close(LEAVING).await.unwrap();
        let second = join(&options, &group);
        let again = take(&second, 91, &mut carrier).await;
        assert!(carrier.seen.values().filter(|times| **times == 1).count() == 9);
        second.done(&again).await.unwrap();
        // Saying it again is harmless, and so is what another one was handed.
        second.done(&again).await.unwrap();
        second.done(&tickets).await.unwrap();
        assert_eq!(second.backlog().await.unwrap().waiting, 0);
        second.close(LEAVING).await.unwrap();
        let third = join(&options, &group);
        assert_eq!(third.next(10).await.unwrap(), []);
    });
}

#[test]
fn partitions_that_move_between_workers_lose_nothing() {
    block_on(async {
        let Some(options) = shared(6).await else { return };
        let feed = KafkaFeed::new(options.clone());
        let sale = sale(2, 1_000);
        let (before, after) = sale.split_at(sale.len() / 2);
        feed.publish(before).await.unwrap();
        let group = worker();
        let first = join(&options, &group);
        let mut carrier = Carrier::new();
        // In its hands while partitions are taken from it.
        let held = take(&first, 300, &mut carrier).await;
        let second = join(&options, &group);
        let mut carried = 0;
        let mut parts = after.chunks(5).cycle();
        let mut published = 0;
        // Something comes to every partition while they move.
        while carried == 0 || published < after.len() {
            let part = parts.next().unwrap();
            feed.publish(part).await.unwrap();
            published += part.len();
            carrier.turn(&first).await;
            carried += carrier.turn(&second).await;
        }
        // Some of it is somebody else's by now.
        first.done(&held).await.unwrap();
        while carrier.stored(2).await < 2_000 {
            carrier.turn(&first).await;
            carrier.turn(&second).await;
        }
        first.close(LEAVING).await.unwrap();
        // Whatever the first one has left behind comes again.
        while second.backlog().await.unwrap().waiting > 0 {
            carrier.turn(&second).await;
        }
        carrier.check(2, 1_000).await;
        assert_eq!(carrier.seen.len(), 2 * 1_001);
    });
}

#[test]
fn offsets_that_are_reset_to_the_beginning_bring_everything_again_and_change_nothing() {
    block_on(async {
        let Some(options) = shared(2).await else { return };
        KafkaFeed::new(options.clone())
            .publish(&sale(1, 200))
            .await
            .unwrap();
        let group = worker();
        let first = join(&options, &group);
        let mut carrier = Carrier::new();
        carrier.carry(&first, 1, 200).await;
        while first.backlog().await.unwrap().waiting > 0 {
            carrier.turn(&first).await;
        }
        first.close(LEAVING).await.unwrap();
        let (topic, brokers) = (options.topic.clone(), options.brokers.join(","));
        let group_name = group.group.clone();
        let reset = tokio::task::spawn_blocking(move || {
            let consumer: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", brokers)
                .set("group.id", group_name)
                .create()
                .unwrap();
            let mut offsets = TopicPartitionList::new();
            for partition in 0..2 {
                offsets
                    .add_partition_offset(&topic, partition, Offset::Offset(0))
                    .unwrap();
            }
            consumer.commit(&offsets, CommitMode::Sync).unwrap();
        });
        reset.await.unwrap();
        let second = join(&options, &group);
        assert_eq!(second.backlog().await.unwrap().waiting, 201);
        while carrier.seen.values().any(|times| *times < 2) {
            carrier.turn(&second).await;
        }
        carrier.check(1, 200).await;
    });
}

#[test]
fn the_backlog_says_what_waits_and_how_old_it_is() {
    block_on(async {
        let Some(options) = shared(2).await else { return };
        let group = worker();
        // Its clock stands at the scene's beginning, when the coupon was created.
        let source = join(&options, &group);
        let empty = source.backlog().await.unwrap();
        assert_eq!(
            (empty.waiting, empty.in_hand, empty.oldest_us, empty.set_aside),
            (0, 0, 0, 0)
        );
        let feed = KafkaFeed::new(options.clone());
        let mut deliveries = sale(1, 20);
        let early = coupon_app::contract::at(0);
        for record in &mut deliveries[1].records {
            if let coupon_app::Record::Issued(issued) = record {
                issued.grant.issued_at = early;
            }
        }
        feed.publish(&deliveries).await.unwrap();
        let mut carrier = Carrier::new();
        let tickets = take(&source, 21, &mut carrier).await;
        let held = source.backlog().await.unwrap();
        assert_eq!((held.waiting, held.in_hand), (0, 21));
        assert_eq!(held.oldest_us, 1_000_000, "issued one second before the clock");
        source.done(&tickets).await.unwrap();
        assert_eq!(source.backlog().await.unwrap(), empty);
    });
}
