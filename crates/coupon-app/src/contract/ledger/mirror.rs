//! The mirror: random schedules run on the examined ledger and on the reference at the same time. Every answer, every
//! entry and the whole state must be the same in both.

use super::{Carried, Exam, LedgerHarness, ask, change, order};
use crate::contract::scene::CLOSING_US;
use crate::contract::{ReferenceHarness, at, coupon_id, key, quantity, terms, token, user};
use crate::{CommandRequest, Entry, Look, Request};
use coupon_core::{Command, Coupon, Discount, Grant, Span, TermsChange, UserId, Validity, Window};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use std::cell::RefCell;

/// One step of a schedule.
#[derive(Clone, Debug)]
enum Step {
    Batch(Vec<Request>),
    /// Moves the clock by so many microseconds.
    Clock(i64),
    Carry(Carried),
    Crash(Carried),
    /// Closes before the power goes: an orderly stop.
    Stop(Carried),
}

fn steps() -> BoxedStrategy<Vec<Step>> {
    let step = prop_oneof![
        8 => prop::collection::vec(request(), 1..24).prop_map(Step::Batch),
        2 => clock().prop_map(Step::Clock),
        2 => carried().prop_map(Step::Carry),
        2 => carried().prop_map(Step::Crash),
        1 => carried().prop_map(Step::Stop),
    ];
    prop::collection::vec(step, 1..32).boxed()
}

fn carried() -> BoxedStrategy<Carried> {
    prop::sample::select(Carried::STAGES.to_vec()).boxed()
}

/// Small steps, to the edges of the windows and back. A whole schedule stays within the life of a token.
fn clock() -> BoxedStrategy<i64> {
    prop_oneof![
        -3..=3_i64,
        -2_000_000..2_000_000_i64,
        Just(CLOSING_US / 4),
        Just(-CLOSING_US / 4),
        Just(CLOSING_US),
    ]
    .boxed()
}

fn request() -> BoxedStrategy<Request> {
    prop_oneof![
        12 => (1..6_u32, 0..14_usize, 0..3_u64)
            .prop_map(|(coupon, who, same)| {
                ask(coupon_id(coupon), &user(who), if same == 0 { None } else { key(same) })
            }),
        3 => command().prop_map(|command| Request::Command(Box::new(command))),
        2 => look().prop_map(|look| Request::Look(Box::new(look))),
    ]
    .boxed()
}

fn look() -> BoxedStrategy<Look> {
    prop_oneof![
        (1..6_u32).prop_map(|id| Look::Coupon(coupon_id(id))),
        (1..6_u32, 0..8_u32, 0..5_usize).prop_map(|(id, after, limit)| {
            let coupon = coupon_id(id);
            Look::Positions { coupon, after, limit }
        }),
        (0..14_usize, prop::collection::vec(1..6_u32, 0..5)).prop_map(|(who, ids)| {
            let coupons = ids.into_iter().map(coupon_id).collect();
            let user = user(who);
            Look::Holder { user, coupons }
        }),
    ]
    .boxed()
}

fn command() -> BoxedStrategy<CommandRequest> {
    let if_match = prop_oneof![3 => Just(None), 1 => (1..4_u32).prop_map(Some)];
    let under = prop_oneof![2 => Just(None), 1 => (0..3_u8, 0..2_u8).prop_map(|(scope, payload)| token(scope, payload))];
    (order_of_some_kind(), if_match, under)
        .prop_map(|(order, if_match, token)| CommandRequest {
            if_match,
            token,
            ..order
        })
        .boxed()
}

fn order_of_some_kind() -> BoxedStrategy<CommandRequest> {
    let to_one = prop_oneof![
        Just(Command::Pause),
        Just(Command::Resume),
        Just(Command::Resume),
        Just(Command::Delete),
        Just(Command::Close),
        a_change(),
        a_change(),
        a_change(),
    ];
    prop_oneof![
        2 => a_creation().prop_map(|command| order(None, command)),
        5 => (1..6_u32, to_one).prop_map(|(id, command)| order(Some(coupon_id(id)), command)),
    ]
    .boxed()
}

