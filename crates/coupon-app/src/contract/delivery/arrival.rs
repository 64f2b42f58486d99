//! Arrival: once, in any order, as it was decided.

use super::exam::{delivery, issue, revision};
use super::{DeliveryExam, DeliveryHarness};
use crate::contract::{at, coupon_id, terms, user};
use crate::{Delivered, Delivery, Record, RevisedRecord, Suspicion};
use coupon_core::{Coupon, UserId, Window};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use std::cell::RefCell;

fn numbered(count: u32) -> Vec<(u32, UserId)> {
    (1..=count)
        .map(|n| (n, user(usize::try_from(n).unwrap())))
        .collect()
}

fn issues(positions: std::ops::RangeInclusive<u32>) -> Vec<Record> {
    let one = |n: u32| issue(coupon_id(1), &user(usize::try_from(n).unwrap()), n);
    positions.map(one).collect()
}

pub fn what_was_delivered_is_there_as_it_was_decided(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        let id = coupon_id(1);
        let mut records = vec![revision(id, 1, 9, 0)];
        records.extend(issues(1..=4));
        let delivered = exam.deliver(&[delivery(id, records.clone())]).await;
        let expected = Delivered {
            written: 4,
            ..Delivered::default()
        };
        assert_eq!(delivered, expected);
        let (mark, found) = exam.whole(id).await;
        assert_eq!(
            found.into_iter().map(Record::Issued).collect::<Vec<_>>(),
            records[1..]
        );
        let mark = mark.unwrap();
        assert_eq!(
            (mark.epoch, mark.identity, mark.highest, mark.issued),
            (1, None, 4, 4)
        );
        assert_eq!(mark.coupon.terms, terms(9));
        let page = exam.intake().marks.records(id, 1, 2).await.unwrap();
        let positions: Vec<u32> = page.iter().map(|one| one.grant.position.get()).collect();
        assert_eq!(positions, [2, 3]);
    });
}

pub fn a_delivery_counts_once_however_often_it_comes(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        let id = coupon_id(1);
        let mut records = vec![revision(id, 1, 3, 0)];
        records.extend(issues(1..=3));
        let one = delivery(id, records);
        exam.deliver(std::slice::from_ref(&one)).await;
        let before = exam.everything().await;
        for times in 1..=3 {
            let again = vec![one.clone(); times];
            let delivered = exam.deliver(&again).await;
            let expected = Delivered {
                redelivered: 4 * u64::try_from(times).unwrap(),
                ..Delivered::default()
            };
            assert_eq!(delivered, expected, "though the quantity is used up");
            assert_eq!(exam.everything().await, before);
            exam.crash().await;
        }
        assert_eq!(exam.deliver(&[]).await, Delivered::default());
    });
}

pub fn an_old_revision_changes_nothing(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        let id = coupon_id(1);
        for (revised, count) in [(3, 30), (1, 10), (2, 20), (3, 30)] {
            exam.deliver(&[delivery(id, vec![revision(id, revised, count, 0)])])
                .await;
            let mark = exam.whole(id).await.0.unwrap();
            assert_eq!((mark.coupon.revision, mark.coupon.terms), (3, terms(30)));
        }
    });
}

pub fn an_issue_that_overtakes_its_coupon_is_taken_in_when_it_comes(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        let id = coupon_id(1);
        let delivered = exam.deliver(&[delivery(id, issues(2..=3))]).await;
        assert_eq!((delivered.written, delivered.quarantined), (0, 2));
        assert_eq!(exam.suspicions().await, [Suspicion::UnknownCoupon; 2]);
        exam.crash().await;
        let again = exam.deliver(&[delivery(id, issues(2..=2))]).await;
        assert_eq!((again.redelivered, again.quarantined), (1, 0), "it is there once");
        let delivered = exam.deliver(&[delivery(id, vec![revision(id, 1, 5, 0)])]).await;
        assert_eq!((delivered.written, delivered.released), (2, 2));
        exam.deliver(&[delivery(id, issues(1..=1))]).await;
        assert_eq!(exam.holders(id).await, numbered(3));
        assert_eq!(exam.quarantine().await, []);
    });
}

pub fn issues_that_overtake_a_raise_are_taken_in_by_position_when_it_comes(
    harness: &mut dyn DeliveryHarness,
) {
    DeliveryExam::sit(harness, async |exam| {
        let id = coupon_id(1);
        let mut first = vec![revision(id, 1, 2, 0)];
        first.extend(issues(1..=2));
        exam.deliver(&[delivery(id, first)]).await;
        for late in [5, 3, 4] {
            exam.deliver(&[delivery(id, issues(late..=late))]).await;
        }
        assert_eq!(exam.suspicions().await, [Suspicion::QuantityExceeded; 3]);
        exam.crash().await;
        let delivered = exam.deliver(&[delivery(id, vec![revision(id, 2, 4, 2)])]).await;
        assert_eq!((delivered.written, delivered.released), (2, 2));
        assert_eq!(exam.holders(id).await, numbered(4), "the lower positions first");
        assert_eq!(exam.suspicions().await, [Suspicion::QuantityExceeded]);
        exam.deliver(&[delivery(id, vec![revision(id, 3, 9, 4)])]).await;
        assert_eq!(exam.holders(id).await, numbered(5));
        assert_eq!(exam.quarantine().await, []);
    });
}

