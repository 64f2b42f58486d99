//! A user who asks again: with the same key, another, or none.

use super::{Exam, LedgerHarness};
use crate::contract::scene::CLOSING_US;
use crate::contract::{at, key, terms, user};
use coupon_core::{Command, KeyHash, Outcome};

pub fn only_the_same_key_makes_it_the_same_request(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(0)).await;
        // Keys that a signed or narrower column would mangle.
        let keys: Vec<Option<KeyHash>> = [1, u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 32]
            .map(key)
            .into_iter()
            .chain([None])
            .collect();
        let mut grants = Vec::new();
        for (n, first) in keys.iter().enumerate() {
            let Outcome::Issued(grant) = exam.issue_with(coupon, &user(n), *first).await else {
                panic!("the first request wins")
            };
            grants.push(grant);
        }
        for _ in 0..2 {
            for (n, first) in keys.iter().enumerate() {
                for again in &keys {
                    let same_key = again.is_some() && again == first;
                    let grant = grants[n];
                    assert_eq!(
                        exam.issue_with(coupon, &user(n), *again).await,
                        Outcome::AlreadyIssued { grant, same_key },
                        "issued with {first:?}, asked again with {again:?}"
                    );
                }
            }
            exam.crash(stage).await;
        }
    });
}

pub fn a_key_belongs_to_one_user_and_one_coupon(harness: &mut dyn LedgerHarness) {
    Exam::sit(harness, async |exam| {
        let (one, other) = (exam.create(terms(0)).await, exam.create(terms(0)).await);
        for (coupon, who) in [(one, user(1)), (one, user(2)), (other, user(1))] {
            let outcome = exam.issue_with(coupon, &who, key(5)).await;
            assert!(matches!(outcome, Outcome::Issued(_)), "{outcome:?}");
        }
    });
}

pub fn the_key_of_a_refused_request_means_nothing_later(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(0)).await;
        exam.orders(coupon, Command::Pause).await;
        assert_eq!(exam.issue_with(coupon, &user(1), key(5)).await, Outcome::Paused);
        exam.orders(coupon, Command::Resume).await;
        let Outcome::Issued(grant) = exam.issue_with(coupon, &user(1), key(6)).await else {
            panic!("a refusal is not kept for a key")
        };
        exam.crash(stage).await;
        for (again, same_key) in [(5, false), (6, true)] {
            assert_eq!(
                exam.issue_with(coupon, &user(1), key(again)).await,
                Outcome::AlreadyIssued { grant, same_key }
            );
        }
    });
}

pub fn a_winner_is_told_so_after_every_kind_of_end(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(1)).await;
        let Outcome::Issued(grant) = exam.issue_with(coupon, &user(1), key(1)).await else {
            panic!("the first request wins")
        };
        let same_key = true;
        let expected = Outcome::AlreadyIssued { grant, same_key };
        exam.orders(coupon, Command::Pause).await;
        assert_eq!(exam.issue_with(coupon, &user(1), key(1)).await, expected);
        exam.orders(coupon, Command::Close).await;
        assert_eq!(exam.issue_with(coupon, &user(1), key(1)).await, expected);
        exam.clock().set(at(40 * 24 * CLOSING_US));
        exam.crash(stage).await;
        assert_eq!(
            exam.issue_with(coupon, &user(1), key(1)).await,
            expected,
            "even past its validity"
        );
    });
}