fn a_creation() -> BoxedStrategy<Command> {
    let opens_in = prop_oneof![3 => Just(0), 1 => 1_000_000..3_000_000_i64];
    (0..8_u32, opens_in, any::<bool>())
        .prop_map(|(count, opens_in, named)| {
            let mut wanted = terms(count);
            wanted.window = Window::new(at(opens_in), at(CLOSING_US)).unwrap();
            if !named && count == 7 {
                wanted.name = "".into();
            }
            Command::Create(Box::new(wanted))
        })
        .boxed()
}

fn a_change() -> BoxedStrategy<Command> {
    let one = prop_oneof![
        4 => (0..9_u32).prop_map(|count| TermsChange { quantity: Some(quantity(count)), ..TermsChange::default() }),
        1 => (-2..4_i64).prop_map(|hours| TermsChange { closes_at: Some(at(hours * CLOSING_US + 3)), ..TermsChange::default() }),
        1 => (0..3_000_000_i64).prop_map(|in_us| TermsChange { opens_at: Some(at(in_us)), ..TermsChange::default() }),
        1 => (0..9_i64).prop_map(|us| TermsChange {
            validity: Some(Validity::For(Span::from_micros(us).unwrap())),
            ..TermsChange::default()
        }),
        1 => "[a-z]{0,3}".prop_map(|name| TermsChange { name: Some(name), ..TermsChange::default() }),
        1 => (0..2_u64).prop_map(|value| TermsChange {
            discount: Some((value > 0).then_some(Discount::Amount { value })),
            show_remaining: Some(value > 0),
            ..TermsChange::default()
        }),
    ];
    one.prop_map(|wanted| change(|it| *it = wanted)).boxed()
}

/// Everything about a ledger and its outbox.
type State = (Vec<(Coupon, u32, Vec<(UserId, Grant)>)>, Vec<Entry>);

/// The entries only if both hand them on.
async fn state(exam: &Exam<'_>, handed_on: bool) -> State {
    let mut entries = Vec::new();
    if handed_on {
        let applied = exam.store().applied().await.unwrap();
        entries = exam.entries_after(applied).await;
    }
    (exam.everything().await, entries)
}

async fn take(exam: &mut Exam<'_>, step: &Step) -> Vec<crate::Reply> {
    match step {
        Step::Batch(requests) => return exam.batch(requests.clone()).await,
        Step::Clock(micros) => exam.clock().shift(*micros),
        Step::Carry(stage) => exam.carry(*stage).await,
        Step::Crash(stage) => exam.crash(*stage).await,
        Step::Stop(stage) => {
            exam.carry(*stage).await;
            exam.ledger().close().await.unwrap();
            exam.power_cut().await;
        }
    }
    Vec::new()
}

/// Every schedule begins with something to ask for.
fn prologue() -> Step {
    let create = |count| {
        let command = Command::Create(Box::new(terms(count)));
        Request::Command(Box::new(order(None, command)))
    };
    Step::Batch(vec![create(3), create(0)])
}

async fn hold_up_the_mirror(harness: &mut dyn LedgerHarness, schedule: &[Step]) {
    let mut reference = ReferenceHarness::new();
    let mut image = Exam::begin(&mut reference).await;
    let mut exam = Exam::begin(harness).await;
    let handed_on = exam.hands_on();
    for step in std::iter::once(&prologue()).chain(schedule) {
        let expected = take(&mut image, step).await;
        let told = take(&mut exam, step).await;
        assert_eq!(told.len(), expected.len());
        for (index, (told, expected)) in told.iter().zip(&expected).enumerate() {
            assert_eq!(told, expected, "answer {index} of {step:?}");
        }
        assert_eq!(
            state(&exam, handed_on).await,
            state(&image, handed_on).await,
            "after {step:?}"
        );
    }
    let last = Step::Crash(Carried::All);
    take(&mut image, &last).await;
    take(&mut exam, &last).await;
    assert_eq!(state(&exam, handed_on).await, state(&image, handed_on).await);
}

pub fn every_schedule_goes_as_it_goes_in_the_reference(harness: &mut dyn LedgerHarness) {
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
