//! Exactness: as many as there are, one for each user, in positions without gap.

use super::{Exam, LedgerHarness, ask};
use crate::Request;
use crate::contract::{terms, user};
use coupon_core::Outcome;

pub fn the_last_coupon_goes_to_exactly_one_user(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(3)).await;
        exam.wins(coupon, &user(1)).await;
        exam.wins(coupon, &user(2)).await;
        exam.crash(stage).await;
        let race: Vec<Request> = (3..=6).map(|n| ask(coupon, &user(n), None)).collect();
        let outcomes = exam.issues(race).await;
        assert!(matches!(outcomes[0], Outcome::Issued(grant) if grant.position.get() == 3));
        assert_eq!(outcomes[1..], [Outcome::SoldOut; 3]);
    });
}
