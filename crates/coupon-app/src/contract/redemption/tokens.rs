//! Idempotency keys: the same request again gives the answer that was given, and changes nothing.

use super::exam::{Told, after_start, all_told, cancel, redeem, revoke, told, under};
use super::{RedemptionExam, RedemptionHarness};
use crate::RedemptionOutcome;
use crate::contract::token;
use crate::limits::COMMAND_TOKEN_LIFE_US;

fn as_replay(outcome: RedemptionOutcome) -> RedemptionOutcome {
    match outcome {
        RedemptionOutcome::Done {
            issued,
            decided_at,
            replayed: false,
        } => RedemptionOutcome::Done {
            issued,
            decided_at,
            replayed: true,
        },
        RedemptionOutcome::Done { .. } | RedemptionOutcome::Refused(_) | RedemptionOutcome::TokenReused => {
            panic!("not a first answer: {outcome:?}")
        }
    }
}

pub fn the_same_token_gives_the_answer_that_the_step_was_given(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 1, async |exam| {
        let steps = [
            under(token(1, 1), redeem(1, "a", 20_000)),
            under(token(2, 1), cancel(1, "a")),
            under(token(3, 1), redeem(1, "b", 30_000)),
            under(token(4, 1), cancel(1, "b")),
        ];
        let mut answers = Vec::new();
        for (step, micros) in steps.iter().zip(1..) {
            answers.push(exam.one(micros, step.clone()).await);
        }
        exam.one(9, revoke(1)).await;
        for _ in 0..2 {
            for (step, answer) in steps.iter().zip(&answers) {
                assert_eq!(
                    exam.one(10, step.clone()).await,
                    as_replay(answer.clone()),
                    "{step:?}"
                );
            }
            exam.crash().await;
        }
        assert_eq!(exam.history(1).await.len(), 5);
    });
}

pub fn a_token_of_a_revocation_remembers_the_redemption_of_then(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 2, async |exam| {
        exam.one(1, redeem(1, "a", 20_000)).await;
        let revoked = under(token(1, 1), revoke(1));
        let first = exam.one(2, revoked.clone()).await;
        let given_back = under(token(2, 1), cancel(1, "a"));
        let second = exam.one(3, given_back.clone()).await;
        let unused = under(token(3, 1), revoke(2));
        let third = exam.one(4, unused.clone()).await;
        assert_eq!(exam.one(5, revoked).await, as_replay(first));
        assert_eq!(
            exam.one(6, given_back).await,
            as_replay(second),
            "it was revoked already then"
        );
        assert_eq!(exam.one(7, unused).await, as_replay(third));
    });
}

pub fn the_same_token_within_one_batch_is_a_replay(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 1, async |exam| {
        let first = under(token(1, 1), redeem(1, "a", 20_000));
        let back = under(token(2, 1), cancel(1, "a"));
        let outcomes = exam.ask(1, vec![first.clone(), back, first.clone(), first]).await;
        assert_eq!(
            all_told(&outcomes),
            [Told::New, Told::New, Told::Replay, Told::Replay]
        );
        assert_eq!(
            outcomes[2],
            as_replay(outcomes[0].clone()),
            "though it has been given back since"
        );
        assert_eq!(exam.history(1).await.len(), 2);
    });
}

pub fn a_token_with_another_payload_is_refused(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 2, async |exam| {
        exam.one(1, under(token(1, 1), redeem(1, "a", 20_000))).await;
        let others = vec![
            under(token(1, 2), redeem(1, "a", 20_001)),
            under(token(1, 2), cancel(1, "a")),
            under(token(2, 2), redeem(1, "a", 20_000)),
            under(token(1, 1), redeem(1, "a", 20_000)),
        ];
        let told = all_told(&exam.ask(2, others).await);
        assert_eq!(
            told,
            [Told::TokenReused, Told::TokenReused, Told::Replay, Told::Replay]
        );
        assert_eq!(exam.history(1).await.len(), 1);
    });
}

pub fn what_took_no_step_leaves_no_token(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 1, async |exam| {
        for (request, expected) in [
            (under(token(1, 1), redeem(1, "a", 1)), Told::Below),
            (under(token(1, 2), redeem(1, "a", 20_000)), Told::New),
            (under(token(2, 1), redeem(1, "a", 20_000)), Told::Replay),
            (under(token(2, 2), redeem(1, "b", 20_000)), Told::AlreadyRedeemed),
            (under(token(2, 3), cancel(1, "a")), Told::New),
            (under(token(2, 4), cancel(1, "a")), Told::TokenReused),
        ] {
            let outcome = exam.one(1, request.clone()).await;
            assert_eq!(told(&outcome), expected, "{request:?}");
        }
    });
}

pub fn a_token_lives_for_a_day(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 1, async |exam| {
        exam.one(5, under(token(1, 1), redeem(1, "a", 20_000))).await;
        let back = under(token(1, 2), cancel(1, "a"));
        let day = COMMAND_TOKEN_LIFE_US;
        assert_eq!(
            told(&exam.one(5 + day - 1, back.clone()).await),
            Told::TokenReused
        );
        exam.crash().await;
        let outcome = exam.one(5 + day, back.clone()).await;
        assert_eq!(told(&outcome), Told::New, "its day is over");
        assert_eq!(
            exam.one(5 + day + 1, back).await,
            as_replay(outcome),
            "the scope has a new token"
        );
        assert_eq!(exam.history(1).await.last().unwrap().at, after_start(5 + day));
    });
}
