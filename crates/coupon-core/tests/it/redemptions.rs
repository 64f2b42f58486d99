//! Quoting, redeeming, giving back and revoking: the tables, and a model of whole histories.

use crate::{at, grant, terms};
use coupon_core::limits::MAX_STEPS;
use coupon_core::{
    Actor, Amount, CouponId, Decision, Discount, HistoryEntry, IssuedCoupon, IssuedState, Offer, Order,
    OrderId, RedemptionRefusal, Step, Timestamp, Trail, UserId, check_history, decide_cancellation,
    decide_redemption, decide_revocation, may_use, quote,
};
use proptest::prelude::*;

const DAY_US: i64 = 86_400_000_000;

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn order_id(name: &str) -> OrderId {
    OrderId::parse(name).unwrap()
}

fn order(name: &str, units: u64) -> Order {
    Order {
        id: order_id(name),
        amount: Amount::new(units).unwrap(),
    }
}

/// Ten per cent, at most 5,000, on orders of 20,000 and more.
fn offer() -> Offer {
    Offer::from(&terms(1))
}

/// One issued coupon with its history, changed by decisions alone.
#[derive(Clone, Debug)]
struct Case {
    issued: IssuedCoupon,
    trail: Trail,
    history: Vec<HistoryEntry>,
}

impl Case {
    /// Issued at 0, expires a day later.
    fn fresh() -> Self {
        let grant = grant(1, at(0));
        Self {
            issued: IssuedCoupon::new(CouponId::FIRST, user("kim"), grant),
            trail: Trail::fresh(grant),
            history: Vec::new(),
        }
    }

    fn take(&mut self, decision: &Decision) {
        if let Decision::Taken(entry) = decision {
            self.issued.take_step(entry);
            self.trail = self.trail.after(entry);
            self.history.push(entry.clone());
        }
    }

    fn redeem(&mut self, name: &str, units: u64, micros: i64) -> Decision {
        let decision = decide_redemption(
            &self.issued,
            &offer(),
            self.trail,
            &order(name, units),
            &Actor::Holder,
            at(micros),
        );
        self.take(&decision);
        decision
    }

    fn cancel(&mut self, name: &str, micros: i64) -> Decision {
        let order = order_id(name);
        let before = self
            .history
            .iter()
            .any(|entry| matches!(&entry.step, Step::Cancelled { order: cancelled } if *cancelled == order));
        let decision = decide_cancellation(&self.issued, self.trail, &order, before, &shop(), at(micros));
        self.take(&decision);
        decision
    }

    fn revoke(&mut self, micros: i64) -> Decision {
        let decision = decide_revocation(&self.issued, self.trail, &shop(), at(micros));
        self.take(&decision);
        decision
    }

    fn quote(&self, units: u64, micros: i64) -> Result<Option<u64>, RedemptionRefusal> {
        let amount = Amount::new(units).unwrap();
        quote(&self.issued, &offer(), self.trail, amount, at(micros)).map(|got| got.map(Amount::get))
    }
}

