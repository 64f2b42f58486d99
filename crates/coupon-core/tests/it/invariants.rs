//! `check_order`: each breach can be found, and nothing else is.

use crate::{at, quantity};
use coupon_core::{
    Actor, Amount, Breach, HistoryBreach, HistoryEntry, Order, OrderId, Position, Step, Witnessed,
    check_history, check_order,
};
use proptest::prelude::*;

fn witnessed(position: u32, user: &str, micros: i64) -> Witnessed<'_> {
    Witnessed {
        position: Position::new(position).unwrap(),
        user,
        issued_at: at(micros),
    }
}

fn position(number: u32) -> Position {
    Position::new(number).unwrap()
}

#[test]
fn what_is_in_order_breaches_nothing() {
    let one = [witnessed(1, "a", 0), witnessed(2, "A", 0), witnessed(3, "b", 5)];
    for count in [0, 3, 4] {
        assert_eq!(check_order(quantity(count), &one), Ok(()));
    }
    assert_eq!(check_order(quantity(1), &[]), Ok(()));
}

#[test]
fn each_breach_is_found_and_named() {
    let over = [witnessed(1, "a", 0), witnessed(2, "b", 0)];
    let found = Breach::OverIssued {
        issued: 2,
        quantity: 1,
    };
    assert_eq!(check_order(quantity(1), &over), Err(found));

    let twice = [witnessed(1, "a", 0), witnessed(2, "b", 0), witnessed(3, "a", 0)];
    let (first, second) = (position(1), position(3));
    assert_eq!(
        check_order(quantity(9), &twice),
        Err(Breach::IssuedTwice { first, second })
    );

    for (positions, found, expected) in [
        ([2, 3, 4], 2, 1),
        ([1, 3, 4], 3, 2),
        ([1, 1, 2], 1, 2),
        ([1, 2, 2], 2, 3),
        ([1, 3, 2], 3, 2),
    ] {
        let users = ["a", "b", "c"];
        let gaps: Vec<Witnessed<'_>> = positions
            .into_iter()
            .zip(users)
            .map(|(position, user)| witnessed(position, user, 0))
            .collect();
        let found = position(found);
        assert_eq!(
            check_order(quantity(9), &gaps),
            Err(Breach::NotContiguous { found, expected }),
            "{positions:?}"
        );
    }

    let back = [witnessed(1, "a", 5), witnessed(2, "b", 4)];
    let position = position(2);
    assert_eq!(
        check_order(quantity(9), &back),
        Err(Breach::TimeRanBack { position })
    );
}

#[test]
fn a_history_that_cannot_have_happened_is_found() {
    let grant = crate::grant(1, at(0));
    let end = grant.expires_at.as_micros() - at(0).as_micros();
    let order = |name: &str| Order {
        id: OrderId::parse(name).unwrap(),
        amount: Amount::ZERO,
    };
    let redeemed = |name: &str| Step::Redeemed {
        order: order(name),
        discount: None,
    };
    let cancelled = |name: &str| Step::Cancelled {
        order: order(name).id,
    };
    let history = |steps: &[(u32, i64, Step)]| -> Vec<HistoryEntry> {
        let entry = |(number, micros, step): &(u32, i64, Step)| HistoryEntry {
            number: *number,
            at: at(*micros),
            actor: Actor::Holder,
            step: step.clone(),
        };
        steps.iter().map(entry).collect()
    };
    let (a, back, revoked) = (redeemed("a"), cancelled("a"), Step::Revoked);
    for (steps, expected) in [
        (vec![], Ok(())),
        (
            vec![
                (1, 0, a.clone()),
                (2, 0, back.clone()),
                (3, end - 1, a.clone()),
                (4, end, back.clone()),
            ],
            Ok(()),
        ),
        (
            vec![(1, 1, a.clone()), (2, 2, revoked.clone()), (3, 3, back.clone())],
            Ok(()),
        ),
        (
            vec![(2, 1, a.clone())],
            Err(HistoryBreach::NotContiguous {
                found: 2,
                expected: 1,
            }),
        ),
        (vec![(1, -1, a.clone())], Err(HistoryBreach::TimeRanBack(1))),
        (
            vec![(1, 2, a.clone()), (2, 1, back.clone())],
            Err(HistoryBreach::TimeRanBack(2)),
        ),
        (
            vec![(1, 1, a.clone()), (2, 1, redeemed("b"))],
            Err(HistoryBreach::RedeemedTwice(2)),
        ),
        (vec![(1, end, a.clone())], Err(HistoryBreach::RedeemedExpired(1))),
        (
            vec![(1, 1, revoked.clone()), (2, 1, a.clone())],
            Err(HistoryBreach::RedeemedRevoked(2)),
        ),
        (
            vec![(1, 1, back.clone())],
            Err(HistoryBreach::CancelledNothing(1)),
        ),
        (
            vec![(1, 1, a.clone()), (2, 1, cancelled("b"))],
            Err(HistoryBreach::CancelledNothing(2)),
        ),
        (
            vec![(1, 1, a), (2, 1, back.clone()), (3, 1, back)],
            Err(HistoryBreach::CancelledNothing(3)),
        ),
        (
            vec![(1, 1, revoked.clone()), (2, 1, revoked)],
            Err(HistoryBreach::RevokedTwice(2)),
        ),
    ] {
        assert_eq!(check_history(grant, &history(&steps)), expected, "{steps:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_planted_fault_in_a_long_order_is_found(count in 2..60_u32, at_index in 1..59_usize, kind in 0..4_u8) {
        let users: Vec<String> = (0..count).map(|n| format!("user-{n}")).collect();
        let mut order: Vec<Witnessed<'_>> = users
            .iter()
            .zip(1..)
            .map(|(user, position)| witnessed(position, user, i64::from(position)))
            .collect();
        prop_assert_eq!(check_order(quantity(count), &order), Ok(()));
        let index = at_index.min(order.len() - 1);
        match kind {
            0 => order[index].user = &users[index - 1],
            1 => order[index].position = position(u32::try_from(index).unwrap()),
            2 => order[index].issued_at = at(i64::try_from(index).unwrap() - 1),
            _ => drop(order.remove(index - 1)),
        }
        prop_assert!(check_order(quantity(count), &order).is_err());
    }
}
