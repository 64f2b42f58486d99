//! What this server knows of coupons: the least that Redis must know too.

use coupon_app::{Board, Epoch};
use coupon_core::{CouponId, Revision};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::facts::Head;

/// What this server knows of one coupon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// 0 when it has no idea.
    pub(crate) epoch: Epoch,
    /// The highest position.
    pub(crate) seen: u32,
    /// The revision whose facts stand on the board; 0 for none.
    pub(crate) revision: Revision,
    /// Whether anybody has ever told that the coupon exists.
    pub(crate) exists: bool,
}

/// What this server knows of every coupon.
#[derive(Debug)]
pub(crate) struct Memory {
    coupons: Mutex<HashMap<CouponId, Known>>,
    board: Arc<Board>,
}

impl Memory {
    pub(crate) fn new(board: Arc<Board>) -> Self {
        Self {
            coupons: Mutex::default(),
            board,
        }
    }

    pub(crate) fn of(&self, coupon: CouponId) -> Option<Known> {
        let coupons = self.coupons.lock().unwrap_or_else(PoisonError::into_inner);
        coupons.get(&coupon).copied()
    }

    /// The store says that this is the epoch, and has this position.
    pub(crate) fn adopt(&self, coupon: CouponId, epoch: Epoch, position: u32) {
        let mut coupons = self.coupons.lock().unwrap_or_else(PoisonError::into_inner);
        let known = coupons.entry(coupon).or_default();
        if epoch > known.epoch {
            known.epoch = epoch;
            known.revision = 0;
        }
        known.seen = known.seen.max(position);
        known.exists = true;
    }

    /// Redis says where the coupon stands. Replies may be noted in another order than they were given.
    pub(crate) fn note(&self, coupon: CouponId, head: &Head) {
        let mut coupons = self.coupons.lock().unwrap_or_else(PoisonError::into_inner);
        let known = coupons.entry(coupon).or_default();
        known.exists = true;
        if head.epoch < known.epoch {
            return;
        }
        let anew = head.epoch > known.epoch;
        known.epoch = head.epoch;
        if let Some(facts) = head
            .facts
            .as_ref()
            .filter(|_| anew || head.revision > known.revision)
        {
            self.board.post_coupon(facts);
            known.revision = head.revision;
        }
        if head.position >= known.seen {
            known.seen = head.position;
            if head.position > 0 {
                self.board
                    .post_issued(coupon, head.position, head.first, head.last);
            }
        }
    }
}
