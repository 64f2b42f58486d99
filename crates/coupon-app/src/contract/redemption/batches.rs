//! Many requests in one transaction.

use super::exam::{Told, all_told, cancel, redeem, revoke};
use super::{RedemptionExam, RedemptionHarness};
use crate::RedemptionRequest;

pub fn a_batch_is_decided_in_order_each_on_what_the_ones_before_left(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 2, async |exam| {
        let requests = vec![
            redeem(1, "a", 20_000),
            redeem(1, "b", 20_000),
            redeem(2, "a", 20_000),
            cancel(1, "a"),
            redeem(1, "b", 20_000),
            redeem(1, "b", 20_000),
            cancel(1, "a"),
            revoke(2),
            cancel(1, "b"),
            redeem(1, "c", 20_000),
        ];
        let told = all_told(&exam.ask(1, requests).await);
        use Told::{AlreadyRedeemed, New, Replay};
        assert_eq!(
            told,
            [New, AlreadyRedeemed, New, New, New, Replay, Replay, New, New, New]
        );
        let steps = (exam.history(1).await.len(), exam.history(2).await.len());
        assert_eq!(steps, (5, 2));
    });
}

pub fn a_great_many_are_redeemed_at_once(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 1_500, async |exam| {
        let every = |name: &str, step: usize| -> Vec<RedemptionRequest> {
            (1..=1_500)
                .step_by(step)
                .map(|position| redeem(position, name, 20_000))
                .collect()
        };
        let told = all_told(&exam.ask(1, every("a", 1)).await);
        assert!(told.iter().all(|told| *told == Told::New));
        assert_eq!(exam.tally(2).await.redeemed, 1_500);
        let cancellations: Vec<RedemptionRequest> = (1..=1_500)
            .step_by(3)
            .map(|position| cancel(position, "a"))
            .collect();
        exam.ask(2, cancellations).await;
        let told = all_told(&exam.ask(3, every("b", 2)).await);
        let new = told.iter().filter(|told| **told == Told::New).count();
        assert_eq!((new, told.len()), (250, 750), "every sixth was free again");
        let tally = exam.tally(4).await;
        assert_eq!((tally.redeemed, tally.cancelled), (1_250, 500));
    });
}

pub fn a_batch_of_refusals_changes_nothing(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 2, async |exam| {
        exam.one(1, redeem(1, "a", 20_000)).await;
        let before = exam.everything().await;
        let requests = vec![
            redeem(1, "b", 20_000),
            cancel(2, "a"),
            redeem(2, "a", 1),
            redeem(9, "a", 20_000),
        ];
        let told = all_told(&exam.ask(2, requests).await);
        assert_eq!(
            told,
            [
                Told::AlreadyRedeemed,
                Told::NotRedeemed,
                Told::Below,
                Told::Unknown
            ]
        );
        assert_eq!(exam.everything().await, before);
    });
}

pub fn an_empty_batch_is_nothing(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 1, async |exam| {
        assert_eq!(exam.ask(1, Vec::new()).await, []);
        assert_eq!(exam.history(1).await, []);
    });
}
