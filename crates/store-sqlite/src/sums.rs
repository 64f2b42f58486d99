//! What a batch of redemptions, cancellations and revocations changes in the sums of coupons and of blocks.
//!
//! The sums are written once for each coupon and block of a batch, however many of its issued coupons the batch has
//! changed: written with every row, they cost more than the rows.

use crate::error::Failure;
use crate::issued_table::BLOCK_BITS;
use coupon_core::{IssuedCoupon, Timestamp};
use rusqlite::Transaction;
use std::collections::BTreeMap;

/// Whether an issued coupon counts as redeemed, as revoked, or as unused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    redeemed: bool,
    revoked: bool,
}

impl Standing {
    pub(crate) fn of(issued: &IssuedCoupon) -> Self {
        Self {
            redeemed: issued.redemption.is_some(),
            revoked: issued.revoked_at.is_some(),
        }
    }

    fn counts_as_redeemed(self) -> bool {
        self.redeemed && !self.revoked
    }

    fn counts_as_unused(self) -> bool {
        !self.redeemed && !self.revoked
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct OfBlock {
    unused: i64,
    /// When the first of those expires whose use was given back: the jobs must look at the block again.
    given_back: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Default)]
struct OfCoupon {
    redeemed: i64,
    revoked: i64,
    cancelled: i64,
}

/// Changes that are not yet written.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    coupons: BTreeMap<u32, OfCoupon>,
    blocks: BTreeMap<(u32, u32), OfBlock>,
}

impl Sums {
    /// Counts that an issued coupon stood like this before, and stands as it is now.
    pub(crate) fn count(&mut self, before: Standing, issued: &IssuedCoupon) {
        let now = Standing::of(issued);
        let change = |is: bool, was: bool| i64::from(is) - i64::from(was);
        let coupon = issued.coupon.get();
        let sums = self.coupons.entry(coupon).or_default();
        sums.redeemed += change(now.counts_as_redeemed(), before.counts_as_redeemed());
        sums.revoked += change(now.revoked, before.revoked);
        let given_back = before.redeemed && !now.redeemed;
        sums.cancelled += i64::from(given_back);
        let number = issued.grant.position.get() >> BLOCK_BITS;
        let block = self.blocks.entry((coupon, number)).or_default();
        block.unused += change(now.counts_as_unused(), before.counts_as_unused());
        if given_back {
            let expires_at = issued.grant.expires_at;
            block.given_back = Some(block.given_back.map_or(expires_at, |other| other.min(expires_at)));
        }
    }

    /// Writes them. The tables refuse sums that cannot be.
    pub(crate) fn write(&self, transaction: &Transaction<'_>) -> Result<(), Failure> {
        let mut coupons = transaction.prepare_cached(
            "UPDATE coupons SET redeemed = redeemed + ?2, revoked = revoked + ?3, cancelled = cancelled + ?4 WHERE id = ?1",
        )?;
        for (coupon, sums) in &self.coupons {
            coupons.execute((coupon, sums.redeemed, sums.revoked, sums.cancelled))?;
        }
        let mut blocks = transaction.prepare_cached(
            "UPDATE issued_blocks
             SET unused = unused + ?3,
                 expiry_due = CASE WHEN ?4 IS NULL THEN expiry_due ELSE min(ifnull(expiry_due, ?4), ?4) END,
                 reminder_due = CASE WHEN ?4 IS NULL THEN reminder_due ELSE 0 END
             WHERE coupon_id = ?1 AND block = ?2",
        )?;
        for ((coupon, number), block) in &self.blocks {
            let given_back = block.given_back.map(Timestamp::as_micros);
            blocks.execute((coupon, number, block.unused, given_back))?;
        }
        Ok(())
    }
}