fn shop() -> Actor {
    Actor::Key("till".into())
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Redeem(&'static str, u64),
    Cancel(&'static str),
    Revoke,
}
use Ask::{Cancel, Redeem, Revoke};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Taken,
    Stands,
    Mismatch,
    RevokedAt(i64),
    RedeemedAt(i64),
    Expired,
    Below,
    NotRedeemed,
}

fn told(decision: &Decision) -> Told {
    let micros = |instant: Timestamp| instant.as_micros() - at(0).as_micros();
    match decision {
        Decision::Taken(_) => Told::Taken,
        Decision::Stands => Told::Stands,
        Decision::Refused(refusal) => match refusal {
            RedemptionRefusal::OrderMismatch => Told::Mismatch,
            RedemptionRefusal::Revoked { revoked_at } => Told::RevokedAt(micros(*revoked_at)),
            RedemptionRefusal::AlreadyRedeemed { redeemed_at } => Told::RedeemedAt(micros(*redeemed_at)),
            RedemptionRefusal::Expired { .. } => Told::Expired,
            RedemptionRefusal::BelowMinimum { .. } => Told::Below,
            RedemptionRefusal::NotRedeemed => Told::NotRedeemed,
            RedemptionRefusal::UnknownIssuedCoupon | RedemptionRefusal::HistoryFull => {
                panic!("not for this table: {refusal:?}")
            }
        },
    }
}

#[test]
fn every_step_is_answered_by_what_is_on_record() {
    const END: i64 = DAY_US;
    let stories: &[&[(Ask, i64, Told)]] = &[
        // Once, and the same again is a replay.
        &[
            (Redeem("a", 50_000), 1, Told::Taken),
            (Redeem("a", 50_000), 2, Told::Stands),
            (Redeem("a", 50_001), 3, Told::Mismatch),
            (Redeem("a", 0), 3, Told::Mismatch),
            (Redeem("b", 50_000), 4, Told::RedeemedAt(1)),
            (Redeem("A", 50_000), 4, Told::RedeemedAt(1)),
        ],
        // Validity is half-open to the microsecond.
        &[(Redeem("a", 50_000), END - 1, Told::Taken)],
        &[
            (Redeem("a", 50_000), END, Told::Expired),
            (Redeem("a", 50_000), END + 1, Told::Expired),
        ],
        // The minimum, and what it comes after.
        &[
            (Redeem("a", 19_999), 1, Told::Below),
            (Redeem("a", 20_000), 1, Told::Taken),
            (Redeem("b", 1), 1, Told::RedeemedAt(1)),
        ],
        &[(Redeem("a", 1), END, Told::Expired)],
        // Whoever lost the answer learns the truth after the end too.
        &[
            (Redeem("a", 50_000), 1, Told::Taken),
            (Redeem("a", 50_000), END, Told::Stands),
            (Redeem("b", 50_000), END, Told::RedeemedAt(1)),
        ],
        // Given back once, to the same order, and used again.
        &[
            (Cancel("a"), 0, Told::NotRedeemed),
            (Redeem("a", 50_000), 1, Told::Taken),
            (Cancel("b"), 2, Told::Mismatch),
            (Cancel("a"), 2, Told::Taken),
            (Cancel("a"), 3, Told::Stands),
            (Cancel("b"), 3, Told::NotRedeemed),
            (Redeem("b", 60_000), 4, Told::Taken),
            (Redeem("a", 50_000), 5, Told::RedeemedAt(4)),
            // A late repetition does not touch the other order's use.
            (Cancel("a"), 6, Told::Stands),
            (Redeem("b", 60_000), 7, Told::Stands),
            (Cancel("b"), 8, Told::Taken),
            (Cancel("a"), 9, Told::Stands),
            (Redeem("a", 70_000), 10, Told::Taken),
            (Cancel("a"), 11, Told::Taken),
        ],
        // Given back after the end: the shop's books agree, and the end stays the end.
        &[
            (Redeem("a", 50_000), END - 1, Told::Taken),
            (Cancel("a"), END + 1, Told::Taken),
            (Cancel("a"), END + 2, Told::Stands),
            (Redeem("a", 50_000), END + 3, Told::Expired),
        ],
        // Revoked: before the minimum and the end; for good.
        &[
            (Revoke, 1, Told::Taken),
            (Revoke, 2, Told::Stands),
            (Redeem("a", 1), 3, Told::RevokedAt(1)),
            (Redeem("a", 50_000), END, Told::RevokedAt(1)),
            (Cancel("a"), 3, Told::NotRedeemed),
        ],
        // Revoked while redeemed: the order keeps what it got; nobody uses it again.
        &[
            (Redeem("a", 50_000), 1, Told::Taken),
            (Revoke, 2, Told::Taken),
            (Redeem("a", 50_000), 3, Told::Stands),
            (Redeem("a", 50_001), 3, Told::Mismatch),
            (Redeem("b", 50_000), 3, Told::RevokedAt(2)),
            (Cancel("b"), 3, Told::Mismatch),
            (Cancel("a"), 4, Told::Taken),
            (Redeem("a", 50_000), 5, Told::RevokedAt(2)),
            (Revoke, 6, Told::Stands),
        ],
        // A clock that jumps back: time is never before the last step.
        &[
            (Redeem("a", 50_000), 100, Told::Taken),
            (Cancel("a"), 50, Told::Taken),
            (Redeem("b", 50_000), 10, Told::Taken),
            (Redeem("c", 50_000), 10, Told::RedeemedAt(100)),
        ],
        // A clock that was past the end at a step does not bring it back.
        &[
            (Redeem("a", 50_000), 1, Told::Taken),
            (Cancel("a"), END, Told::Taken),
            (Redeem("b", 50_000), 2, Told::Expired),
        ],
    ];
    for story in stories {
        let mut case = Case::fresh();
        for (number, (ask, micros, expected)) in story.iter().enumerate() {
            let before = case.clone();
            let decision = match *ask {
                Redeem(name, units) => case.redeem(name, units, *micros),
                Cancel(name) => case.cancel(name, *micros),
                Revoke => case.revoke(*micros),
            };
            assert_eq!(told(&decision), *expected, "step {number} of {story:?}");
            if *expected != Told::Taken {
                assert_eq!(case.issued, before.issued);
            }
        }
        assert_eq!(check_history(case.issued.grant, &case.history), Ok(()));
    }
}

#[test]
fn what_is_redeemed_is_on_record_with_what_the_order_got() {
    let mut case = Case::fresh();
    case.redeem("a", 49_999, 7);
    let redemption = case.issued.redemption.clone().unwrap();
    assert_eq!(
        (redemption.redeemed_at, &redemption.order),
        (at(7), &order("a", 49_999))
    );
    assert_eq!(redemption.discount.map(Amount::get), Some(5_000));
    assert_eq!(case.issued.state(at(8)), IssuedState::Redeemed);
    case.cancel("a", 9);
    assert_eq!(
        (&case.issued.redemption, case.issued.state(at(10))),
        (&None, IssuedState::Issued)
    );
    assert_eq!(case.issued.state(at(DAY_US)), IssuedState::Expired);
    case.revoke(11);
    assert_eq!(case.issued.state(at(DAY_US)), IssuedState::Revoked);
    let actors: Vec<&Actor> = case.history.iter().map(|entry| &entry.actor).collect();
    assert_eq!(actors, [&Actor::Holder, &shop(), &shop()]);
    assert_eq!(
        case.trail,
        Trail {
            steps: 3,
            last_at: at(11)
        }
    );
}

#[test]
fn a_quote_says_what_redeeming_would_and_changes_nothing() {
    let mut case = Case::fresh();
    assert_eq!(case.quote(30_001, 1), Ok(Some(3_001)));
    assert_eq!(
        case.quote(19_999, 1),
        Err(RedemptionRefusal::BelowMinimum {
            min_order_amount: 20_000
        })
    );
    let expires_at = at(DAY_US);
    assert_eq!(
        case.quote(30_000, DAY_US),
        Err(RedemptionRefusal::Expired { expires_at })
    );
    case.redeem("a", 30_000, 1);
    let redeemed_at = at(1);
    assert_eq!(
        case.quote(30_000, 2),
        Err(RedemptionRefusal::AlreadyRedeemed { redeemed_at })
    );
    case.revoke(3);
    assert_eq!(
        case.quote(1, DAY_US),
        Err(RedemptionRefusal::Revoked { revoked_at: at(3) })
    );
}

#[test]
fn a_coupon_that_does_not_say_what_it_gives_is_redeemed_all_the_same() {
    let case = Case::fresh();
    let silent = Offer {
        discount: None,
        min_order_amount: 0,
    };
    let zero = order("a", 0);
    let decision = decide_redemption(&case.issued, &silent, case.trail, &zero, &Actor::Holder, at(1));
    let Decision::Taken(HistoryEntry {
        step: Step::Redeemed { discount, .. },
        ..
    }) = decision
    else {
        panic!("{decision:?}");
    };
    assert_eq!(discount, None);
    let all = Offer {
        discount: Some(Discount::Amount { value: 9 }),
        min_order_amount: 0,
    };
    assert_eq!(
        quote(&case.issued, &all, case.trail, Amount::ZERO, at(1)),
        Ok(Some(Amount::ZERO))
    );
}

#[test]
fn a_long_history_takes_no_redemption_but_always_a_way_out() {
    let mut case = Case::fresh();
    case.trail.steps = MAX_STEPS - 1;
    assert_eq!(told(&case.redeem("a", 50_000, 1)), Told::Taken);
    assert_eq!(told(&case.cancel("a", 2)), Told::Taken);
    assert_eq!(
        case.redeem("a", 50_000, 3),
        Decision::Refused(RedemptionRefusal::HistoryFull)
    );
    assert_eq!(told(&case.revoke(4)), Told::Taken);
}

#[test]
fn a_user_may_use_their_own_and_a_service_any() {
    let case = Case::fresh();
    assert!(may_use(&case.issued, None) && may_use(&case.issued, Some(&user("kim"))));
    assert!(!may_use(&case.issued, Some(&user("Kim"))));
}

/// What a sequence of requests must come to, said in another way than the code says it: by counting uses.
#[derive(Default)]
struct Model {
    used_by: Option<(usize, u64)>,
    uses: i64,
    given_back: i64,
    revoked: bool,
}

#[derive(Clone, Debug)]
struct Request {
    kind: u8,
    order: usize,
    units: u64,
    micros: i64,
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let near = prop_oneof![0..20_i64, DAY_US - 3..DAY_US + 3];
    let one = (
        0..12_u8,
        0..3_usize,
        prop_oneof![Just(20_000), Just(19_999), Just(50_000)],
        near,
    )
        .prop_map(|(kind, order, units, micros)| Request {
            kind,
            order,
            units,
            micros,
        });
    proptest::collection::vec(one, 0..40)
}

proptest! {
    #[test]
    fn whatever_is_asked_a_use_is_taken_once_and_given_back_once(requests in requests()) {
        let names = ["a", "b", "c"];
        let mut case = Case::fresh();
        let mut model = Model::default();
        for Request { kind, order, units, micros } in requests {
            let judged = micros.max(case.trail.last_at.as_micros() - at(0).as_micros());
            match kind {
                0..=5 => {
                    let free = model.used_by.is_none() && !model.revoked;
                    let may = free && judged < DAY_US && units >= 20_000;
                    let decision = case.redeem(names[order], units, micros);
                    prop_assert_eq!(matches!(decision, Decision::Taken(_)), may, "{:?}", decision);
                    prop_assert_eq!(decision == Decision::Stands, model.used_by == Some((order, units)));
                    if may {
                        model.used_by = Some((order, units));
                        model.uses += 1;
                    }
                }
                6..=10 => {
                    let may = model.used_by.is_some_and(|(by, _)| by == order);
                    let decision = case.cancel(names[order], micros);
                    prop_assert_eq!(matches!(decision, Decision::Taken(_)), may, "{:?}", decision);
                    if may {
                        model.used_by = None;
                        model.given_back += 1;
                    }
                }
                _ => {
                    let decision = case.revoke(micros);
                    prop_assert_eq!(matches!(decision, Decision::Taken(_)), !model.revoked);
                    model.revoked = true;
                }
            }
            let standing = model.uses - model.given_back;
            prop_assert!((0..=1).contains(&standing));
            prop_assert_eq!(case.issued.redemption.is_some(), standing == 1);
            prop_assert_eq!(case.issued.revoked_at.is_some(), model.revoked);
            prop_assert_eq!(check_history(case.issued.grant, &case.history), Ok(()));
        }
        let mut replayed = Case::fresh().issued;
        for entry in &case.history {
            replayed.take_step(entry);
        }
        prop_assert_eq!(replayed, case.issued);
    }
}