pub fn a_window_that_has_closed_undoes_nothing(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        let id = coupon_id(1);
        let mut wanted = terms(5);
        wanted.window = Window::new(at(-9), at(-8)).unwrap();
        let over = Record::Revised(Box::new(RevisedRecord {
            coupon: Coupon {
                id,
                revision: 1,
                terms: wanted,
                paused: true,
                closed_at: Some(at(-9)),
                deleted: true,
                created_at: at(-10),
                revised_at: at(-9),
            },
            issued: 0,
            lost: 0,
            actor: "key-1".into(),
            token: None,
        }));
        exam.deliver(&[delivery(id, vec![over])]).await;
        let delivered = exam.deliver(&[delivery(id, issues(1..=2))]).await;
        assert_eq!(delivered.written, 2);
    });
}

pub fn a_great_delivery_is_taken_in_at_once(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        let id = coupon_id(1);
        let long = |n: u32| {
            let text = format!("{n}-{}", "x".repeat(usize::try_from(n % 120).unwrap()));
            UserId::parse(text).unwrap()
        };
        let mut records = vec![revision(id, 1, 0, 0)];
        records.extend((1..=6_000).map(|n| issue(id, &long(n), n)));
        let delivered = exam.deliver(&[delivery(id, records.clone())]).await;
        assert_eq!((delivered.written, delivered.quarantined), (6_000, 0));
        let again = exam.deliver(&[delivery(id, records)]).await;
        assert_eq!((again.written, again.redelivered), (0, 6_001));
    });
}

/// A sound history in the order of decision: creation, issues, and raises that were needed for what follows.
fn history() -> BoxedStrategy<Vec<Record>> {
    prop::collection::vec((0..6_u32, 0..4_u32), 1..8)
        .prop_map(|steps| {
            let id = coupon_id(1);
            let mut count = 0;
            let mut history = Vec::new();
            for ((issued, spare), revised) in steps.into_iter().zip(1..) {
                // Room for what is issued under it and a little more; the next revision may lower it again.
                history.push(revision(id, revised, count + issued + spare + 1, count));
                history.extend(issues(count + 1..=count + issued));
                count += issued;
            }
            history
        })
        .boxed()
}

/// That history cut into entries, each one to five times, shuffled, and handed over in calls of a few.
fn arrivals() -> BoxedStrategy<(Vec<Record>, Vec<Vec<Delivery>>)> {
    (history(), prop::collection::vec((1..4_usize, 1..=5_usize), 1..24))
        .prop_flat_map(|(history, cuts)| {
            let mut entries = Vec::new();
            let mut rest = history.as_slice();
            for (length, times) in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (entry, later) = rest.split_at(rest.len().min(*length));
                rest = later;
                let entry = delivery(coupon_id(1), entry.to_vec());
                entries.extend(vec![entry; *times]);
            }
            (Just(history), Just(entries).prop_shuffle(), 1..4_usize)
        })
        .prop_map(|(history, entries, at_once)| {
            let calls = entries.chunks(at_once).map(<[Delivery]>::to_vec).collect();
            (history, calls)
        })
        .boxed()
}

pub fn in_any_order_and_any_number_of_times_a_sound_ledger_is_whole_in_the_end(
    harness: &mut dyn DeliveryHarness,
) {
    let config = Config {
        cases: harness.schedules(),
        max_shrink_iters: 512,
        failure_persistence: None,
        ..Config::default()
    };
    let harness = RefCell::new(harness);
    let outcome = TestRunner::new(config).run(&arrivals(), |(history, calls)| {
        DeliveryExam::sit(&mut **harness.borrow_mut(), async |exam| {
            for call in &calls {
                exam.deliver(call).await;
            }
            exam.crash().await;
            let (mark, records) = exam.whole(coupon_id(1)).await;
            let (revisions, issued): (Vec<_>, Vec<_>) = history
                .iter()
                .cloned()
                .partition(|one| matches!(one, Record::Revised(_)));
            assert_eq!(
                records.into_iter().map(Record::Issued).collect::<Vec<_>>(),
                issued
            );
            let Some(Record::Revised(last)) = revisions.last() else {
                panic!("a history begins with one")
            };
            assert_eq!(mark.unwrap().coupon, last.coupon);
            assert_eq!(
                exam.quarantine().await,
                [],
                "nothing of a sound ledger is suspect in the end"
            );
        });
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, arrived)) => panic!("{reason}\nsmallest schedule: {arrived:#?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}
