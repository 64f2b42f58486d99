//! The board: what a server may say from memory.

use coupon_app::contract::{START, at, coupon_id, terms};
use coupon_app::{Board, Posted};
use coupon_core::Coupon;
use std::sync::Arc;

fn coupon(number: u32) -> Arc<Coupon> {
    Arc::new(Coupon::create(coupon_id(number), terms(9), START).unwrap())
}

fn board_of(count: u32) -> Board {
    let board = Board::new();
    for number in 1..=count {
        board.post_coupon(&coupon(number));
    }
    board
}

fn numbers(page: &[Posted]) -> Vec<u32> {
    page.iter().map(|posted| posted.coupon.id.get()).collect()
}

#[test]
fn coupons_are_listed_in_order_of_id_after_the_last_one_seen() {
    let board = board_of(5);
    let mut gone = Coupon::clone(&coupon(3));
    gone.deleted = true;
    board.post_coupon(&Arc::new(gone));
    assert_eq!(numbers(&board.list(None, 9)), [1, 2, 4, 5]);
    assert_eq!(numbers(&board.list(None, 2)), [1, 2]);
    assert_eq!(
        numbers(&board.list(Some(coupon_id(2)), 1)),
        [4],
        "a deleted one takes no place"
    );
    assert_eq!(numbers(&board.list(Some(coupon_id(3)), 9)), [4, 5]);
    assert_eq!(numbers(&board.list(Some(coupon_id(5)), 9)), [0; 0]);
    assert!(board.get(coupon_id(3)).is_none() && board.get(coupon_id(6)).is_none());
}

#[test]
fn what_is_stored_never_goes_back_and_what_is_not_is_pending() {
    let board = board_of(2);
    let (one, two) = (coupon_id(1), coupon_id(2));
    assert_eq!(board.pending(), []);
    board.post_issued(one, 3, at(1), at(7));
    board.post_issued(two, 1, at(2), at(2));
    assert_eq!(board.pending(), [one, two]);
    board.post_stored(two, 1);
    board.post_stored(one, 2);
    board.post_stored(one, 1);
    assert_eq!(board.pending(), [one]);
    let posted = board.get(one).unwrap();
    assert_eq!((posted.issued, posted.stored), (3, 2));
    assert_eq!(
        (posted.first_issued_at, posted.last_issued_at),
        (Some(at(1)), Some(at(7)))
    );
    board.post_stored(one, 3);
    assert_eq!(board.pending(), []);
}

#[test]
fn a_new_revision_keeps_the_counts_and_nothing_issued_has_no_times() {
    let board = board_of(2);
    board.post_issued(coupon_id(1), 3, at(1), at(7));
    let mut paused = Coupon::clone(&coupon(1));
    paused.paused = true;
    board.post_coupon(&Arc::new(paused));
    let posted = board.get(coupon_id(1)).unwrap();
    assert_eq!((posted.coupon.paused, posted.issued), (true, 3));
    let fresh = board.get(coupon_id(2)).unwrap();
    assert_eq!(
        (fresh.issued, fresh.first_issued_at, fresh.last_issued_at),
        (0, None, None)
    );
    board.post_issued(coupon_id(9), 1, at(1), at(1));
    assert!(
        board.get(coupon_id(9)).is_none(),
        "what was never published is not there"
    );
}
