//! The mirror: random deliveries, sound or not, go into the examined store and into the reference at the same time.
//! Every count, every row and everything in quarantine must be the same in both.

use super::exam::{in_epoch, issue, revision};
use super::{DeliveryExam, DeliveryHarness};
use crate::contract::{ReferenceDeliveryHarness, coupon_id, user};
use crate::{Delivered, Delivery, Quarantined, Record};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use std::cell::RefCell;

#[derive(Clone, Debug)]
enum Step {
    Deliver(Vec<Delivery>),
    Raise(u32, u32),
    Crash,
}

fn record(number: u32) -> BoxedStrategy<Record> {
    let id = coupon_id(number);
    prop_oneof![
        6 => (0..6_usize, 1..7_u32).prop_map(move |(who, position)| issue(id, &user(who), position)),
        1 => (1..6_u32, 1..7_u32).prop_map(move |(revised, count)| revision(id, revised, count, 0)),
    ]
    .boxed()
}

fn steps() -> BoxedStrategy<Vec<Step>> {
    let one = (1..3_u32, prop_oneof![5 => Just(1_u32), 1 => Just(2_u32)]).prop_flat_map(|(number, epoch)| {
        prop::collection::vec(record(number), 1..8)
            .prop_map(move |records| in_epoch(epoch, coupon_id(number), records))
    });
    let step = prop_oneof![
        8 => prop::collection::vec(one, 1..4).prop_map(Step::Deliver),
        1 => (1..3_u32, 1..3_u32).prop_map(|(number, from)| Step::Raise(number, from)),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..12).boxed()
}

async fn take(exam: &mut DeliveryExam<'_>, step: &Step) -> Delivered {
    match step {
        // One call per delivery: calls may take the coupons of one call in an order of their own.
        Step::Deliver(deliveries) => {
            let mut sum = Delivered::default();
            for one in deliveries {
                let delivered = exam.deliver(std::slice::from_ref(one)).await;
                sum.written += delivered.written;
                sum.redelivered += delivered.redelivered;
                sum.quarantined += delivered.quarantined;
                sum.released += delivered.released;
            }
            return sum;
        }
        Step::Raise(number, from) => {
            exam.intake()
                .marks
                .raise_epoch(coupon_id(*number), *from, 0)
                .await
                .unwrap();
        }
        Step::Crash => exam.crash().await,
    }
    Delivered::default()
}

/// Numbers may have gaps.
async fn quarantine(exam: &DeliveryExam<'_>) -> Vec<Quarantined> {
    let mut kept = exam.quarantine().await;
    for one in &mut kept {
        one.number = 0;
    }
    kept
}

async fn hold_up_the_mirror(harness: &mut dyn DeliveryHarness, schedule: &[Step]) {
    let mut reference = ReferenceDeliveryHarness::new();
    let mut image = DeliveryExam::begin(&mut reference).await;
    let mut exam = DeliveryExam::begin(harness).await;
    for step in schedule {
        assert_eq!(
            take(&mut exam, step).await,
            take(&mut image, step).await,
            "{step:?}"
        );
        assert_eq!(
            exam.everything().await,
            image.everything().await,
            "after {step:?}"
        );
        assert_eq!(
            quarantine(&exam).await,
            quarantine(&image).await,
            "after {step:?}"
        );
    }
}

pub fn every_schedule_goes_as_it_goes_in_the_reference(harness: &mut dyn DeliveryHarness) {
    let config = Config {
        cases: harness.schedules(),
        max_shrink_iters: 512,
        failure_persistence: None,
        ..Config::default()
    };
    let harness = RefCell::new(harness);
    let outcome = TestRunner::new(config).run(&steps(), |schedule| {
        crate::contract::run(hold_up_the_mirror(&mut **harness.borrow_mut(), &schedule));
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, schedule)) => panic!("{reason}\nsmallest schedule: {schedule:#?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}
