//! Deliveries are brought to the store.

use crate::yard::{Store, Stream};
use coupon_app::contract::{START, at, coupon_id, terms, user};
use coupon_app::memory::ManualClock;
use coupon_app::{Delivery, IssuedRecord, LedgerMarks, Record, RevisedRecord};
use coupon_core::{Coupon, Grant, Position};
use coupon_worker::{Books, Part, Stop, persist, stop};
use std::time::Duration;

pub(crate) fn created(number: u32) -> Delivery {
    let coupon = Coupon::create(coupon_id(number), terms(2_000), START).unwrap();
    Delivery {
        coupon: coupon.id,
        epoch: 1,
        records: vec![Record::Revised(Box::new(RevisedRecord {
            coupon,
            issued: 0,
            lost: 0,
            actor: "test".into(),
            token: None,
        }))],
    }
}

pub(crate) fn issued(number: u32, positions: std::ops::RangeInclusive<u32>) -> Delivery {
    let record = |position: u32| {
        Record::Issued(IssuedRecord {
            coupon: coupon_id(number),
            user: user(usize::try_from(position).unwrap()),
            grant: Grant {
                position: Position::new(position).unwrap(),
                issued_at: START,
                expires_at: at(1_000),
            },
            key: None,
        })
    };
    Delivery {
        coupon: coupon_id(number),
        epoch: 1,
        records: positions.map(record).collect(),
    }
}

/// Works until the stream is empty.
fn work(stream: &Stream, store: &Store, books: &Books) {
    run(async {
        let (bell, told) = stop();
        let clock = ManualClock::at(START);
        let working = persist(stream, store, 5, &clock, books, &told);
        let watching = async {
            while !stream.is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            bell.send(true).unwrap();
        };
        tokio::join!(working, watching);
    });
}

/// On a clock that runs ahead when everybody waits.
pub(crate) fn run(case: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(case);
}

pub(crate) fn stored(store: &Store, number: u32) -> u32 {
    let mut count = 0;
    run(async {
        count = store
            .inner
            .mark(coupon_id(number))
            .await
            .unwrap()
            .map_or(0, |mark| mark.issued)
    });
    count
}

#[test]
fn everything_arrives_in_any_order_and_is_called_done() {
    let stream = Stream::of(&[
        issued(1, 4..=6),
        created(2),
        issued(1, 1..=3),
        created(1),
        issued(2, 1..=9),
    ]);
    let (store, books) = (Store::default(), Books::of(Part::CARRY));
    work(&stream, &store, &books);
    assert_eq!((stored(&store, 1), stored(&store, 2)), (6, 9));
    assert_eq!(stream.done.lock().unwrap().len(), 5);
    assert!(stream.aside.lock().unwrap().is_empty());
    let text = books.text().unwrap();
    assert!(text.contains("firstcome_worker_written_total 15"), "{text}");
}

#[test]
fn nothing_is_called_done_or_set_aside_before_the_store_is_back() {
    let stream = Stream::of(&[created(1), issued(1, 1..=3)]);
    let (store, books) = (Store::default(), Books::of(Part::CARRY));
    *store.passing.lock().unwrap() = 40;
    *stream.failures.lock().unwrap() = 7;
    work(&stream, &store, &books);
    assert_eq!(stored(&store, 1), 3);
    assert!(*store.calls.lock().unwrap() > 40);
    assert!(stream.aside.lock().unwrap().is_empty());
    assert!(books.reasons().iter().all(|(_, reason)| reason.is_none()));
}

#[test]
fn a_store_that_stays_away_makes_the_worker_not_ready() {
    let stream = Stream::of(&[created(1)]);
    let (store, books) = (Store::default(), Books::of(Part::CARRY));
    *store.passing.lock().unwrap() = u32::MAX;
    run(async {
        let (bell, told) = stop();
        let clock = ManualClock::at(START);
        let working = persist(stream.as_ref(), &store, 5, &clock, &books, &told);
        let watching = async {
            while books.reasons()[0].1.is_none() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            bell.send(true).unwrap();
        };
        tokio::join!(working, watching);
    });
    assert!(
        stream.done.lock().unwrap().is_empty(),
        "nothing is stored, so nothing is done"
    );
    assert!(stream.aside.lock().unwrap().is_empty(), "it may pass");
    assert!(!stream.is_empty(), "another worker finds it");
}

#[test]
fn what_can_never_be_written_is_set_aside_and_the_rest_goes_on() {
    let stream = Stream::of(&[created(1), created(3), issued(1, 1..=3), issued(3, 1..=2)]);
    let (store, books) = (Store::default(), Books::of(Part::CARRY));
    *store.poison.lock().unwrap() = Some(coupon_id(3));
    work(&stream, &store, &books);
    assert_eq!((stored(&store, 1), stored(&store, 3)), (3, 0));
    let aside = stream.aside.lock().unwrap();
    let entries: Vec<&str> = aside.iter().map(|(ticket, _)| ticket.entry.as_ref()).collect();
    assert_eq!(entries, ["1", "3"]);
    assert!(aside.iter().all(|(_, why)| why.contains("cannot be written")));
    assert_eq!(stream.done.lock().unwrap().len(), 2);
}

#[test]
fn a_worker_that_is_told_to_stop_finishes_what_it_has_in_hand() {
    let stream = Stream::of(&[created(1), issued(1, 1..=3)]);
    let (store, books) = (Store::default(), Books::of(Part::CARRY));
    *store.passing.lock().unwrap() = 3;
    run(async {
        let (bell, told): (_, Stop) = stop();
        let clock = ManualClock::at(START);
        let working = persist(stream.as_ref(), &store, 100, &clock, &books, &told);
        let watching = async {
            while *store.calls.lock().unwrap() == 0 {
                tokio::task::yield_now().await;
            }
            bell.send(true).unwrap();
        };
        tokio::join!(working, watching);
    });
    assert_eq!(stored(&store, 1), 3);
    assert_eq!(stream.done.lock().unwrap().len(), 2);
}
