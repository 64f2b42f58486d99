//! How many: the stock of a coupon and the place of one issue in it.

use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// The place in the order of issue, counted from 1 without gap or reuse.
pub type Position = NonZeroU32;

/// How many may be issued: 1 to 2^32-1, or unlimited.
///
/// An unlimited coupon still ends after 2^32-1 issues, the last position that a code can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quantity(Option<NonZeroU32>);

impl Quantity {
    /// No limit but the last position.
    pub const UNLIMITED: Self = Self(None);

    /// Exactly so many.
    pub const fn limited(count: NonZeroU32) -> Self {
        Self(Some(count))
    }

    /// The limit, or `None` when unlimited.
    pub const fn limit(self) -> Option<NonZeroU32> {
        self.0
    }

    /// The position of the next issue, or `None` when nothing is left after `issued` issues.
    pub fn next_position(self, issued: u32) -> Option<Position> {
        let limit = self.0.map_or(u32::MAX, NonZeroU32::get);
        if issued >= limit {
            None
        } else {
            NonZeroU32::new(issued.checked_add(1)?)
        }
    }

    /// How many are left after `issued` issues; `None` when unlimited.
    pub fn remaining(self, issued: u32) -> Option<u32> {
        self.0.map(|limit| limit.get().saturating_sub(issued))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_run_from_one_to_the_quantity_and_then_end() {
        let three = Quantity::limited(NonZeroU32::new(3).unwrap());
        let next = |issued| three.next_position(issued).map(NonZeroU32::get);
        assert_eq!(
            [next(0), next(1), next(2), next(3), next(4)],
            [Some(1), Some(2), Some(3), None, None]
        );
        assert_eq!(
            Quantity::UNLIMITED
                .next_position(u32::MAX - 1)
                .map(NonZeroU32::get),
            Some(u32::MAX)
        );
        assert_eq!(Quantity::UNLIMITED.next_position(u32::MAX), None);
    }

    #[test]
    fn what_remains_never_goes_below_zero_and_is_unknown_when_unlimited() {
        let three = Quantity::limited(NonZeroU32::new(3).unwrap());
        assert_eq!(
            [three.remaining(0), three.remaining(3), three.remaining(9)],
            [Some(3), Some(0), Some(0)]
        );
        assert_eq!(Quantity::UNLIMITED.remaining(7), None);
    }
}
