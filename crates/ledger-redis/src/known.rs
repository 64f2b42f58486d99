//! What this server knows of coupons: the least that Redis must know too.

use coupon_app::{Board, Epoch, SeenPosition};
use coupon_core::{CouponId, Revision};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    book: Mutex<Book>,
    board: Arc<Board>,
}

#[derive(Debug, Default)]
struct Book {
    coupons: HashMap<CouponId, Known>,
    /// How often this server was closed. What was asked before the last time is answered too late.
    closings: u64,
}

impl Memory {
    pub(crate) fn new(board: Arc<Board>) -> Self {
        Self {
            book: Mutex::default(),
            board,
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn of(&self, coupon: CouponId) -> Option<Known> {
        self.book().coupons.get(&coupon).copied()
    }

    /// Every coupon that this server has heard of.
    pub(crate) fn ids(&self) -> Vec<CouponId> {
        self.book().coupons.keys().copied().collect()
    }

    /// How often this server was closed: for [`Memory::note`].
    pub(crate) fn closings(&self) -> u64 {
        self.book().closings
    }

    /// From here on no answer to what was asked before is noted, or told. Returns the highest position that was.
    pub(crate) fn close(&self) -> Vec<SeenPosition> {
        let mut book = self.book();
        book.closings += 1;
        let seen = book.coupons.iter().filter(|(_, known)| known.seen > 0);
        seen.map(|(coupon, known)| SeenPosition {
            coupon: *coupon,
            position: known.seen,
        })
        .collect()
    }

    /// The store says that this is the epoch, and has this position.
    pub(crate) fn adopt(&self, coupon: CouponId, epoch: Epoch, position: u32) {
        let mut book = self.book();
        let known = book.coupons.entry(coupon).or_default();
        if epoch > known.epoch {
            known.epoch = epoch;
            known.revision = 0;
        }
        known.seen = known.seen.max(position);
        known.exists = true;
    }

    /// Redis says where the coupon stands. Replies may be noted in another order than they were given. `false` when
    /// this server was closed since `closings` was read: then nothing is noted, and nothing may be told.
    #[must_use]
    pub(crate) fn note(&self, coupon: CouponId, head: &Head, closings: u64) -> bool {
        let mut book = self.book();
        if book.closings != closings {
            return false;
        }
        let known = book.coupons.entry(coupon).or_default();
        known.exists = true;
        if head.epoch < known.epoch {
            return true;
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
                self.board.post_lost(coupon, head.lost);
            }
        }
        true
    }
}
