//! Ends and beginnings: closing, opening on nothing, and crashes one after the other.

use super::{Carried, Exam, LedgerHarness, ask, order};
use crate::contract::{coupon_id, terms, user};
use crate::{Health, LedgerError, Look, Request};
use coupon_core::{Command, Outcome};

pub fn a_fresh_ledger_is_ready_and_knows_nothing(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        assert_eq!(exam.ledger().health(), Health::Ready);
        exam.made_entries(0);
        assert!(exam.board().list(None, 9).is_empty());
        exam.crash(stage).await;
        exam.made_entries(0);
        assert_eq!(exam.create(terms(1)).await, coupon_id(1));
    });
}

pub fn a_closed_ledger_is_unavailable_and_has_lost_nothing(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(2)).await;
        let grant = exam.wins(coupon, &user(1)).await;
        exam.carry(stage).await;
        exam.ledger().close().await.unwrap();
        let mut requests = vec![
            ask(coupon, &user(2), None),
            ask(coupon, &user(1), None),
            Request::Command(Box::new(order(Some(coupon), Command::Pause))),
            Request::Look(Box::new(Look::Coupon(coupon))),
        ];
        let mut answers = Vec::new();
        exam.ledger().commit(&mut requests, &mut answers).await;
        assert_eq!((requests.len(), answers.len()), (0, 4));
        for answer in answers {
            assert!(matches!(answer, Err(LedgerError::Unavailable(_))), "{answer:?}");
        }
        exam.power_cut().await;
        let same_key = false;
        assert_eq!(
            exam.issue(coupon, &user(1)).await,
            Outcome::AlreadyIssued { grant, same_key }
        );
        assert_eq!(exam.wins(coupon, &user(2)).await.position.get(), 2);
    });
}

pub fn crash_follows_crash_and_nothing_is_lost_or_doubled(harness: &mut dyn LedgerHarness) {
    Exam::sit(harness, async |exam| {
        let mut asked = 0;
        for round in 0..12 {
            if round % 3 == 0 {
                exam.create(terms(9)).await;
            }
            for id in 1..=round / 3 + 1 {
                let coupon = coupon_id(id);
                exam.issues(vec![ask(coupon, &user(asked), None), ask(coupon, &user(0), None)])
                    .await;
                asked += 1;
            }
            let stage = Carried::STAGES[asked % 4];
            exam.crash(stage).await;
            exam.crash(Carried::Nothing).await;
        }
        let counts: Vec<u32> = exam
            .everything()
            .await
            .into_iter()
            .map(|(_, issued, _)| issued)
            .collect();
        assert_eq!(counts, [9, 9, 7, 4]);
    });
}

pub fn a_crash_after_refusals_only_leaves_everything_as_it_was(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(1)).await;
        exam.wins(coupon, &user(1)).await;
        for round in 0..3 {
            assert_eq!(
                exam.issue(coupon, &user(2)).await,
                Outcome::SoldOut,
                "round {round}"
            );
            exam.crash(stage).await;
        }
        exam.made_entries(2);
    });
}

pub fn a_large_batch_is_committed_whole(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(3_000)).await;
        // Ids of every length, so that records end at every offset.
        let long = |n: usize| {
            let text = format!("{n}-{}", "x".repeat(n % 120));
            coupon_core::UserId::parse(text).unwrap()
        };
        let crowd = (0..crate::limits::MAX_BATCH).map(|n| ask(coupon, &long(n), None));
        let outcomes = exam.issues(crowd.collect()).await;
        assert!(
            outcomes[..3_000]
                .iter()
                .all(|one| matches!(one, Outcome::Issued(_)))
        );
        assert!(outcomes[3_000..].iter().all(|one| *one == Outcome::SoldOut));
        exam.crash(stage).await;
        exam.made_entries(2);
    });
}
