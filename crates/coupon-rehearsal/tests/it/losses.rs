//! What the server lost with its ledger's state, and says so: told, and no fault. What it does not say is one.

use coupon_rehearsal::{Attempt, Code, FindingKind, Invariant, Outcome};

use crate::evidence::{Evidence, MS, QUANTITY, at, clean, code, issued_at, refusal};

/// The user asks at this time and wins this position, which the server holds.
fn wins_late(evidence: &mut Evidence, user: u32, position: u64, sent_ns: u64) {
    let won = Attempt {
        status: 201,
        position: Some(position),
        issued_at_us: Some(issued_at(position).as_microsecond()),
        code: Code::parse(&code(user)),
        ..refusal(user, Outcome::Issued)
    };
    evidence.push(at(won, sent_ns));
    evidence.hold(user, position);
}

/// Positions 5, 6 and 10 are gone: of user 4, of user 5, who never got the first answer, and of user 9. User 4 asks
/// again and wins again; so do two others who had been told "sold out" when that was true.
fn after_a_loss() -> Evidence {
    let mut evidence = clean();
    let gone = [4, 5, 9].map(|user| evidence.history.header.user_prefix.name(user));
    evidence.issued.retain(|issued| !gone.contains(&issued.user_id));
    evidence.lost = vec![(10, 10), (5, 6)];
    for (place, user) in [(0, 4), (1, 15), (2, 12)] {
        wins_late(&mut evidence, user, QUANTITY + 1 + place, (50 + place) * MS);
    }
    evidence
}

#[test]
fn what_was_lost_and_counted_is_named_and_no_fault() {
    let evidence = after_a_loss();
    let verdict = evidence.verdict();
    assert_eq!(evidence.found(), []);
    assert_eq!(verdict.lost_and_counted(), 3);
    let remarks = |invariant| {
        let check = verdict.checks.iter().find(|check| check.invariant == invariant);
        let remarks = &check.unwrap().remarks;
        assert!(
            remarks
                .iter()
                .all(|remark| remark.kind == FindingKind::LostAndCounted),
            "{remarks:?}"
        );
        remarks[0].examples.clone()
    };
    let name = |user| evidence.history.header.user_prefix.name(user);
    let lost = remarks(Invariant::I3);
    for (user, said) in [(4, "position 5, "), (5, "position 6, "), (9, "position 10, ")] {
        let named = lost
            .iter()
            .any(|one| one.contains(&name(user)) && one.contains(said));
        assert!(named, "{user}: {lost:?}");
    }
    assert!(lost[0].ends_with("holds position 11"), "{lost:?}");
    assert_eq!(
        remarks(Invariant::I5),
        [
            "positions 5 to 6 were lost with the ledger's state",
            "position 10 was lost with the ledger's state"
        ]
    );
}

#[test]
fn what_is_gone_and_not_counted_is_a_fault() {
    let mut evidence = after_a_loss();
    evidence.lost = vec![(5, 6)];
    assert_eq!(evidence.found(), [FindingKind::LostAcknowledgement]);
    assert_eq!(evidence.verdict().lost_and_counted(), 2);

    let mut nothing_said = after_a_loss();
    nothing_said.lost.clear();
    assert!(!nothing_said.verdict().passed());
    assert_eq!(nothing_said.verdict().lost_and_counted(), 0);
}

#[test]
fn a_gap_is_a_fault_as_far_as_it_is_not_counted() {
    let mut evidence = after_a_loss();
    wins_late(&mut evidence, 18, QUANTITY + 6, 60 * MS);
    evidence.history.header.coupon.quantity = Some(QUANTITY + 1);
    evidence.lost = vec![(5, 6), (10, 10), (14, 14)];
    let verdict = evidence.verdict();
    let gaps: Vec<_> = verdict.findings().map(|one| (one.kind, one.count)).collect();
    assert_eq!(gaps, [(FindingKind::PositionGap, 1)]);
}

#[test]
fn an_answer_that_waited_for_the_store_may_not_be_lost() {
    let mut evidence = after_a_loss();
    evidence.waits_for_the_store = true;
    let found = evidence.found();
    assert!(found.contains(&FindingKind::LostAcknowledgement), "{found:?}");
    assert!(found.contains(&FindingKind::PositionChanged), "{found:?}");
    assert_eq!(evidence.verdict().lost_and_counted(), 0);
    // A gap that nobody was told of is no broken promise.
    let mut unanswered = clean().without(9);
    unanswered.waits_for_the_store = true;
    unanswered.lost = vec![(QUANTITY, QUANTITY)];
    wins_late(&mut unanswered, 9, QUANTITY + 1, 9 * MS);
    assert_eq!(unanswered.found(), []);
}

#[test]
fn a_lost_position_is_never_used_again() {
    let mut evidence = after_a_loss();
    evidence.lost.push((11, 11));
    assert_eq!(evidence.found(), [FindingKind::PositionReused]);
}

#[test]
fn a_loss_excuses_no_refusal_that_came_after_it() {
    let mut evidence = after_a_loss();
    evidence.push(at(refusal(4, Outcome::SoldOut), 70 * MS));
    assert_eq!(evidence.found(), [FindingKind::UntrueSoldOut]);
}
