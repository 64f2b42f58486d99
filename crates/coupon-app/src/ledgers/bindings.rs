//! Which strategy a coupon is bound to: from the board, or, if another server made it a moment ago, from the store.

use super::RefuseFrom;
use crate::{Board, LedgerError, LedgerMarks, Reason, limits};
use coupon_core::{CouponId, Strategy};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

pub(super) struct Bindings {
    board: Arc<Board>,
    marks: Arc<dyn LedgerMarks>,
    refuse_from: RefuseFrom,
    /// Ids that the store did not know, and when it said so.
    unknown: Mutex<HashMap<CouponId, Instant>>,
}

impl fmt::Debug for Bindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bindings").finish_non_exhaustive()
    }
}

impl Bindings {
    pub(super) fn new(board: Arc<Board>, marks: Arc<dyn LedgerMarks>, refuse_from: RefuseFrom) -> Self {
        Self {
            board,
            marks,
            refuse_from,
            unknown: Mutex::default(),
        }
    }

    /// What the board says.
    pub(super) fn known(&self, coupon: CouponId) -> Option<Strategy> {
        self.board.strategy(coupon)
    }

    /// What board and store say; `None` when there is no such coupon. That is remembered for a moment, if refusals may
    /// come from memory, and believed then unless it must be known `surely`. What the store says is posted, so that it
    /// is asked once.
    pub(super) async fn strategy(
        &self,
        coupon: CouponId,
        surely: bool,
    ) -> Result<Option<Strategy>, LedgerError> {
        if let Some(strategy) = self.known(coupon) {
            return Ok(Some(strategy));
        }
        let asked_at = Instant::now();
        let lately = |said_at: &Instant| asked_at.duration_since(*said_at) < limits::UNKNOWN_FOR;
        if !surely && self.unknown().get(&coupon).is_some_and(lately) {
            return Ok(None);
        }
        let asked = self.marks.mark(coupon).await;
        let mark = asked.map_err(|error| LedgerError::Unavailable(Reason::adapter(error)))?;
        let mut unknown = self.unknown();
        let Some(mark) = mark else {
            if self.refuse_from == RefuseFrom::Ledger {
                return Ok(None);
            }
            if unknown.len() >= limits::MAX_UNKNOWN {
                unknown.clear();
            }
            unknown.insert(coupon, asked_at);
            return Ok(None);
        };
        unknown.remove(&coupon);
        drop(unknown);
        let strategy = mark.coupon.terms.strategy;
        self.board.post_coupon(&Arc::new(mark.coupon));
        Ok(Some(strategy))
    }

    fn unknown(&self) -> MutexGuard<'_, HashMap<CouponId, Instant>> {
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
