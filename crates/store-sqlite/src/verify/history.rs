//! Histories: what each says must have been possible, and must come to what the row of its issued coupon says.

use super::{Difference, Findings};
use crate::error::Failure;
use crate::history;
use crate::migrations::{WITH_FIRST_STEPS, WITH_HISTORY, format};
use crate::row::{ISSUED_COUPON, issued_coupon, sum, unpacked};
use coupon_core::{HistoryEntry, IssuedCoupon, IssuedCouponId, Step, check_history};
use rusqlite::{Connection, Row};
use std::collections::BTreeMap;

/// How many answers are kept for steps that there are not.
const STRAY_TOKENS: &str = "SELECT count(*) FROM redemption_tokens t
     WHERE NOT EXISTS (
         SELECT 1 FROM redemption_history h WHERE h.issued_coupon = t.issued_coupon AND h.number = t.number)
     AND NOT (t.number = 1 AND EXISTS (
         SELECT 1 FROM issued_coupons i JOIN first_steps f ON f.id = i.first_step
         WHERE i.id = t.issued_coupon AND f.issued_coupon = i.id))";

/// Cancelled redemptions of each coupon.
pub(super) type Cancelled = BTreeMap<u32, u64>;

/// Holds every history against its issued coupon, and counts what was given back.
///
/// Goes through the rows that say they have a history, and looks each up.
pub(super) fn check(snapshot: &Connection, findings: &mut Findings) -> Result<Cancelled, Failure> {
    let mut cancelled = Cancelled::new();
    let format = format(snapshot)?;
    if format < WITH_HISTORY {
        return Ok(cancelled);
    }
    let appended = format >= WITH_FIRST_STEPS;
    let read = if appended { history::page } else { history::further };
    let mut steps = 0;
    let mut statement = snapshot.prepare(&format!(
        "SELECT {ISSUED_COUPON}, i.steps FROM issued_coupons i
         WHERE i.steps > 0 OR i.redeemed_at IS NOT NULL OR i.revoked_at IS NOT NULL ORDER BY i.id"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id = unpacked(row.get(0)?)?;
        let history = read(snapshot, id, 0, usize::MAX)?;
        steps += u64::try_from(history.len()).unwrap_or(u64::MAX);
        let given_back = history
            .iter()
            .filter(|entry| matches!(entry.step, Step::Cancelled { .. }));
        *cancelled.entry(id.coupon.get()).or_default() +=
            u64::try_from(given_back.count()).unwrap_or(u64::MAX);
        if let Some(what) = compare(id, row, &history)? {
            findings.add(Difference::History {
                coupon: id.coupon.get(),
                position: id.position.get(),
                what,
            });
        }
    }
    let all = history::all_steps(snapshot, appended)?;
    if all != steps {
        findings.add(Difference::StraySteps(all.saturating_sub(steps)));
    }
    // Before, a foreign key says the same.
    if appended {
        let lost = snapshot.query_row(STRAY_TOKENS, [], |row| row.get(0))?;
        if lost != 0 {
            findings.add(Difference::StrayTokens(sum(lost)?));
        }
    }
    Ok(cancelled)
}

/// What is wrong with one.
fn compare(id: IssuedCouponId, row: &Row<'_>, history: &[HistoryEntry]) -> Result<Option<String>, Failure> {
    let kept = match issued_coupon(row) {
        Ok(kept) => kept,
        Err(failure @ Failure::Damaged(_)) => return Ok(Some(failure.to_string())),
        Err(failure) => return Err(failure),
    };
    if let Err(breach) = check_history(kept.grant, history) {
        return Ok(Some(breach.to_string()));
    }
    let mut issued = IssuedCoupon::new(id.coupon, kept.user.clone(), kept.grant);
    for entry in history {
        issued.take_step(entry);
    }
    let steps: i64 = row.get(9)?;
    let same = issued == kept && usize::try_from(steps).is_ok_and(|steps| steps == history.len());
    Ok((!same).then(|| "its history comes to something else".to_owned()))
}
