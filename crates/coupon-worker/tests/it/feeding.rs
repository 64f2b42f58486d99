//! Where a feed lies between stream and store: entries leave the stream when the store has them.

use crate::persisting::{created, issued, run, stored};
use crate::yard::{Feed, Store, Stream};
use coupon_app::contract::START;
use coupon_app::memory::ManualClock;
use coupon_app::{Delivery, DeliveryStore, LedgerMarks};
use coupon_worker::{Books, Confirming, Part, Publishing, Stop, persist, stop};
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// Confirms a stream until `enough`, while `meanwhile` goes on.
fn confirm(
    stream: &Stream,
    store: &Arc<Store>,
    clock: &Arc<ManualClock>,
    meanwhile: impl AsyncFnOnce(&Store),
    enough: impl Fn() -> bool,
) {
    run(async {
        let (bell, told) = stop();
        // It is told to stop apart from the work, so that a graceful end brings nothing by itself.
        let (_nobody_rings, never): (_, Stop) = stop();
        let confirming = Confirming::new(
            Arc::clone(store) as Arc<dyn DeliveryStore>,
            Arc::new(store.inner.clone()) as Arc<dyn LedgerMarks>,
            Arc::clone(clock) as _,
            PATIENCE,
            never,
        );
        let books = Books::of(Part::CONFIRM);
        let working = persist(stream, &confirming, 10_000, clock.as_ref(), &books, &told);
        let watching = async {
            meanwhile(store).await;
            while !enough() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            bell.send(true).unwrap();
        };
        tokio::select! {
            () = async { tokio::join!(working, watching); } => {}
            () = tokio::time::sleep(Duration::from_secs(3_600)) => panic!("it never came"),
        }
    });
}

fn sale() -> Vec<Delivery> {
    vec![
        created(1),
        issued(1, 1..=3),
        issued(1, 4..=1_205),
        issued(1, 1_206..=1_300),
    ]
}

#[test]
fn an_entry_is_published_and_stays_until_the_store_has_it() {
    let stream = Stream::of(&sale());
    let feed = Arc::new(Feed::default());
    *feed.failures.lock().unwrap() = 5;
    run(async {
        let (bell, told) = stop();
        let books = Books::of(Part::PUBLISH);
        let clock = ManualClock::at(START);
        let publishing = Publishing::new(Arc::clone(&feed) as _);
        let working = persist(stream.as_ref(), &publishing, 5, &clock, &books, &told);
        let watching = async {
            while !stream.is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            bell.send(true).unwrap();
        };
        tokio::join!(working, watching);
        assert!(
            books
                .text()
                .unwrap()
                .contains("firstcome_worker_publish_written_total 1301")
        );
    });
    assert_eq!(*feed.published.lock().unwrap(), sale());
    // The other group of the same stream.
    let stream = Stream::of(&sale());
    let (store, clock) = (Arc::new(Store::default()), Arc::new(ManualClock::at(START)));
    let published = feed.published.lock().unwrap().clone();
    confirm(
        &stream,
        &store,
        &clock,
        async |store| {
            tokio::time::sleep(Duration::from_secs(600)).await;
            assert!(stream.done.lock().unwrap().is_empty(), "published is not stored");
            // All but one issue arrive by the feed.
            let (last, rest) = published.split_last().unwrap();
            let mut short = last.clone();
            let late = short.records.pop().unwrap();
            store.inner.deliver(rest).await.unwrap();
            store.inner.deliver(&[short]).await.unwrap();
            tokio::time::sleep(Duration::from_secs(600)).await;
            assert!(stream.done.lock().unwrap().is_empty(), "one is still on its way");
            let late = Delivery {
                records: vec![late],
                ..last.clone()
            };
            store.inner.deliver(&[late]).await.unwrap();
        },
        || stream.is_empty(),
    );
    assert_eq!(*store.calls.lock().unwrap(), 0, "nothing was brought twice");
    assert_eq!(stream.done.lock().unwrap().len(), 4);
}

#[test]
fn what_the_feed_does_not_bring_in_time_is_brought_directly() {
    let stream = Stream::of(&sale());
    let (store, clock) = (Arc::new(Store::default()), Arc::new(ManualClock::at(START)));
    confirm(
        &stream,
        &store,
        &clock,
        async |store| {
            tokio::time::sleep(Duration::from_secs(600)).await;
            assert_eq!(*store.calls.lock().unwrap(), 0, "its time has not come");
            clock.shift(i64::try_from(PATIENCE.as_micros()).unwrap());
        },
        || stream.is_empty(),
    );
    assert_eq!(stored(&store, 1), 1_300);
    assert!(stream.aside.lock().unwrap().is_empty());
}

#[test]
fn an_issue_of_another_user_at_the_same_position_does_not_count_as_there() {
    let stream = Stream::of(&[issued(1, 1..=2)]);
    let (store, clock) = (Arc::new(Store::default()), Arc::new(ManualClock::at(START)));
    confirm(
        &stream,
        &store,
        &clock,
        async |store| {
            let mut other = issued(1, 1..=2);
            other.records.swap(0, 1);
            for (record, position) in other.records.iter_mut().zip(1..) {
                if let coupon_app::Record::Issued(issued) = record {
                    issued.grant.position = coupon_core::Position::new(position).unwrap();
                }
            }
            store.inner.deliver(&[created(1), other]).await.unwrap();
            tokio::time::sleep(Duration::from_secs(600)).await;
            assert!(stream.done.lock().unwrap().is_empty());
            clock.shift(i64::try_from(PATIENCE.as_micros()).unwrap());
        },
        || stream.is_empty(),
    );
    assert_eq!(
        store_quarantine(&store),
        2,
        "the store is asked to judge, and keeps what contradicts it"
    );
}

fn store_quarantine(store: &Store) -> usize {
    let mut count = 0;
    run(async { count = store.inner.quarantine(0, 10).await.unwrap().len() });
    count
}

#[test]
fn told_to_stop_it_does_not_wait_for_the_feed() {
    let stream = Stream::of(&sale());
    let store = Arc::new(Store::default());
    let clock = Arc::new(ManualClock::at(START));
    run(async {
        let (bell, told) = stop();
        let confirming = Confirming::new(
            Arc::clone(&store) as Arc<dyn DeliveryStore>,
            Arc::new(store.inner.clone()) as Arc<dyn LedgerMarks>,
            Arc::clone(&clock) as _,
            PATIENCE,
            told.clone(),
        );
        let books = Books::of(Part::CONFIRM);
        let working = persist(
            stream.as_ref(),
            &confirming,
            10_000,
            clock.as_ref(),
            &books,
            &told,
        );
        let watching = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            bell.send(true).unwrap();
        };
        tokio::join!(working, watching);
    });
    assert!(stream.is_empty(), "what was in hand is done");
    assert_eq!(stored(&store, 1), 1_300);
}

#[test]
fn the_counts_of_all_parts_are_one_text() {
    let parts = [Part::PUBLISH, Part::PERSIST, Part::CONFIRM].map(Books::of);
    let text = Books::text_of(&parts.each_ref()).unwrap();
    for part in [Part::PUBLISH, Part::PERSIST, Part::CONFIRM] {
        let line = format!("{}_lag_entries 0", part.prefix);
        assert_eq!(text.lines().filter(|it| **it == line).count(), 1, "{text}");
    }
    assert_eq!(text.matches("# EOF").count(), 1, "{text}");
    assert!(text.ends_with("# EOF\n"));
}
