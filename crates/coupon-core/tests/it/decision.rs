//! `decide`: the table of cases, and what holds for every sequence of requests.

use crate::{OPEN_US, at, coupon, grant, issued};
use coupon_core::{
    Coupon, CouponState, Held, KeyHash, Outcome, Position, Span, Standing, Timestamp, Validity, Witnessed,
    check_order, decide,
};
use proptest::prelude::*;
use std::collections::HashMap;

fn key(number: u64) -> Option<KeyHash> {
    KeyHash::new(number)
}

/// What is true when somebody asks.
#[derive(Clone, Copy, Debug)]
struct Situation {
    deleted: bool,
    held: bool,
    closed_by_hand: bool,
    paused: bool,
    sold_out: bool,
    /// -1 before the window, 0 in it, 1 after it.
    window: i64,
}

impl Situation {
    fn all() -> impl Iterator<Item = Self> {
        (0..32_u32).flat_map(|bits| {
            (-1..=1).map(move |window| Self {
                deleted: bits & 1 != 0,
                held: bits & 2 != 0,
                closed_by_hand: bits & 4 != 0,
                paused: bits & 8 != 0,
                sold_out: bits & 16 != 0,
                window,
            })
        })
    }

    fn coupon(self) -> Coupon {
        Coupon {
            deleted: self.deleted,
            closed_at: self.closed_by_hand.then_some(at(-7)),
            paused: self.paused,
            ..coupon(if self.sold_out { 3 } else { 4 })
        }
    }

    fn clock(self) -> Timestamp {
        at(OPEN_US / 2 + self.window * OPEN_US)
    }

    /// Three were issued before; nothing is known of when, so that only the clock judges.
    fn standing(self) -> Standing {
        issued(3, Timestamp::MIN)
    }

    fn expected(self) -> Outcome {
        let closed_at = if self.closed_by_hand { at(-7) } else { at(OPEN_US) };
        if self.deleted {
            Outcome::UnknownCoupon
        } else if self.held {
            Outcome::AlreadyIssued {
                grant: grant(2, at(5)),
                same_key: false,
            }
        } else if self.closed_by_hand || self.window == 1 {
            Outcome::Closed { closed_at }
        } else if self.window == -1 {
            Outcome::NotYetOpen { opens_at: at(0) }
        } else if self.paused {
            Outcome::Paused
        } else if self.sold_out {
            Outcome::SoldOut
        } else {
            Outcome::Issued(grant(4, self.clock()))
        }
    }
}

#[test]
fn the_first_check_that_applies_gives_the_answer() {
    for situation in Situation::all() {
        let held = situation.held.then_some(Held {
            grant: grant(2, at(5)),
            key: key(1),
        });
        let coupon = situation.coupon();
        let outcome = decide(
            Some(&coupon),
            situation.standing(),
            held,
            key(2),
            situation.clock(),
        );
        assert_eq!(outcome, situation.expected(), "{situation:?}");
    }
}

#[test]
fn the_state_of_a_coupon_agrees_with_the_decision() {
    for situation in Situation::all().filter(|one| !one.deleted && !one.held) {
        let coupon = situation.coupon();
        let state = coupon.state(situation.clock(), 3);
        let outcome = decide(Some(&coupon), situation.standing(), None, None, situation.clock());
        let agrees = match state {
            CouponState::Closed => matches!(outcome, Outcome::Closed { .. }),
            CouponState::Scheduled => matches!(outcome, Outcome::NotYetOpen { .. }),
            CouponState::Paused => outcome == Outcome::Paused,
            CouponState::SoldOut => outcome == Outcome::SoldOut,
            CouponState::Open => matches!(outcome, Outcome::Issued(_)),
        };
        assert!(agrees, "{situation:?}: {state:?}, {outcome:?}");
    }
}

#[test]
fn where_there_is_no_coupon_nothing_else_is_asked() {
    let held = Held {
        grant: grant(1, at(0)),
        key: key(1),
    };
    for held in [None, Some(held)] {
        let outcome = decide(None, issued(1, at(0)), held, key(1), at(0));
        assert_eq!(outcome, Outcome::UnknownCoupon);
    }
}

#[test]
fn the_window_is_half_open_to_the_microsecond() {
    let one = coupon(9);
    let at_clock = |micros| decide(Some(&one), Standing::NONE, None, None, at(micros));
    let opens_at = at(0);
    let closed_at = at(OPEN_US);
    assert_eq!(at_clock(-1), Outcome::NotYetOpen { opens_at });
    assert_eq!(at_clock(0), Outcome::Issued(grant(1, at(0))));
    assert_eq!(at_clock(OPEN_US - 1), Outcome::Issued(grant(1, at(OPEN_US - 1))));
    assert_eq!(at_clock(OPEN_US), Outcome::Closed { closed_at });
    assert_eq!(at_clock(OPEN_US + 1), Outcome::Closed { closed_at });
    let far = |clock| decide(Some(&one), Standing::NONE, None, None, clock);
    assert_eq!(far(Timestamp::MIN), Outcome::NotYetOpen { opens_at });
    assert_eq!(far(Timestamp::MAX), Outcome::Closed { closed_at });
}

