//! The positions that were lost with a state.

use coupon_app::limits::MAX_PAGE;
use coupon_app::{LedgerMark, LedgerMarks, StoreError};
use std::fmt;

/// The positions of a coupon that belong to nobody because they were lost: of each range the first and the last, at most
/// so many ranges.
pub async fn lost_positions(
    marks: &dyn LedgerMarks,
    mark: &LedgerMark,
    limit: usize,
) -> Result<Vec<(u32, u32)>, StoreError> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    if mark.lost == 0 {
        return Ok(ranges);
    }
    let (mut after, mut left) = (0_u32, mark.lost);
    while left > 0 && ranges.len() < limit {
        let page = marks.records(mark.coupon.id, after, MAX_PAGE).await?;
        let positions: Vec<u32> = page.iter().map(|one| one.grant.position.get()).collect();
        // What is missing behind the last one was lost too, as far as it was lost at all.
        let end = after.saturating_add(left).saturating_add(1);
        let ends = positions.is_empty().then_some(end);
        for position in positions.into_iter().chain(ends) {
            let gap = (position - after - 1).min(left);
            if gap > 0 && ranges.len() < limit {
                ranges.push((after + 1, after + gap));
                left -= gap;
            }
            after = position;
        }
        if ends.is_some() {
            break;
        }
    }
    Ok(ranges)
}

/// Ranges as people write them.
pub(super) struct Ranges<'r>(pub(super) &'r [(u32, u32)]);

impl fmt::Display for Ranges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}
