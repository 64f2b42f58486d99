//! The order of checks, and that a refusal changes nothing.

use super::{Exam, LedgerHarness, ask, change};
use crate::contract::scene::CLOSING_US;
use crate::contract::{OPENING, START, at, coupon_id, key, terms, user};
use coupon_core::{Command, CouponId, Outcome, Terms, Window};

/// What is true of a coupon when it is asked for.
#[derive(Clone, Copy, Debug)]
struct Situation {
    held: bool,
    closed_by_hand: bool,
    window_ended: bool,
    not_open: bool,
    paused: bool,
    sold_out: bool,
}

impl Situation {
    /// Every situation that can be reached: nobody holds a coupon whose window has not opened.
    fn all() -> impl Iterator<Item = Self> {
        (0..64u32).filter_map(|bits| {
            let one = Self {
                held: bits & 1 != 0,
                closed_by_hand: bits & 2 != 0,
                window_ended: bits & 4 != 0,
                not_open: bits & 8 != 0,
                paused: bits & 16 != 0,
                sold_out: bits & 32 != 0,
            };
            let reachable = !(one.not_open && (one.held || one.sold_out || one.window_ended));
            reachable.then_some(one)
        })
    }

    /// Brings a coupon into this situation, with the clock at [`START`] and `holder` as the one who may hold it.
    async fn arrange(self, exam: &Exam<'_>) -> CouponId {
        let opens_at = if self.not_open { at(2_000_000) } else { OPENING };
        let mut wanted = terms(if self.sold_out { 1 } else { 2 });
        wanted.window = Window::new(opens_at, at(CLOSING_US)).unwrap();
        let coupon = exam.create(wanted).await;
        match (self.held, self.sold_out) {
            (true, _) => drop(exam.wins(coupon, &user(1)).await),
            (false, true) => drop(exam.wins(coupon, &user(2)).await),
            (false, false) => {}
        }
        if self.paused {
            exam.orders(coupon, Command::Pause).await;
        }
        if self.closed_by_hand {
            exam.orders(coupon, Command::Close).await;
        }
        coupon
    }

    fn asked_at(self) -> i64 {
        if self.window_ended { CLOSING_US } else { 1_000_000 }
    }

    fn is_answered_by(self, outcome: Outcome) -> bool {
        if self.held {
            matches!(outcome, Outcome::AlreadyIssued { same_key: false, grant } if grant.position.get() == 1)
        } else if self.closed_by_hand {
            outcome == Outcome::Closed { closed_at: START }
        } else if self.window_ended {
            let closed_at = at(CLOSING_US);
            outcome == Outcome::Closed { closed_at }
        } else if self.not_open {
            let opens_at = at(2_000_000);
            outcome == Outcome::NotYetOpen { opens_at }
        } else if self.paused {
            outcome == Outcome::Paused
        } else if self.sold_out {
            outcome == Outcome::SoldOut
        } else {
            matches!(outcome, Outcome::Issued(_))
        }
    }
}

pub fn the_first_check_that_applies_gives_the_answer(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let mut arranged = Vec::new();
        for situation in Situation::all() {
            arranged.push((situation, situation.arrange(exam).await));
        }
        exam.crash(stage).await;
        for (situation, coupon) in arranged {
            exam.clock().set(at(situation.asked_at()));
            let outcome = exam.issue(coupon, &user(1)).await;
            assert!(situation.is_answered_by(outcome), "{situation:?}: {outcome:?}");
        }
    });
}

pub fn a_coupon_that_never_was_or_was_deleted_is_unknown(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        assert_eq!(exam.issue(coupon_id(1), &user(1)).await, Outcome::UnknownCoupon);
        let deleted = exam.create(terms(1)).await;
        exam.orders(deleted, Command::Delete).await;
        exam.crash(stage).await;
        for id in [deleted, coupon_id(2), coupon_id((1 << 28) - 1)] {
            assert_eq!(exam.issue(id, &user(1)).await, Outcome::UnknownCoupon);
        }
    });
}

pub fn a_refusal_changes_nothing_and_makes_no_entry(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let early = exam
            .create(Terms {
                window: Window::new(at(2_000_000), at(CLOSING_US)).unwrap(),
                ..terms(1)
            })
            .await;
        let paused = exam.create(terms(1)).await;
        exam.orders(paused, Command::Pause).await;
        let closed = exam.create(terms(1)).await;
        exam.orders(closed, Command::Close).await;
        let full = exam.create(terms(1)).await;
        exam.wins(full, &user(9)).await;
        let made = exam.entries_made();
        let before = exam.everything().await;
        for id in [early, paused, closed, full, coupon_id(77)] {
            exam.issues(vec![ask(id, &user(1), key(1)), ask(id, &user(9), None)])
                .await;
        }
        exam.command(
            full,
            change(|it| it.quantity = Some(crate::contract::quantity(1))),
        )
        .await;
        exam.command(full, Command::Delete).await;
        assert_eq!(exam.entries_made(), made);
        assert_eq!(exam.everything().await, before);
        exam.crash(stage).await;
        exam.clock().set(at(2_000_000));
        let outcome = exam.issue_with(early, &user(1), key(2)).await;
        assert!(
            matches!(outcome, Outcome::Issued(_)),
            "who came too early can come again: {outcome:?}"
        );
    });
}
