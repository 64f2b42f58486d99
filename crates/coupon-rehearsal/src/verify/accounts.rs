//! I8 and I9: every attempt has one outcome and every unknown a definite end; the server's numbers agree.

use super::case::Case;
use super::findings::{Check, FindingKind, Invariant};
use crate::numbers::{counted, grouped};
use crate::outcome::Outcome;

/// I8.
pub(super) fn of_attempts(case: &Case<'_>) -> Check {
    let attempts = u64::try_from(case.history.attempts.len()).unwrap_or(u64::MAX);
    let in_doubt = case.users.iter().filter(|user| user.was_in_doubt()).count();
    let mut check = Check::of(Invariant::I8).with_evidence(format!(
        "{} attempts with one outcome each; users once in doubt: {}",
        grouped(attempts),
        counted(in_doubt)
    ));
    note_uncounted(case, &mut check, attempts);
    for (user, asked) in case.numbered_users().filter(|(_, asked)| asked.is_in_doubt()) {
        check.note(FindingKind::UnresolvedUnknown, || {
            let holds = if asked.holds > 0 {
                "holds one"
            } else {
                "holds none"
            };
            format!("{} never got a definite answer, and {holds}", case.name(user))
        });
    }
    let unexpected = case
        .history
        .attempts
        .iter()
        .filter(|attempt| attempt.outcome == Outcome::Unexpected);
    for attempt in unexpected {
        check.note(FindingKind::UnexpectedAnswer, || {
            let note = attempt.note.as_deref().unwrap_or("no note");
            format!(
                "{} was answered {}: {note}",
                case.name(attempt.user),
                attempt.status
            )
        });
    }
    check
}

fn note_uncounted(case: &Case<'_>, check: &mut Check, attempts: u64) {
    let Some(end) = &case.history.end else {
        check.note(FindingKind::UncountedAttempts, || {
            "the history was cut short".to_owned()
        });
        return;
    };
    if end.sent != attempts {
        check.note_many(
            FindingKind::UncountedAttempts,
            end.sent.abs_diff(attempts),
            || format!("{} requests were sent and {attempts} are recorded", end.sent),
        );
    }
    if end.never_sent > 0 {
        check.note_many(FindingKind::NeverSent, end.never_sent, || {
            format!(
                "{} asks could not be sent: the server stayed away",
                end.never_sent
            )
        });
    }
}

/// I9, as far as it can be seen from outside.
pub(super) fn of_the_server(case: &Case<'_>) -> Check {
    let held = case.state.issued();
    let sources: Vec<&str> = case
        .state
        .claims
        .iter()
        .map(|claim| claim.source.as_str())
        .collect();
    let said_by = if sources.is_empty() {
        "nothing else".to_owned()
    } else {
        sources.join(" and ")
    };
    let mut check =
        Check::of(Invariant::I9).with_evidence(format!("{} listed, compared with {said_by}", grouped(held)));
    let remains = case
        .history
        .header
        .coupon
        .quantity
        .map(|quantity| quantity.saturating_sub(held));
    for claim in &case.state.claims {
        if let Some(issued) = claim.issued.filter(|issued| *issued != held) {
            check.note(FindingKind::CountsDisagree, || {
                format!("{}: {issued} issued, {held} listed", claim.source)
            });
        }
        if let (Some(said), Some(remains)) = (claim.remaining, remains)
            && said != remains
        {
            check.note(FindingKind::CountsDisagree, || {
                format!("{}: {said} remaining where {remains} are left", claim.source)
            });
        }
    }
    check
}
