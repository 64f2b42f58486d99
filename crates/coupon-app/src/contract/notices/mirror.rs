//! The mirror: random schedules run on the examined store and on the reference at the same time. What is there to be
//! told must be the same in both.

use super::NoticeHarness;
use super::exam::{DAY, NoticeExam, cancel, redeem, revoke};
use crate::contract::store::coupon;
use crate::contract::{ReferenceStoreHarness, coupon_id, terms};
use crate::{NotificationKinds, RedemptionRequest};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use std::cell::RefCell;

/// How many there are.
const QUANTITY: u32 = 12;

/// Each but the crash happens so many microseconds after the one before: what a clock that runs back does, cases say.
#[derive(Clone, Debug)]
enum Step {
    /// So many more, valid for so long.
    Issue(i64, u32, i64),
    Batch(i64, Vec<RedemptionRequest>),
    Expire(i64),
    Remind(i64, Vec<u16>),
    Announce(usize),
    Crash,
}

fn steps() -> BoxedStrategy<Vec<Step>> {
    let later = || prop_oneof![Just(0), 0..4 * DAY, (0..4_i64).prop_map(|days| days * DAY)];
    let days = prop::sample::select(vec![vec![7], vec![7, 1], vec![3], vec![]]);
    let valid = prop_oneof![Just(10 * DAY), 1..12 * DAY];
    let step = prop_oneof![
        3 => (later(), 1..6_u32, valid).prop_map(|(later, more, valid)| Step::Issue(later, more, valid)),
        4 => (later(), prop::collection::vec(request(), 1..8))
            .prop_map(|(later, batch)| Step::Batch(later, batch)),
        3 => later().prop_map(Step::Expire),
        4 => (later(), days).prop_map(|(later, days)| Step::Remind(later, days)),
        1 => (1..8_usize).prop_map(Step::Announce),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..24).boxed()
}

fn request() -> BoxedStrategy<RedemptionRequest> {
    let name = || prop::sample::select(vec!["a", "b"]);
    prop_oneof![
        6 => (1..9_u32, name()).prop_map(|(position, name)| redeem(position, name)),
        5 => (1..9_u32, name()).prop_map(|(position, name)| cancel(position, name)),
        1 => (1..9_u32).prop_map(revoke),
    ]
    .boxed()
}

struct Side<'h> {
    exam: NoticeExam<'h>,
    issued: u32,
    now: i64,
}

impl<'h> Side<'h> {
    async fn begin(harness: &'h mut dyn NoticeHarness, zone: &str) -> Self {
        let exam = NoticeExam::begin(harness, NotificationKinds::ALL).await;
        let mut terms = terms(QUANTITY);
        terms.time_zone = zone.into();
        exam.publish(coupon(coupon_id(1), terms)).await;
        Self {
            exam,
            issued: 0,
            now: 0,
        }
    }

    fn after(&mut self, micros: i64) -> i64 {
        self.now += micros;
        self.now
    }

    /// What the step wrote, where that is counted.
    async fn take(&mut self, step: &Step) -> u64 {
        match step {
            Step::Issue(later, more, valid) => {
                let now = self.after(*later);
                let more = (*more).min(QUANTITY - self.issued);
                let positions = self.issued + 1..=self.issued + more;
                self.exam.issue(positions, now, *valid).await;
                self.issued += more;
            }
            Step::Batch(later, requests) => {
                let now = self.after(*later);
                self.exam.ask(now, requests.clone()).await;
            }
            Step::Expire(later) => {
                let now = self.after(*later);
                return self.exam.expire(now).await;
            }
            Step::Remind(later, days) => {
                let now = self.after(*later);
                return self.exam.remind(days, now).await;
            }
            Step::Announce(limit) => return self.exam.announce(*limit).await,
            Step::Crash => self.exam.crash().await,
        }
        0
    }
}

async fn hold_up_the_mirror(harness: &mut dyn NoticeHarness, zone: &str, schedule: &[Step]) {
    let mut reference = ReferenceStoreHarness::new();
    let mut image = Side::begin(&mut reference, zone).await;
    let mut side = Side::begin(harness, zone).await;
    for step in schedule.iter().chain([&Step::Crash]) {
        assert_eq!(
            side.take(step).await,
            image.take(step).await,
            "written by {step:?}"
        );
        assert_eq!(
            side.exam.new_ones().await,
            image.exam.new_ones().await,
            "after {step:?}"
        );
    }
}

pub fn every_schedule_writes_what_it_writes_in_the_reference(harness: &mut dyn NoticeHarness) {
    let config = Config {
        cases: harness.schedules(),
        max_shrink_iters: 512,
        failure_persistence: None,
        ..Config::default()
    };
    let harness = RefCell::new(harness);
    let zone = prop::sample::select(vec!["Asia/Seoul", "America/New_York", "Australia/Lord_Howe"]);
    let outcome = TestRunner::new(config).run(&(zone, steps()), |(zone, schedule)| {
        crate::contract::run(hold_up_the_mirror(&mut **harness.borrow_mut(), zone, &schedule));
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, schedule)) => panic!("{reason}\nsmallest schedule: {schedule:#?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}
