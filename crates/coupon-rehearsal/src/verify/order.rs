//! I6 and I12: the order of issue against the client's clock, and the times of issue against each other and the
//! window.

use jiff::Timestamp;

use super::case::Case;
use super::findings::{Check, FindingKind, Invariant};
use super::state::Holder;
use crate::numbers::counted;

/// An issue as the client could observe it.
struct Observed {
    user: u32,
    position: u64,
    /// The earliest moment at which it can have been decided.
    from_ns: u64,
    /// The moment at which it was known to have been decided; the end of time if never.
    known_ns: u64,
}

/// I6: whoever was answered before another's request was sent stands before them, and times of issue never fall.
pub(super) fn first_come(case: &Case<'_>) -> Check {
    let observed = observed(case);
    let mut check = Check::of(Invariant::I6).with_evidence(format!(
        "{} issues compared with the client's own clock",
        counted(observed.len())
    ));
    note_inversions(case, &mut check, &observed);
    for pair in case
        .holdings
        .windows(2)
        .filter(|pair| pair[1].issued_at_us < pair[0].issued_at_us)
    {
        check.note(FindingKind::TimeRanBack, || {
            let (before, after) = (pair[0].issued_at_us, pair[1].issued_at_us);
            let (first, second) = (pair[0].position, pair[1].position);
            format!(
                "position {second} was issued {} us before position {first}",
                before.saturating_sub(after)
            )
        });
    }
    check
}

/// Holders of more than one coupon have no single position; I2 reports them.
fn observed(case: &Case<'_>) -> Vec<Observed> {
    let mut observed = Vec::with_capacity(case.holdings.len());
    for holding in &case.holdings {
        let Holder::Own(user) = holding.holder else {
            continue;
        };
        let asked = &case.users[user as usize];
        if let Some(from_ns) = asked.earliest_decision_ns().filter(|_| asked.holds == 1) {
            observed.push(Observed {
                user,
                position: holding.position,
                from_ns,
                known_ns: asked.known_ns,
            });
        }
    }
    observed
}

/// Sweeps over time: of everything known by the moment a request was sent, only the highest position matters.
fn note_inversions(case: &Case<'_>, check: &mut Check, observed: &[Observed]) {
    let mut by_sending: Vec<&Observed> = observed.iter().collect();
    by_sending.sort_unstable_by_key(|issue| issue.from_ns);
    let mut by_answer: Vec<&Observed> = observed.iter().collect();
    by_answer.sort_unstable_by_key(|issue| issue.known_ns);
    let mut known = by_answer.into_iter().peekable();
    let mut highest: Option<&Observed> = None;
    for issue in by_sending {
        while let Some(answered) = known.next_if(|answered| answered.known_ns < issue.from_ns) {
            if highest.is_none_or(|highest| highest.position < answered.position) {
                highest = Some(answered);
            }
        }
        if let Some(before) = highest.filter(|before| before.position > issue.position) {
            check.note(FindingKind::OrderInverted, || {
                let waited_us = (issue.from_ns - before.known_ns) / 1_000;
                format!(
                    "{} knew position {} {waited_us} us before {} asked and got position {}",
                    case.name(before.user),
                    before.position,
                    case.name(issue.user),
                    issue.position
                )
            });
        }
    }
}

/// I12: the window is half-open.
pub(super) fn inside_the_window(case: &Case<'_>) -> Check {
    let coupon = &case.history.header.coupon;
    let (opens_us, closes_us) = (
        coupon.opens_at.as_microsecond(),
        coupon.closes_at.as_microsecond(),
    );
    let mut check = Check::of(Invariant::I12).with_evidence(format!(
        "{} times of issue, from {} and before {}",
        counted(case.holdings.len()),
        coupon.opens_at,
        coupon.closes_at
    ));
    for holding in case.holdings.iter().filter(|holding| !case.is_older(holding)) {
        if !(opens_us..closes_us).contains(&holding.issued_at_us) {
            check.note(FindingKind::OutsideWindow, || {
                let at = Timestamp::from_microsecond(holding.issued_at_us).unwrap_or_default();
                format!("position {} was issued at {at}", holding.position)
            });
        }
    }
    check
}
