//! One fault of each kind in a history that was clean, and exactly the finding that names it.

use coupon_rehearsal::{Attempt, FindingKind, Outcome};
use jiff::SignedDuration;

use crate::evidence::{MS, QUANTITY, at, clean, code, issued_at, refusal, start};

#[test]
fn a_clean_history_passes() {
    let verdict = clean().verdict();
    assert!(verdict.passed(), "{:?}", verdict.checks);
    assert_eq!(verdict.checks.len(), 10);
}

#[test]
fn the_order_of_lines_and_of_pages_does_not_matter() {
    let mut evidence = clean();
    evidence.history.attempts.reverse();
    evidence.issued.reverse();
    assert_eq!(evidence.found(), []);
}

#[test]
fn requests_that_overlap_may_be_decided_in_either_order() {
    let mut evidence = clean().without(3).without(4);
    evidence.issue(3, 5);
    evidence.issue(4, 4);
    evidence.attempt(3).answered_ns = 4 * MS + 11;
    assert_eq!(evidence.found(), []);
}

#[test]
fn a_lost_acknowledgement_is_found() {
    for user in [4, 9] {
        let mut evidence = clean();
        evidence.issued.remove(user);
        assert_eq!(
            evidence.found(),
            [FindingKind::LostAcknowledgement],
            "user {user}"
        );
    }
}

#[test]
fn a_user_with_two_coupons_is_found() {
    let mut evidence = clean().without(9);
    evidence.hold_for(&evidence.history.header.user_prefix.name(3), "OTHER", QUANTITY);
    evidence.refuse(9, Outcome::SoldOut);
    assert_eq!(evidence.found(), [FindingKind::DuplicateUser]);
}

#[test]
fn a_user_who_wins_twice_is_found() {
    let mut evidence = clean();
    let again = Attempt {
        status: 201,
        outcome: Outcome::Issued,
        ..evidence.history.attempts[1].clone()
    };
    evidence.push(at(again, 40 * MS));
    assert_eq!(evidence.found(), [FindingKind::IssuedTwice]);
}

#[test]
fn a_gap_in_the_positions_is_found() {
    let mut evidence = clean().without(9);
    evidence.issue(9, QUANTITY + 1);
    assert_eq!(evidence.found(), [FindingKind::PositionGap]);
}

#[test]
fn a_position_below_one_is_found() {
    let mut evidence = clean().without(0);
    evidence.issue(0, 0);
    let found = evidence.found();
    assert_eq!(found, [FindingKind::PositionGap]);
}

#[test]
fn a_position_that_is_used_twice_is_found() {
    let mut evidence = clean().without(9);
    evidence.issue(9, 9);
    assert_eq!(evidence.found(), [FindingKind::PositionReused]);
}

#[test]
fn a_code_that_is_used_twice_is_found() {
    let mut evidence = clean();
    evidence.issued[9].code = code(8);
    evidence.attempt(9).code = coupon_rehearsal::Code::parse(&code(8));
    assert_eq!(evidence.found(), [FindingKind::IdentityReused]);
}

#[test]
fn an_id_that_is_not_its_positions_is_found() {
    let mut evidence = clean();
    evidence.issued[9].id = Some("1-9".to_owned());
    assert_eq!(evidence.found(), [FindingKind::IdentityReused]);
}

#[test]
fn one_coupon_too_many_is_found() {
    let mut evidence = clean().without(10);
    evidence.issue(10, QUANTITY + 1);
    assert_eq!(evidence.found(), [FindingKind::OverIssued]);
}

#[test]
fn one_coupon_too_few_is_found() {
    let mut evidence = clean().without(9);
    evidence.refuse(9, Outcome::SoldOut);
    assert_eq!(evidence.found(), [FindingKind::UnderIssued]);
}

#[test]
fn an_order_inversion_is_found() {
    let mut evidence = clean().without(3).without(4);
    evidence.issue(3, 5);
    evidence.issue(4, 4);
    assert_eq!(evidence.found(), [FindingKind::OrderInverted]);
}

#[test]
fn an_inversion_far_apart_is_found() {
    let mut evidence = clean().without(0).without(9);
    evidence.issue(0, 10);
    evidence.issue(9, 1);
    assert_eq!(evidence.found(), [FindingKind::OrderInverted]);
}

#[test]
fn an_issue_that_nobody_asked_for_is_found() {
    let mut evidence = clean().without(9);
    evidence.hold_for("somebody", "OTHER", QUANTITY);
    evidence.refuse(9, Outcome::SoldOut);
    assert_eq!(evidence.found(), [FindingKind::PhantomIssue]);

    let mut evidence = clean().without(9);
    evidence.hold(9, QUANTITY);
    assert_eq!(evidence.found(), [FindingKind::PhantomIssue]);
}

