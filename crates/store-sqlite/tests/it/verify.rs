//! Verifying: each kind of difference is found and named.

use crate::scene::{Scene, coupon, entry, issues, revision, wait};
use coupon_app::RecordStore;
use store_sqlite::{Difference, verify};

/// What is found in a store of thirty rows, of which some are in the index and some are not, after `change`.
fn differences(change: &str) -> Vec<Difference> {
    let scene = Scene::new();
    let store = scene.open_folding(25);
    let mut records = vec![revision(coupon(1, Some(30)), 0), revision(coupon(2, None), 0)];
    records.extend(issues(1, 1, 25));
    wait(store.apply(&[entry(1, records)])).unwrap();
    wait(store.apply(&[entry(2, issues(1, 26, 30))])).unwrap();
    drop(store);
    assert_eq!(verify(&scene.path()).unwrap().differences, []);
    let connection = scene.connection();
    connection
        .execute_batch("PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF;")
        .unwrap();
    connection.execute_batch(change).unwrap();
    drop(connection);
    verify(&scene.path()).unwrap().differences
}

fn said(change: &str) -> String {
    let found: Vec<String> = differences(change).iter().map(ToString::to_string).collect();
    assert!(!found.is_empty(), "nothing found after {change}");
    found.join("\n")
}

#[test]
fn a_counter_that_is_not_its_rows_is_named() {
    let said = said("UPDATE coupons SET issued = 29 WHERE id = 1");
    assert_eq!(said, "coupon 1: issued is kept as 29, and the rows make 30");
}

#[test]
fn a_lost_row_is_named() {
    let said = said("DELETE FROM issued_coupons WHERE position = 9");
    assert!(
        said.contains("issued is kept as 30, and the rows make 29"),
        "{said}"
    );
    assert!(
        said.contains("1 positions are missing up to 30, and quarantine explains 0"),
        "{said}"
    );
    assert!(said.contains("the sums of block 0"), "{said}");
    assert!(said.contains("holders has 25 users up to position 25"), "{said}");
}

#[test]
fn a_user_who_stands_twice_is_named() {
    let twice = said(
        "UPDATE issued_coupons SET user_id = (SELECT user_id FROM issued_coupons WHERE position = 28) WHERE position = 30",
    );
    assert_eq!(
        twice,
        "coupon 1: the user of position 30 has it at position 28 too"
    );
    let twice = said(
        "UPDATE issued_coupons SET user_id = (SELECT user_id FROM issued_coupons WHERE position = 3) WHERE position = 30",
    );
    assert_eq!(
        twice,
        "coupon 1: the user of position 30 has it at position 3 too"
    );
    let twice = said(
        "UPDATE issued_coupons SET user_id = (SELECT user_id FROM issued_coupons WHERE position = 3) WHERE position = 4",
    );
    assert!(twice.contains("they are not those of the 25 rows"), "{twice}");
}

#[test]
fn an_index_that_lies_is_named() {
    let said = said("UPDATE holders SET position = 7 WHERE position = 8");
    assert!(said.contains("they are not those of the 25 rows"), "{said}");
}

#[test]
fn more_than_the_quantity_is_named() {
    let said = said("UPDATE coupons SET quantity = 20 WHERE id = 1");
    assert!(said.contains("coupon 1: 30 issued of 20"), "{said}");
}

#[test]
fn times_that_run_back_are_named() {
    let said = said("UPDATE issued_coupons SET issued_at = 1 WHERE position = 17");
    assert_eq!(said, "coupon 1: issued_at decreases at position 17");
}

#[test]
fn a_missing_and_a_lying_revision_are_named() {
    let missing = said("DELETE FROM coupon_revisions WHERE coupon_id = 2");
    assert!(missing.contains("coupon 2: revision 1 is missing"), "{missing}");
    let lying = said("UPDATE coupons SET quantity = 31 WHERE id = 1");
    assert!(
        lying.contains("coupon 1: revision 1 says something else than the coupon"),
        "{lying}"
    );
    let unreadable = said("UPDATE coupon_revisions SET coupon = '{' WHERE coupon_id = 2");
    assert!(
        unreadable.contains("coupon 2: revision 1 cannot be read"),
        "{unreadable}"
    );
}

#[test]
fn rows_of_no_coupon_are_named() {
    let said = said("DELETE FROM coupons WHERE id = 1; DELETE FROM coupon_revisions WHERE coupon_id = 1");
    assert!(
        said.contains("issued coupons of coupon 1, which is not there"),
        "{said}"
    );
}

#[test]
fn a_user_who_cannot_be_one_and_sums_of_blocks_are_named() {
    let value = said("UPDATE issued_coupons SET user_id = x'00' WHERE position = 30");
    assert!(value.contains("a user id that cannot be one"), "{value}");
    let block = said("UPDATE issued_blocks SET unused = 3");
    assert_eq!(block, "coupon 1: the sums of block 0 are not those of its rows");
    let redeemed = said(
        "DROP TRIGGER issued_coupon_used; UPDATE issued_coupons SET redeemed_at = 1, order_id = 'o' WHERE position = 2",
    );
    assert!(
        redeemed.contains("redeemed is kept as 0, and the rows make 1"),
        "{redeemed}"
    );
}
