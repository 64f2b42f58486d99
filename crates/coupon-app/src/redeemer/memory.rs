//! What a redeemer remembers of steps: so that the many issued coupons without any need not be looked up.

use super::marks::Marks;
use coupon_core::{CouponId, IssuedCouponId};
use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

#[derive(Debug)]
pub(super) enum Memory {
    /// Every issued coupon that has a history: nobody else redeems.
    Each(Marks),
    /// Every coupon of which one has: others redeem too, and what they have used is asked for now and then.
    Coupons(RwLock<HashSet<CouponId>>),
}

impl Memory {
    pub(super) fn of_coupons() -> Self {
        Self::Coupons(RwLock::default())
    }

    /// Notes some that have a history.
    pub(super) fn note(&self, ids: impl Iterator<Item = IssuedCouponId>) {
        match self {
            Self::Each(marks) => marks.put_all(ids),
            Self::Coupons(_) => self.note_coupons(ids.map(|id| id.coupon)),
        }
    }

    /// Notes some coupons of which one has a history.
    pub(super) fn note_coupons(&self, coupons: impl Iterator<Item = CouponId>) {
        let Self::Coupons(known) = self else { return };
        let news: Vec<CouponId> = {
            let known = known.read().unwrap_or_else(PoisonError::into_inner);
            coupons.filter(|coupon| !known.contains(coupon)).collect()
        };
        if !news.is_empty() {
            known.write().unwrap_or_else(PoisonError::into_inner).extend(news);
        }
    }

    /// Whether one may have a history.
    pub(super) fn may_have(&self, id: IssuedCouponId) -> bool {
        match self {
            Self::Each(marks) => marks.has(id),
            Self::Coupons(known) => known
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .contains(&id.coupon),
        }
    }
}