#[test]
fn an_effect_behind_an_answer_that_promised_none_is_found() {
    for outcome in [Outcome::Unavailable, Outcome::RateLimited, Outcome::NotYetOpen] {
        let mut evidence = clean().without(9);
        evidence.hold(9, QUANTITY);
        let mut early = refusal(9, outcome);
        early.sent_ns = 0;
        evidence.push(early);
        assert_eq!(evidence.found(), [FindingKind::SilentEffect], "{outcome:?}");
    }
}

#[test]
fn an_unknown_that_was_never_resolved_is_found() {
    let mut evidence = clean().without(19);
    evidence.refuse(19, Outcome::Unknown);
    assert_eq!(evidence.found(), [FindingKind::UnresolvedUnknown]);
}

#[test]
fn a_refusal_from_before_the_doubt_does_not_resolve_it() {
    let mut evidence = clean().without(19);
    evidence.push(at(refusal(19, Outcome::NotYetOpen), 0));
    evidence.refuse(19, Outcome::Unknown);
    assert_eq!(evidence.found(), [FindingKind::UnresolvedUnknown]);
}

#[test]
fn another_position_on_asking_again_is_found() {
    let mut evidence = clean();
    evidence
        .history
        .attempts
        .iter_mut()
        .rfind(|attempt| attempt.user == 0)
        .unwrap()
        .position = Some(2);
    assert_eq!(evidence.found(), [FindingKind::PositionChanged]);
}

#[test]
fn a_changed_code_or_time_is_found() {
    let mut evidence = clean();
    evidence.issued[2].code = "CHANGED".to_owned();
    assert_eq!(evidence.found(), [FindingKind::DetailsChanged]);

    let mut evidence = clean();
    evidence.attempt(2).issued_at_us = Some(0);
    assert_eq!(evidence.found(), [FindingKind::DetailsChanged]);
}

#[test]
fn time_that_runs_back_is_found() {
    let mut evidence = clean();
    let early = issued_at(3) - SignedDuration::from_micros(1);
    evidence.issued[3].issued_at = early;
    evidence.attempt(3).issued_at_us = Some(early.as_microsecond());
    assert_eq!(evidence.found(), [FindingKind::TimeRanBack]);
}

#[test]
fn an_issue_outside_the_window_is_found() {
    let mut late = clean();
    late.history.header.coupon.closes_at = issued_at(QUANTITY);
    assert_eq!(late.found(), [FindingKind::OutsideWindow]);

    let mut early = clean();
    early.history.header.coupon.opens_at = issued_at(1) + SignedDuration::from_micros(1);
    assert_eq!(early.found(), [FindingKind::OutsideWindow]);

    let mut on_the_edges = clean();
    on_the_edges.history.header.coupon.opens_at = issued_at(1);
    on_the_edges.history.header.coupon.closes_at = issued_at(QUANTITY) + SignedDuration::from_micros(1);
    assert_eq!(on_the_edges.found(), []);
}

#[test]
fn attempts_that_are_not_accounted_for_are_found() {
    let mut evidence = clean();
    evidence.history.end.as_mut().unwrap().sent += 1;
    assert_eq!(evidence.found(), [FindingKind::UncountedAttempts]);

    let mut cut_short = clean();
    cut_short.history.end = None;
    assert_eq!(cut_short.found(), [FindingKind::UncountedAttempts]);
}

#[test]
fn asks_that_were_never_sent_are_found() {
    let mut evidence = clean();
    evidence.history.end.as_mut().unwrap().never_sent = 3;
    assert_eq!(evidence.found(), [FindingKind::NeverSent]);
}

#[test]
fn an_answer_outside_the_interface_is_found() {
    let mut evidence = clean();
    evidence.attempt(19).outcome = Outcome::Unexpected;
    assert_eq!(evidence.found(), [FindingKind::UnexpectedAnswer]);
}

#[test]
fn counts_that_disagree_are_found() {
    for claim in [(9, 0), (10, 1)] {
        let mut evidence = clean();
        evidence.claim = Some(claim);
        assert_eq!(evidence.found(), [FindingKind::CountsDisagree]);
    }
}

#[test]
fn what_was_issued_before_the_rehearsal_is_nobodys_fault() {
    let mut evidence = clean();
    for (user, older) in (0..QUANTITY).zip(&mut evidence.issued) {
        older.user_id = format!("customer-{user}");
        older.issued_at = start() - SignedDuration::from_secs(60);
    }
    evidence.history.header.coupon.issued = QUANTITY;
    for attempt in &mut evidence.history.attempts {
        *attempt = at(refusal(attempt.user, Outcome::SoldOut), attempt.intended_ns);
    }
    assert_eq!(evidence.found(), []);
    evidence.issued[9].user_id = evidence.issued[8].user_id.clone();
    assert_eq!(evidence.found(), [FindingKind::DuplicateUser]);
}

#[test]
fn a_finding_counts_all_and_shows_a_few() {
    let mut evidence = clean();
    evidence.issued.clear();
    let verdict = evidence.verdict();
    let lost = verdict.findings().next().unwrap();
    assert_eq!(
        (lost.kind, lost.count, lost.examples.len()),
        (FindingKind::LostAcknowledgement, 10, 5)
    );
}
