//! The mirror: random schedules run on the examined store and on the reference at the same time. Every answer and
//! everything that can be read must be the same in both.

use super::exam::{Everything, VALID_US, cancel, redeem, revoke, under};
use super::{RedemptionExam, RedemptionHarness};
use crate::contract::store::coupon;
use crate::contract::{ReferenceStoreHarness, coupon_id, terms, token, user};
use crate::{RedemptionOutcome, RedemptionRequest};
use coupon_core::{Actor, Coupon, Discount};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use std::cell::RefCell;

/// One step of a schedule.
#[derive(Clone, Debug)]
enum Step {
    /// At so many microseconds after the start.
    Batch(i64, Vec<RedemptionRequest>),
    /// So many more issues.
    Issue(u32),
    /// A new revision with another discount.
    Revise(Option<Discount>, u64),
    Crash,
}

fn steps() -> BoxedStrategy<Vec<Step>> {
    let clock = prop_oneof![0..50_i64, VALID_US - 3..VALID_US + 3, -9..9_i64];
    let step = prop_oneof![
        8 => (clock, prop::collection::vec(request(), 1..16)).prop_map(|(micros, batch)| Step::Batch(micros, batch)),
        2 => (1..4_u32).prop_map(Step::Issue),
        1 => (discount(), prop_oneof![Just(0), Just(20_000)]).prop_map(|(discount, least)| Step::Revise(discount, least)),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..24).boxed()
}

fn discount() -> BoxedStrategy<Option<Discount>> {
    prop_oneof![
        Just(None),
        (1..30_000_u64).prop_map(|value| Some(Discount::Amount { value })),
        (1..=100_u8, proptest::option::of(1..3_000_u64))
            .prop_map(|(value, max_amount)| Some(Discount::Percent { value, max_amount })),
    ]
    .boxed()
}

fn request() -> BoxedStrategy<RedemptionRequest> {
    let name = || prop::sample::select(vec!["a", "b", "c"]);
    let units = prop_oneof![4 => Just(20_000), 1 => 0..40_000_u64];
    let action = prop_oneof![
        6 => (1..7_u32, name(), units).prop_map(|(position, name, units)| redeem(position, name, units)),
        5 => (1..7_u32, name()).prop_map(|(position, name)| cancel(position, name)),
        1 => (1..7_u32).prop_map(revoke),
    ];
    let tokens = prop_oneof![
        3 => Just(None),
        1 => (0..4_u8, 0..2_u8).prop_map(|(scope, payload)| token(scope, payload)),
    ];
    (action, tokens, proptest::option::weighted(0.3, 1..7_usize))
        .prop_map(|(request, token, by)| match by {
            None => under(token, request),
            Some(who) => RedemptionRequest {
                user: Some(user(who)),
                actor: Actor::Holder,
                ..under(token, request)
            },
        })
        .boxed()
}

/// What both are asked to do; one for each of the two.
struct Side<'h> {
    exam: RedemptionExam<'h>,
    issued: u32,
    revision: u32,
}

impl<'h> Side<'h> {
    async fn begin(harness: &'h mut dyn RedemptionHarness) -> Self {
        let exam = RedemptionExam::begin(harness).await;
        exam.publish(coupon(coupon_id(1), terms(0))).await;
        exam.issue(1, 1..=2).await;
        Self {
            exam,
            issued: 2,
            revision: 1,
        }
    }

    async fn take(&mut self, step: &Step) -> Vec<RedemptionOutcome> {
        match step {
            Step::Batch(micros, requests) => return self.exam.ask(*micros, requests.clone()).await,
            Step::Issue(more) => {
                self.exam.issue(1, self.issued + 1..=self.issued + more).await;
                self.issued += more;
            }
            Step::Revise(discount, least) => {
                self.revision += 1;
                let mut next = Coupon {
                    revision: self.revision,
                    ..coupon(coupon_id(1), terms(0))
                };
                next.terms.discount = *discount;
                next.terms.min_order_amount = *least;
                self.exam.publish(next).await;
            }
            Step::Crash => self.exam.crash().await,
        }
        Vec::new()
    }

    async fn state(&self) -> (Vec<Everything>, crate::StoreTally) {
        (self.exam.everything().await, self.exam.tally(VALID_US / 2).await)
    }
}

async fn hold_up_the_mirror(harness: &mut dyn RedemptionHarness, schedule: &[Step]) {
    let mut reference = ReferenceStoreHarness::new();
    let mut image = Side::begin(&mut reference).await;
    let mut side = Side::begin(harness).await;
    for step in schedule.iter().chain([&Step::Crash]) {
        let expected = image.take(step).await;
        let told = side.take(step).await;
        for (index, (told, expected)) in told.iter().zip(&expected).enumerate() {
            assert_eq!(told, expected, "answer {index} of {step:?}");
        }
        assert_eq!(side.state().await, image.state().await, "after {step:?}");
    }
}

pub fn every_schedule_goes_as_it_goes_in_the_reference(harness: &mut dyn RedemptionHarness) {
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
