//! What this server knows of coupons: the board, and the facts that need not be read again.

use crate::limits;
use coupon_app::Board;
use coupon_core::{Coupon, CouponId, Revision, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How far a coupon is issued, as the database has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    pub(super) issued: u32,
    pub(super) first_issued_at: Timestamp,
    pub(super) last_issued_at: Timestamp,
}

/// Posts on the board, forwards only: whoever reads the database beside a commit may come with older news.
#[derive(Debug)]
pub(super) struct Poster {
    board: Arc<Board>,
    known: Mutex<HashMap<CouponId, Arc<Coupon>>>,
}

impl Poster {
    pub(super) fn new(board: Arc<Board>) -> Self {
        Self {
            board,
            known: Mutex::new(HashMap::new()),
        }
    }

    /// The last revision of a coupon that has been seen here.
    pub(super) fn known(&self, coupon: CouponId) -> Option<Arc<Coupon>> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&coupon)
            .map(Arc::clone)
    }

    /// The revision that need not be sent again; 0 when there is none.
    pub(super) fn known_revision(&self, coupon: CouponId) -> Revision {
        self.known(coupon).map_or(0, |coupon| coupon.revision)
    }

    /// Posts what the database has committed.
    pub(super) fn post(&self, coupon: &Arc<Coupon>, reach: Option<Reach>) {
        // Held until all is posted, so that two who post one coupon take turns.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let newer = known
            .get(&coupon.id)
            .is_none_or(|known| known.revision < coupon.revision);
        let posted = self.board.get(coupon.id);
        if newer || posted.is_none() && !coupon.deleted {
            if known.len() >= limits::MAX_REMEMBERED_COUPONS {
                known.clear();
            }
            let last = known.entry(coupon.id).or_insert_with(|| Arc::clone(coupon));
            if last.revision < coupon.revision {
                *last = Arc::clone(coupon);
            }
            self.board.post_coupon(last);
        }
        if let Some(reach) = reach {
            let Reach {
                issued,
                first_issued_at,
                last_issued_at,
            } = reach;
            if posted.is_none_or(|posted| posted.issued < issued) {
                self.board
                    .post_issued(coupon.id, issued, first_issued_at, last_issued_at);
            }
            // The database is the store, whoever has decided.
            self.board.post_stored(coupon.id, issued);
        }
    }
}
