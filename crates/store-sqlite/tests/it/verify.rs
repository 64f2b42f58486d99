//! Verifying: each kind of difference is found and named.

use crate::redeem::{cancel, redeem, revoke, take};
use crate::scene::{Scene, coupon, entry, issues, revision, token, wait};
use coupon_app::{RecordStore, RedemptionRequest};
use store_sqlite::{Difference, verify};

/// What is found in a store of thirty rows, of which some are in the index and some are not, after `change`.
fn differences(change: &str) -> Vec<Difference> {
    let scene = Scene::new();
    let store = scene.open_folding(25);
    let mut records = vec![revision(coupon(1, Some(30)), 0), revision(coupon(2, None), 0)];
    records.extend(issues(1, 1, 25));
    wait(store.apply(&[entry(1, records)])).unwrap();
    wait(store.apply(&[entry(2, issues(1, 26, 30))])).unwrap();
    take(
        &store,
        &[
            redeem(5, "a"),
            cancel(5, "a"),
            with_token(redeem(5, "b"), 1),
            with_token(redeem(6, "a"), 2),
            revoke(7),
        ],
    );
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

/// The same request with an idempotency key.
fn with_token(request: RedemptionRequest, scope: u8) -> RedemptionRequest {
    RedemptionRequest {
        token: Some(token(scope, 1)),
        ..request
    }
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
fn a_fold_that_says_it_has_come_further_than_it_has_is_named() {
    let said = said("UPDATE coupons SET folding_through = 30; INSERT INTO fold VALUES (1, x'7e', 1)");
    assert!(
        said.contains("holders has 25 users up to position 25, and they are not those of the 30 rows"),
        "{said}"
    );
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
    let missing =
        said("DELETE FROM audit_log WHERE coupon_id = 2; DELETE FROM coupon_revisions WHERE coupon_id = 2");
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
    let said = said(
        "DELETE FROM audit_log; DELETE FROM coupons WHERE id = 1; DELETE FROM coupon_revisions WHERE coupon_id = 1",
    );
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
    let redeemed = said("UPDATE issued_coupons SET redeemed_at = 1, order_id = 'o' WHERE position = 2");
    assert!(
        redeemed.contains("redeemed is kept as 2, and the rows make 3"),
        "{redeemed}"
    );
}

#[test]
fn a_history_that_cannot_be_or_says_something_else_is_named() {
    for (change, expected) in [
        (
            "DELETE FROM redemption_history WHERE issued_coupon = (1 << 32) + 5 AND number = 2",
            "issued coupon 1-5: I14: step 3 where 2 was due",
        ),
        (
            "UPDATE redemption_history SET step = 'redeemed', order_amount = 1 WHERE issued_coupon = (1 << 32) + 5 AND number = 2",
            "issued coupon 1-5: I14: redeemed a second time at step 2",
        ),
        (
            "UPDATE redemption_history SET order_id = 'c' WHERE issued_coupon = (1 << 32) + 5 AND number = 2",
            "issued coupon 1-5: I14: a use given back that did not stand, at step 2",
        ),
        (
            "UPDATE first_steps SET order_amount = 1 WHERE issued_coupon = (1 << 32) + 6",
            "issued coupon 1-6: its history comes to something else",
        ),
        (
            "UPDATE issued_coupons SET steps = 4 WHERE position = 5",
            "issued coupon 1-5: its history comes to something else",
        ),
        (
            "UPDATE issued_coupons SET redeemed_at = redeemed_at + 1 WHERE position = 6",
            "issued coupon 1-6: its history comes to something else",
        ),
        (
            "UPDATE issued_coupons SET order_amount = NULL WHERE position = 6",
            "issued coupon 1-6: damaged: 1-6 is redeemed in part",
        ),
        (
            "UPDATE coupons SET cancelled = 2",
            "coupon 1: cancelled is kept as 2, and the rows make 1",
        ),
        (
            "DELETE FROM first_steps WHERE issued_coupon = (1 << 32) + 7",
            "issued coupon 1-7: its history comes to something else",
        ),
        (
            "UPDATE first_steps SET issued_coupon = (1 << 32) + 8 WHERE issued_coupon = (1 << 32) + 7",
            "1 steps in histories of issued coupons that do not have them",
        ),
        (
            "UPDATE issued_coupons SET first_step = (SELECT first_step FROM issued_coupons WHERE position = 5) WHERE position = 6",
            "issued coupon 1-6: its history comes to something else",
        ),
        (
            "UPDATE redemption_history SET issued_coupon = (1 << 32) + 8 WHERE issued_coupon = (1 << 32) + 5",
            "2 steps in histories of issued coupons that do not have them",
        ),
        (
            "DELETE FROM redemption_history WHERE issued_coupon = (1 << 32) + 5 AND number = 3",
            "1 answers for idempotency keys are kept of steps that are not there",
        ),
        (
            "UPDATE issued_coupons SET first_step = NULL WHERE position = 6",
            "1 answers for idempotency keys are kept of steps that are not there",
        ),
    ] {
        let said = said(change);
        assert!(said.contains(expected), "{change}: {said}");
    }
}
