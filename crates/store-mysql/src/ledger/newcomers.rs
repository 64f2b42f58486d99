//! Of which coupons only users without one are expected: whoever asks for them need not be looked for beforehand.

use crate::limits;
use coupon_core::CouponId;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was seen last of each coupon. Only work depends on it, never an answer.
#[derive(Debug, Default)]
pub(super) struct Newcomers(Mutex<HashSet<CouponId>>);

impl Newcomers {
    fn coupons(&self) -> MutexGuard<'_, HashSet<CouponId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether everybody in the last batch was issued one.
    pub(super) fn are_expected(&self, coupon: CouponId) -> bool {
        self.coupons().contains(&coupon)
    }

    /// Remembers whether they are to be expected.
    pub(super) fn expect(&self, coupon: CouponId, newcomers: bool) {
        let mut coupons = self.coupons();
        if !newcomers {
            coupons.remove(&coupon);
            return;
        }
        if coupons.len() >= limits::MAX_REMEMBERED_COUPONS {
            coupons.clear();
        }
        coupons.insert(coupon);
    }
}
