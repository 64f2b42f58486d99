//! Refusals of each coupon by reason, counted by this server since its start.

use coupon_api::{Refusals, Time};
use coupon_core::{CouponId, Timestamp};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Why a coupon that exists was not issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    AlreadyIssued,
    SoldOut,
    NotYetOpen,
    Closed,
    Paused,
}

#[derive(Debug, Default)]
struct Counts([AtomicU64; 5]);

/// The counts of every coupon. Only coupons that exist are counted, so nobody can make it grow.
#[derive(Debug)]
pub(crate) struct RefusalCounts {
    since: Timestamp,
    coupons: RwLock<HashMap<CouponId, Arc<Counts>>>,
}

impl RefusalCounts {
    pub(crate) fn new(since: Timestamp) -> Self {
        Self {
            since,
            coupons: RwLock::default(),
        }
    }

    pub(crate) fn count(&self, coupon: CouponId, why: Refused) {
        let known = self
            .coupons
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&coupon)
            .map(Arc::clone);
        let counts = known.unwrap_or_else(|| {
            let mut coupons = self.coupons.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(coupons.entry(coupon).or_default())
        });
        counts.0[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn of(&self, coupon: CouponId) -> Refusals {
        let coupons = self.coupons.read().unwrap_or_else(PoisonError::into_inner);
        let count = |why: Refused| {
            coupons
                .get(&coupon)
                .map_or(0, |counts| counts.0[why as usize].load(Ordering::Relaxed))
        };
        Refusals {
            since: Time(self.since),
            already_issued: count(Refused::AlreadyIssued),
            sold_out: count(Refused::SoldOut),
            not_yet_open: count(Refused::NotYetOpen),
            closed: count(Refused::Closed),
            paused: count(Refused::Paused),
        }
    }
}
