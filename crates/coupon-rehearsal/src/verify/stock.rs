//! I1 and I5: exactly as many as there are and were wanted, at positions without gap or reuse.

use super::case::Case;
use super::findings::{Check, FindingKind, Invariant};
use crate::numbers::{counted, grouped};

/// I1. What is missing because an acknowledged issue was lost is I3's to report.
pub(super) fn exact(case: &Case<'_>) -> Check {
    let coupon = &case.history.header.coupon;
    let issued = case.state.issued();
    let wanted = coupon.issued + count(case.users.iter().filter(|user| user.wanted_stock()).count());
    let expected = coupon.quantity.map_or(wanted, |quantity| quantity.min(wanted));
    let quantity = coupon.quantity.map_or_else(
        || "no limit".to_owned(),
        |quantity| format!("{} in stock", grouped(quantity)),
    );
    let mut check = Check::of(Invariant::I1).with_evidence(format!(
        "{} issued, {} wanted, {quantity}",
        grouped(issued),
        grouped(wanted)
    ));
    if let Some(quantity) = coupon.quantity.filter(|quantity| issued > *quantity) {
        check.note_many(FindingKind::OverIssued, issued - quantity, || {
            format!("{issued} issued of {quantity}")
        });
    }
    let there_or_lost = issued + count(case.lost.len());
    if there_or_lost < expected {
        check.note_many(FindingKind::UnderIssued, expected - there_or_lost, || {
            format!("{there_or_lost} issued where {wanted} users wanted one and there was {quantity}")
        });
    }
    check
}

/// I5.
pub(super) fn contiguous(case: &Case<'_>) -> Check {
    let highest = case.holdings.last().map_or(0, |holding| holding.position);
    let mut check = Check::of(Invariant::I5).with_evidence(format!(
        "{} issued coupons at positions up to {}",
        counted(case.holdings.len()),
        grouped(highest)
    ));
    let mut expected = 1;
    for (index, holding) in case.holdings.iter().enumerate() {
        let position = holding.position;
        let before = index.checked_sub(1).map(|before| case.holdings[before]);
        if case.counts_as_lost(position) {
            check.note(FindingKind::PositionReused, || {
                let holder = case.holder(holding);
                format!("position {position} is counted as lost and held by {holder}")
            });
        }
        if let Some(before) = before.filter(|before| before.position == position) {
            check.note(FindingKind::PositionReused, || {
                format!(
                    "position {position} is held by {} and {}",
                    case.holder(before),
                    case.holder(holding)
                )
            });
        } else if position < expected {
            check.note(FindingKind::PositionGap, || {
                format!("position {position}, which is below 1")
            });
        } else {
            note_gap(case, &mut check, expected, position);
            expected = position.saturating_add(1);
        }
    }
    for (first, last) in &case.state.lost {
        check.remark(FindingKind::LostAndCounted, last - first + 1, || {
            match last - first {
                0 => format!("position {first} was lost with the ledger's state"),
                _ => format!("positions {first} to {last} were lost with the ledger's state"),
            }
        });
    }
    note_identities(case, &mut check);
    check
}

/// Notes the positions from `from` up to, and without, `to` that nobody holds, nobody was told, and the server does not
/// count as lost.
fn note_gap(case: &Case<'_>, check: &mut Check, from: u64, to: u64) {
    let lost_below = |position: u64| case.lost.partition_point(|lost| *lost < position);
    let told = &case.lost[lost_below(from)..lost_below(to)];
    let only_told = told
        .iter()
        .filter(|position| !case.counts_as_lost(**position))
        .count();
    let explained = count(only_told) + case.counted_lost(from, to);
    let missing = (to - from).saturating_sub(explained);
    if missing > 0 {
        check.note_many(FindingKind::PositionGap, missing, || match to - from {
            1 => format!("position {from} is missing"),
            _ => format!("positions {from} to {} are missing", to - 1),
        });
    }
}

/// Ids and codes follow from positions; two equal codes would be one coupon used twice.
fn note_identities(case: &Case<'_>, check: &mut Check) {
    for holding in case
        .holdings
        .iter()
        .filter(|holding| !holding.has_own_id || holding.code.is_none())
    {
        let position = holding.position;
        check.note(FindingKind::IdentityReused, || {
            format!("position {position} has a strange id or code")
        });
    }
    let mut codes: Vec<_> = case.holdings.iter().filter_map(|holding| holding.code).collect();
    codes.sort_unstable();
    for pair in codes.windows(2).filter(|pair| pair[0] == pair[1]) {
        check.note(FindingKind::IdentityReused, || {
            format!("code {} is held more than once", pair[0])
        });
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
