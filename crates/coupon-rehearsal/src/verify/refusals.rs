//! I7: a refusal is a statement about the world, and the rest of the history can prove it false.

use super::case::Case;
use super::findings::{Check, FindingKind, Invariant};
use super::state::Holder;
use crate::history::Attempt;
use crate::numbers::counted;
use crate::outcome::Outcome;

/// I7.
pub(super) fn are_true(case: &Case<'_>) -> Check {
    let mut check = Check::of(Invariant::I7);
    let refusals = case
        .history
        .attempts
        .iter()
        .filter(|attempt| attempt.outcome.is_refusal())
        .count();
    let first_opened_ns = case
        .users
        .iter()
        .map(|user| user.known_ns)
        .min()
        .unwrap_or(u64::MAX);
    let nobody_changed_it = match (case.history.header.coupon.revision, case.state.revision) {
        (Some(before), Some(after)) => before == after,
        _ => false,
    };
    for attempt in &case.history.attempts {
        match attempt.outcome {
            Outcome::SoldOut => sold_out(case, &mut check, attempt),
            Outcome::Closed => closed(case, &mut check, attempt),
            Outcome::NotYetOpen if attempt.sent_ns > first_opened_ns => {
                untrue(case, &mut check, attempt, "after somebody had been issued one");
            }
            Outcome::Paused if nobody_changed_it => {
                untrue(case, &mut check, attempt, "and nobody had paused it")
            }
            Outcome::UnknownCoupon => untrue(case, &mut check, attempt, "and it exists"),
            Outcome::NotYetOpen
            | Outcome::Paused
            | Outcome::Issued
            | Outcome::AlreadyIssued
            | Outcome::RateLimited
            | Outcome::Unavailable
            | Outcome::Unknown
            | Outcome::Unexpected => {}
        }
    }
    note_issues_after_the_end(case, &mut check);
    check.with_evidence(format!(
        "{} refusals held against what was issued",
        counted(refusals)
    ))
}

/// Already-issued comes before sold-out, so a holder is never told so.
fn sold_out(case: &Case<'_>, check: &mut Check, attempt: &Attempt) {
    let asked = &case.users[attempt.user as usize];
    // It was true then, and what was lost later was there for whoever asked again.
    let lost_since = case.is_after_a_loss(asked.held_position) && attempt.sent_ns < asked.known_ns;
    let why = if case.history.header.coupon.quantity.is_none() {
        "and there is no limit"
    } else if asked.holds > 0 && !lost_since {
        "and holds one"
    } else {
        return;
    };
    check.note(FindingKind::UntrueSoldOut, || {
        format!("{} was told sold-out {why}", case.name(attempt.user))
    });
}

/// Already-issued comes before closed, and after closing nothing is issued any more.
fn closed(case: &Case<'_>, check: &mut Check, attempt: &Attempt) {
    if case.users[attempt.user as usize].holds > 0 {
        untrue(case, check, attempt, "and holds one");
    }
}

fn untrue(case: &Case<'_>, check: &mut Check, attempt: &Attempt, why: &str) {
    check.note(FindingKind::UntrueRefusal, || {
        format!(
            "{} was told {} {why}",
            case.name(attempt.user),
            attempt.outcome.name()
        )
    });
}

/// Whoever asked only after somebody knew that it was sold out (or closed) cannot have won, unless that was not true.
fn note_issues_after_the_end(case: &Case<'_>, check: &mut Check) {
    let ends = [
        (Outcome::SoldOut, FindingKind::UntrueSoldOut),
        (Outcome::Closed, FindingKind::UntrueRefusal),
    ];
    for (outcome, kind) in ends {
        let told = case
            .history
            .attempts
            .iter()
            .filter(|attempt| attempt.outcome == outcome);
        let Some(end_ns) = told.map(|attempt| attempt.answered_ns).min() else {
            continue;
        };
        for holding in &case.holdings {
            let Holder::Own(user) = holding.holder else {
                continue;
            };
            let asked = &case.users[user as usize];
            // A holder who was refused in person has been noted already.
            let is_news = !asked.was_told(outcome);
            if outcome == Outcome::SoldOut && case.is_after_a_loss(holding.position) {
                continue;
            }
            let Some(from_ns) = asked
                .earliest_decision_ns()
                .filter(|from_ns| is_news && *from_ns > end_ns)
            else {
                continue;
            };
            check.note(kind, || {
                let (name, position, after_us) =
                    (case.name(user), holding.position, (from_ns - end_ns) / 1_000);
                let word = outcome.name();
                format!("{word} was answered {after_us} us before {name} asked and got position {position}")
            });
        }
    }
}
