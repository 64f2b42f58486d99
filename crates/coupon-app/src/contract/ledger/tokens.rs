//! Idempotency keys on commands: the same token, the same answer.

use super::{Exam, LedgerHarness, ask, change, order};
use crate::contract::{START, coupon_id, terms, token, user};
use crate::limits::COMMAND_TOKEN_LIFE_US;
use crate::{CommandOutcome, CommandRequest, CommandToken, Reply, Request};
use coupon_core::{Command, CommandRefusal, CouponId, Validity, Window};

fn create(token: Option<CommandToken>) -> CommandRequest {
    CommandRequest {
        token,
        ..order(None, Command::Create(Box::new(long_lived())))
    }
}

/// Terms that outlive a token.
fn long_lived() -> coupon_core::Terms {
    let end = coupon_core::Timestamp::MAX;
    coupon_core::Terms {
        window: Window::new(START, end).unwrap(),
        validity: Validity::Until(end),
        ..terms(0)
    }
}

fn pause(coupon: CouponId, token: Option<CommandToken>) -> CommandRequest {
    CommandRequest {
        token,
        ..order(Some(coupon), Command::Pause)
    }
}

/// The same answer, told that it is a replay.
fn replay(outcome: &CommandOutcome) -> CommandOutcome {
    let mut outcome = outcome.clone();
    let CommandOutcome::Done { replayed, .. } = &mut outcome else {
        panic!("{outcome:?} where a command was to be done")
    };
    assert!(!*replayed, "the first answer is no replay");
    *replayed = true;
    outcome
}

pub fn the_same_token_gives_the_same_answer_and_changes_nothing_again(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let created = exam.ask_command(create(token(1, 1))).await;
        exam.wins(coupon_id(1), &user(1)).await;
        exam.clock().shift(5);
        let paused = exam.ask_command(pause(coupon_id(1), token(2, 2))).await;
        let CommandOutcome::Done {
            issued, decided_at, ..
        } = paused
        else {
            panic!("{paused:?}")
        };
        assert_eq!(issued, 1);
        exam.orders(coupon_id(1), Command::Resume).await;
        exam.wins(coupon_id(1), &user(2)).await;
        for _ in 0..2 {
            exam.clock().shift(1_000);
            let made = exam.entries_made();
            assert_eq!(exam.ask_command(create(token(1, 1))).await, replay(&created));
            assert_eq!(
                exam.ask_command(pause(coupon_id(1), token(2, 2))).await,
                replay(&paused)
            );
            assert_eq!(exam.entries_made(), made);
            exam.crash(stage).await;
        }
        let (coupon, issued) = exam.sees(coupon_id(1)).await.unwrap();
        assert_eq!((coupon.paused, coupon.revision, issued), (false, 3, 2));
        assert!(coupon.revised_at >= decided_at);
        assert_eq!(
            exam.create(terms(1)).await,
            coupon_id(2),
            "nothing was created twice"
        );
    });
}

pub fn the_same_token_within_one_batch_is_a_replay(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let request = |payload| Request::Command(Box::new(create(token(1, payload))));
        let batch = vec![
            request(1),
            ask(coupon_id(1), &user(1), None),
            request(1),
            request(2),
        ];
        let replies = exam.batch(batch).await;
        let (Reply::Command(first), Reply::Command(second)) = (&replies[0], &replies[2]) else {
            panic!("{replies:?}")
        };
        assert_eq!(**second, replay(first));
        assert_eq!(replies[3], Reply::Command(Box::new(CommandOutcome::TokenReused)));
        exam.crash(stage).await;
        assert_eq!(exam.create(terms(1)).await, coupon_id(2));
    });
}

pub fn a_token_with_another_payload_is_refused(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        exam.ask_command(create(token(1, 1))).await;
        exam.crash(stage).await;
        for request in [
            create(token(1, 2)),
            pause(coupon_id(1), token(1, 2)),
            pause(coupon_id(9), token(1, 2)),
        ] {
            assert_eq!(exam.ask_command(request).await, CommandOutcome::TokenReused);
        }
        let (coupon, _) = exam.sees(coupon_id(1)).await.unwrap();
        assert_eq!((coupon.revision, coupon.paused), (1, false));
        let other_scope = exam.ask_command(create(token(2, 1))).await;
        assert!(matches!(
            other_scope,
            CommandOutcome::Done { replayed: false, .. }
        ));
    });
}

pub fn a_token_answers_before_anything_else_is_judged(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        exam.ask_command(create(token(1, 1))).await;
        let matching = CommandRequest {
            if_match: Some(1),
            ..pause(coupon_id(1), token(2, 2))
        };
        let paused = exam.ask_command(matching.clone()).await;
        let delete = CommandRequest {
            token: token(3, 3),
            ..order(Some(coupon_id(1)), Command::Delete)
        };
        let deleted = exam.ask_command(delete.clone()).await;
        exam.crash(stage).await;
        assert_eq!(
            exam.ask_command(matching).await,
            replay(&paused),
            "though its revision is stale and the coupon gone"
        );
        assert_eq!(exam.ask_command(delete).await, replay(&deleted));
    });
}

pub fn what_was_refused_or_changed_nothing_leaves_no_token(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let early = exam.ask_command(pause(coupon_id(1), token(1, 1))).await;
        assert_eq!(early, CommandOutcome::Refused(CommandRefusal::UnknownCoupon));
        exam.ask_command(create(None)).await;
        exam.crash(stage).await;
        let unchanged = CommandRequest {
            token: token(1, 2),
            ..order(Some(coupon_id(1)), change(|_| {}))
        };
        for _ in 0..2 {
            let outcome = exam.ask_command(unchanged.clone()).await;
            assert!(
                matches!(outcome, CommandOutcome::Done { replayed: false, .. }),
                "{outcome:?}"
            );
        }
        let now = exam.ask_command(pause(coupon_id(1), token(1, 1))).await;
        assert!(
            matches!(&now, CommandOutcome::Done { replayed: false, coupon, .. } if coupon.paused),
            "{now:?}"
        );
    });
}

pub fn a_token_lives_for_a_day(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let created = exam.ask_command(create(token(1, 1))).await;
        exam.clock().shift(COMMAND_TOKEN_LIFE_US - 1);
        exam.crash(stage).await;
        assert_eq!(exam.ask_command(create(token(1, 1))).await, replay(&created));
        exam.clock().shift(1);
        let anew = exam.ask_command(create(token(1, 2))).await;
        let CommandOutcome::Done { coupon, replayed, .. } = &anew else {
            panic!("{anew:?}")
        };
        assert_eq!((coupon.id, *replayed), (coupon_id(2), false));
        exam.crash(stage).await;
        assert_eq!(
            exam.ask_command(create(token(1, 2))).await,
            replay(&anew),
            "the later use counts"
        );
        assert_eq!(
            exam.ask_command(create(token(1, 1))).await,
            CommandOutcome::TokenReused
        );
    });
}
