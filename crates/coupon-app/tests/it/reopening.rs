//! When a coupon's state may not be used.

use coupon_app::contract::{START, coupon_id, terms};
use coupon_app::{Flaw, LedgerMark, StateStanding, flaw};
use coupon_core::Coupon;

#[test]
fn a_state_is_used_only_if_it_is_whole_of_the_present_epoch_and_not_fenced() {
    let mark = LedgerMark {
        coupon: Coupon::create(coupon_id(1), terms(0), START).unwrap(),
        epoch: 2,
        identity: None,
        highest: 7,
        issued: 6,
        lost: 1,
    };
    let state = |epoch, last_position, fenced| {
        Some(StateStanding {
            epoch,
            last_position,
            fenced,
        })
    };
    let behind = |found, seen| Some(Flaw::Behind { found, seen });
    let other = |found| Some(Flaw::OtherEpoch { found, present: 2 });
    for (standing, seen, expected) in [
        (state(2, 7, false), 0, None),
        (state(2, 9, false), 9, None),
        (None, 0, Some(Flaw::Gone)),
        (state(1, 7, false), 0, other(1)),
        (state(3, 7, false), 0, other(3)),
        (state(2, 6, false), 0, behind(6, 7)),
        (state(2, 8, false), 9, behind(8, 9)),
        (state(2, 7, true), 0, Some(Flaw::Fenced)),
    ] {
        assert_eq!(flaw(&mark, standing, seen), expected, "{standing:?}, seen {seen}");
    }
}