#[test]
fn judged_time_is_the_later_of_the_clock_and_the_last_issue() {
    let one = coupon(9);
    for (clock, last, expected) in [
        (at(5), at(7), at(7)),
        (at(7), at(7), at(7)),
        (at(8), at(7), at(8)),
        (at(-9), at(3), at(3)),
    ] {
        let outcome = decide(Some(&one), issued(1, last), None, None, clock);
        assert_eq!(
            outcome,
            Outcome::Issued(grant(2, expected)),
            "{clock:?} after {last:?}"
        );
    }
    // The last issue of a window that was moved since can lie behind its end.
    let outcome = decide(Some(&one), issued(1, at(OPEN_US)), None, None, at(5));
    assert_eq!(
        outcome,
        Outcome::Closed {
            closed_at: at(OPEN_US)
        }
    );
}

#[test]
fn closed_by_hand_is_closed_whatever_the_clock_says_and_never_later_than_the_window() {
    for (by_hand, expected) in [(at(5), at(5)), (at(-5), at(-5)), (at(OPEN_US + 5), at(OPEN_US))] {
        let one = Coupon {
            closed_at: Some(by_hand),
            ..coupon(9)
        };
        for clock in [Timestamp::MIN, at(4), at(OPEN_US + 9)] {
            let outcome = decide(Some(&one), Standing::NONE, None, None, clock);
            assert_eq!(outcome, Outcome::Closed { closed_at: expected });
        }
    }
}

#[test]
fn only_the_same_key_makes_it_the_same_request() {
    let one = coupon(9);
    for (first, again, expected) in [
        (key(1), key(1), true),
        (key(1), key(2), false),
        (key(1), None, false),
        (None, key(1), false),
        (None, None, false),
    ] {
        let held = Held {
            grant: grant(1, at(0)),
            key: first,
        };
        let outcome = decide(Some(&one), issued(1, at(0)), Some(held), again, at(5));
        let told = Outcome::AlreadyIssued {
            grant: held.grant,
            same_key: expected,
        };
        assert_eq!(outcome, told, "{first:?} then {again:?}");
    }
}

#[test]
fn the_last_position_of_all_is_two_to_the_32_less_one() {
    for count in [0, u32::MAX] {
        let one = coupon(count);
        let last = decide(Some(&one), issued(u32::MAX - 1, at(0)), None, None, at(1));
        assert_eq!(last, Outcome::Issued(grant(u32::MAX, at(1))));
        let none_left = decide(Some(&one), issued(u32::MAX, at(0)), None, None, at(1));
        assert_eq!(none_left, Outcome::SoldOut);
    }
}

#[test]
fn validity_is_counted_from_the_judged_time_and_ends_with_the_calendar() {
    let mut one = coupon(0);
    let expiry = |one: &Coupon, last| match decide(Some(one), issued(1, last), None, None, at(1)) {
        Outcome::Issued(grant) => Some(grant.expires_at),
        Outcome::AlreadyIssued { .. }
        | Outcome::SoldOut
        | Outcome::NotYetOpen { .. }
        | Outcome::Closed { .. }
        | Outcome::Paused
        | Outcome::UnknownCoupon => None,
    };
    one.terms.validity = Validity::For(Span::from_micros(10).unwrap());
    assert_eq!(expiry(&one, at(5)), Some(at(15)));
    one.terms.validity = Validity::Until(at(OPEN_US));
    assert_eq!(expiry(&one, at(5)), Some(at(OPEN_US)));
    one.terms.validity = Validity::For(Span::from_micros(i64::MAX).unwrap());
    assert_eq!(expiry(&one, at(5)), Some(Timestamp::MAX));
}

/// One request of a schedule: who, with which key, and how far the clock has moved.
fn schedule() -> impl Strategy<Value = Vec<(u8, u64, i64)>> {
    prop::collection::vec((0..40_u8, 0..3_u64, -300..300_i64), 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_clock_does_the_invariants_hold(count in 0..30_u32, schedule in schedule()) {
        let one = coupon(count);
        let mut standing = Standing::NONE;
        let mut held: HashMap<u8, Held> = HashMap::new();
        let mut order: Vec<(String, Position, Timestamp)> = Vec::new();
        let mut clock = 0;
        for (who, number, moved) in schedule {
            clock += moved;
            let before = held.get(&who).copied();
            match decide(Some(&one), standing, before, key(number), at(clock)) {
                Outcome::Issued(grant) => {
                    prop_assert!(before.is_none());
                    prop_assert!((at(0)..at(OPEN_US)).contains(&grant.issued_at), "I12");
                    prop_assert!(grant.issued_at >= at(clock));
                    held.insert(who, Held { grant, key: key(number) });
                    order.push((who.to_string(), grant.position, grant.issued_at));
                    standing = standing.after(grant);
                }
                Outcome::AlreadyIssued { grant, same_key } => {
                    let before = before.unwrap();
                    prop_assert_eq!(grant, before.grant);
                    prop_assert_eq!(same_key, number != 0 && key(number) == before.key);
                }
                Outcome::SoldOut => prop_assert_eq!(standing.issued, count, "I7"),
                Outcome::NotYetOpen { opens_at } => prop_assert!(at(clock) < opens_at, "I7"),
                Outcome::Closed { closed_at } => prop_assert!(at(clock) >= closed_at, "I7"),
                Outcome::Paused | Outcome::UnknownCoupon => prop_assert!(false, "it was neither"),
            }
        }
        let witnessed: Vec<Witnessed<'_>> = order
            .iter()
            .map(|(user, position, issued_at)| Witnessed { position: *position, user, issued_at: *issued_at })
            .collect();
        prop_assert_eq!(check_order(one.terms.quantity, &witnessed), Ok(()));
    }
}
