//! Comparing ledger and store in both directions.

use coupon_app::contract::{at, coupon_id, user};
use coupon_app::{Difference, Holding, Readings, Sum, compare};
use coupon_core::Position;

fn held(position: u32, number: usize) -> Holding {
    Holding {
        position: Position::new(position).unwrap(),
        user: user(number),
        issued_at: at(i64::from(position)),
    }
}

/// Each of these is the holder of the position of the same number.
fn all(positions: &[u32]) -> Vec<Holding> {
    positions
        .iter()
        .map(|one| held(*one, usize::try_from(*one).unwrap()))
        .collect()
}

#[test]
fn every_difference_is_named_and_what_is_on_its_way_is_none() {
    let not_in_store = |one| Difference::NotInStore(all(&[one]).remove(0));
    let not_in_ledger = |one| Difference::NotInLedger(all(&[one]).remove(0));
    for (ledger, pending, store, expected) in [
        (&[1, 2, 3][..], &[][..], &[1, 2, 3][..], vec![]),
        (&[1, 2, 3], &[3], &[1, 2], vec![]),
        // It has arrived, and is still in the stream.
        (&[1, 2], &[1, 2], &[1, 2], vec![]),
        // Lost positions are nobody's on either side.
        (&[1, 4], &[], &[1, 4], vec![]),
        (&[1, 2, 3], &[], &[1, 3], vec![not_in_store(2)]),
        (&[1, 3], &[], &[1, 2, 3], vec![not_in_ledger(2)]),
        // Issued after the comparison began.
        (&[1, 2, 3, 4], &[], &[1, 2, 3, 5], vec![]),
    ] {
        let readings = Readings {
            until: 3,
            ledger: Some(all(ledger)),
            pending: all(pending),
            store: all(store),
        };
        let found = compare(coupon_id(1), readings);
        assert_eq!(found.differences, expected, "{ledger:?} {pending:?} {store:?}");
        assert_eq!(found.is_sound(), expected.is_empty());
    }
}

#[test]
fn another_holder_of_a_position_is_a_difference_and_so_is_another_time() {
    let later = Holding {
        issued_at: at(99),
        ..held(1, 1)
    };
    for other in [held(1, 2), later] {
        let readings = Readings {
            until: 9,
            ledger: Some(vec![held(1, 1)]),
            pending: Vec::new(),
            store: vec![other.clone()],
        };
        let expected = Difference::Unlike {
            ledger: held(1, 1),
            store: other,
        };
        assert_eq!(compare(coupon_id(1), readings).differences, [expected]);
    }
}

#[test]
fn sums_do_not_depend_on_order_and_tell_contents_apart() {
    let some = all(&[1, 2, 3]);
    let turned: Vec<Holding> = some.iter().rev().cloned().collect();
    assert_eq!(Sum::of(&some), Sum::of(&turned));
    for other in [
        all(&[1, 2]),
        all(&[1, 2, 4]),
        vec![held(1, 1), held(2, 3), held(3, 2)],
    ] {
        assert_ne!(Sum::of(&some), Sum::of(&other));
    }
}

#[test]
fn without_a_state_nothing_is_missing_from_it() {
    let readings = Readings {
        until: 2,
        ledger: None,
        pending: Vec::new(),
        store: all(&[1, 2]),
    };
    assert!(compare(coupon_id(1), readings).is_sound());
}
