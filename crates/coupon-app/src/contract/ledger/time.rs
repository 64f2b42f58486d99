//! The ledger's clock: window edges to the microsecond, and jumps either way.

use super::{Carried, Exam, LedgerHarness, ask};
use crate::contract::scene::CLOSING_US;
use crate::contract::{OPENING, at, terms, user};
use coupon_core::{Outcome, Span, Terms, Timestamp, Validity, Window};

pub fn the_window_is_half_open_to_the_microsecond(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        exam.clock().set(at(-10));
        let coupon = exam.create(terms(0)).await;
        let opens_at = OPENING;
        let closed_at = at(CLOSING_US);
        exam.clock().set(at(-1));
        assert_eq!(
            exam.issue(coupon, &user(1)).await,
            Outcome::NotYetOpen { opens_at }
        );
        exam.crash(stage).await;
        exam.clock().set(OPENING);
        assert_eq!(exam.wins(coupon, &user(1)).await.issued_at, OPENING);
        exam.clock().set(at(CLOSING_US - 1));
        assert_eq!(exam.wins(coupon, &user(2)).await.issued_at, at(CLOSING_US - 1));
        exam.clock().set(closed_at);
        assert_eq!(exam.issue(coupon, &user(3)).await, Outcome::Closed { closed_at });
        exam.crash(stage).await;
        assert_eq!(exam.issue(coupon, &user(3)).await, Outcome::Closed { closed_at });
        let outcome = exam.issue(coupon, &user(2)).await;
        assert!(
            matches!(outcome, Outcome::AlreadyIssued { .. }),
            "a winner learns the truth after the end: {outcome:?}"
        );
    });
}

pub fn a_window_of_one_microsecond_is_open_for_one_microsecond(harness: &mut dyn LedgerHarness) {
    Exam::sit(harness, async |exam| {
        exam.clock().set(at(-1));
        let coupon = exam
            .create(Terms {
                window: Window::new(OPENING, at(1)).unwrap(),
                ..terms(0)
            })
            .await;
        let answers = [at(-1), OPENING, at(1)].map(|instant| (instant, user(1)));
        let mut told = Vec::new();
        for (instant, who) in answers {
            exam.clock().set(instant);
            told.push(exam.issue(coupon, &who).await);
            exam.crash(Carried::Nothing).await;
        }
        assert!(matches!(told[0], Outcome::NotYetOpen { .. }));
        assert!(matches!(told[1], Outcome::Issued(grant) if grant.issued_at == OPENING));
        assert!(matches!(told[2], Outcome::AlreadyIssued { .. }));
        assert_eq!(
            exam.issue(coupon, &user(2)).await,
            Outcome::Closed { closed_at: at(1) }
        );
    });
}

pub fn a_clock_that_runs_back_does_not_turn_the_order_round(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(0)).await;
        exam.clock().set(at(500_000_000));
        assert_eq!(exam.wins(coupon, &user(1)).await.issued_at, at(500_000_000));
        // Before the opening even: judged time is that of the last issue.
        for (n, instant) in [(2, at(499_999_999)), (3, at(-5)), (4, Timestamp::MIN)] {
            exam.clock().set(instant);
            assert_eq!(exam.wins(coupon, &user(n)).await.issued_at, at(500_000_000));
            exam.crash(stage).await;
        }
        exam.clock().set(at(500_000_001));
        assert_eq!(exam.wins(coupon, &user(5)).await.issued_at, at(500_000_001));
    });
}

pub fn a_clock_that_ran_ahead_and_back_again_refuses_only_meanwhile(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(0)).await;
        exam.wins(coupon, &user(1)).await;
        let closed_at = at(CLOSING_US);
        for ahead in [at(CLOSING_US), Timestamp::MAX] {
            exam.clock().set(ahead);
            assert_eq!(exam.issue(coupon, &user(2)).await, Outcome::Closed { closed_at });
        }
        exam.crash(stage).await;
        exam.clock().set(at(2_000_000));
        assert_eq!(exam.wins(coupon, &user(2)).await.issued_at, at(2_000_000));
    });
}

pub fn judged_time_is_each_coupons_own(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let (one, other) = (exam.create(terms(0)).await, exam.create(terms(0)).await);
        exam.clock().set(at(900_000_000));
        exam.wins(one, &user(1)).await;
        exam.crash(stage).await;
        exam.clock().set(at(2_000_000));
        let both = vec![ask(one, &user(2), None), ask(other, &user(2), None)];
        let times: Vec<Option<Timestamp>> = exam
            .issues(both)
            .await
            .into_iter()
            .map(|outcome| {
                if let Outcome::Issued(grant) = outcome {
                    Some(grant.issued_at)
                } else {
                    None
                }
            })
            .collect();
        assert_eq!(times, [Some(at(900_000_000)), Some(at(2_000_000))]);
    });
}

pub fn validity_ends_so_long_after_the_issue_or_at_an_instant(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let mut wanted = terms(0);
        wanted.validity = Validity::For(Span::from_micros(7).unwrap());
        let so_long = exam.create(wanted.clone()).await;
        wanted.validity = Validity::Until(at(CLOSING_US));
        let until = exam.create(wanted.clone()).await;
        // A hundred years, and an instant that no time stamp lies behind.
        wanted.validity = Validity::Until(Timestamp::MAX);
        let for_ever = exam.create(wanted).await;
        exam.clock().set(at(42));
        let ends = [
            (so_long, at(49)),
            (until, at(CLOSING_US)),
            (for_ever, Timestamp::MAX),
        ];
        for (coupon, expires_at) in ends {
            assert_eq!(exam.wins(coupon, &user(1)).await.expires_at, expires_at);
        }
        exam.crash(stage).await;
        for (coupon, expires_at) in ends {
            let outcome = exam.issue(coupon, &user(1)).await;
            assert!(
                matches!(outcome, Outcome::AlreadyIssued { grant, .. } if grant.expires_at == expires_at)
            );
        }
    });
}
