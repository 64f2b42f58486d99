//! Refusals that the rest of the history proves false, and refusals that only look so.

use coupon_rehearsal::{FindingKind, Outcome};

use crate::evidence::{MS, at, clean, refusal};

#[test]
fn sold_out_before_a_winner_had_asked_is_found() {
    let mut evidence = clean();
    evidence.push(at(refusal(19, Outcome::SoldOut), 8 * MS));
    assert_eq!(evidence.found(), [FindingKind::UntrueSoldOut]);
}

#[test]
fn sold_out_while_the_last_winner_was_waiting_is_true() {
    let mut evidence = clean();
    let mut early = at(refusal(19, Outcome::SoldOut), 8 * MS);
    early.answered_ns = 9 * MS + 11;
    evidence.push(early);
    assert_eq!(evidence.found(), []);
}

#[test]
fn sold_out_to_a_holder_is_found() {
    let mut evidence = clean();
    evidence.push(at(refusal(2, Outcome::SoldOut), 50 * MS));
    assert_eq!(evidence.found(), [FindingKind::UntrueSoldOut]);
}

#[test]
fn sold_out_without_a_limit_is_found() {
    let mut evidence = clean();
    evidence.history.header.coupon.quantity = None;
    let found = evidence.found();
    assert!(found.contains(&FindingKind::UntrueSoldOut), "{found:?}");
}

#[test]
fn closed_before_a_winner_had_asked_is_found() {
    let mut evidence = clean();
    evidence.push(at(refusal(19, Outcome::Closed), 8 * MS));
    assert_eq!(evidence.found(), [FindingKind::UntrueRefusal]);
}

#[test]
fn closed_to_a_holder_is_found() {
    let mut evidence = clean();
    evidence.push(at(refusal(2, Outcome::Closed), 50 * MS));
    assert_eq!(evidence.found(), [FindingKind::UntrueRefusal]);
}

#[test]
fn not_yet_open_is_true_only_until_somebody_has_one() {
    let mut evidence = clean();
    let mut in_time = refusal(19, Outcome::NotYetOpen);
    in_time.sent_ns = 10;
    evidence.push(in_time);
    assert_eq!(evidence.found(), []);
    evidence.refuse(18, Outcome::NotYetOpen);
    assert_eq!(evidence.found(), [FindingKind::UntrueRefusal]);
}

#[test]
fn paused_is_true_only_if_somebody_may_have_paused_it() {
    let mut evidence = clean();
    evidence.refuse(19, Outcome::Paused);
    assert_eq!(evidence.found(), [FindingKind::UntrueRefusal]);
    evidence.revision = Some(3);
    assert_eq!(evidence.found(), []);
    evidence.revision = None;
    assert_eq!(evidence.found(), []);
}

#[test]
fn an_existing_coupon_is_never_unknown() {
    let mut evidence = clean();
    evidence.refuse(19, Outcome::UnknownCoupon);
    assert_eq!(evidence.found(), [FindingKind::UntrueRefusal]);
}
