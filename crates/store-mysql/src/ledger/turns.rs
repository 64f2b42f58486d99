//! Turns: what a lock service lends the ledger, and no more than that.
//!
//! Under `redis-lock` a lock elsewhere lowers contention: servers decide a coupon one after the other instead of all
//! at once. It is never what makes the result right. The database hands out a fencing token for each acquisition, and
//! writes only for a token that is not older than the last one that wrote, and only onto the state that was read.

use async_trait::async_trait;
use coupon_core::CouponId;

/// One acquisition of a coupon's lock. A number that is different for every acquisition by this process: while it
/// stays the same, the token that belongs to it is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Turn(pub u64);

/// Why there is no turn.
pub type NoTurn = Box<dyn std::error::Error + Send + Sync>;

/// Gives turns. Whatever it does, the result stays right; if it gives a turn to everybody, more transactions are
/// decided in vain, and if it gives none, coupons are unavailable.
#[async_trait]
pub trait Turns: Send + Sync + 'static {
    /// Waits for a turn, within a bound of its own. An error means: nothing happened, and nothing will.
    async fn take(&self, coupon: CouponId) -> Result<Turn, NoTurn>;

    /// The batch that the turn was taken for has ended. The lock may be given back, or kept for the next batch until
    /// its lease ends.
    async fn done(&self, coupon: CouponId, turn: Turn);

    /// The database has told that a later acquisition has written: this turn is worth nothing any more.
    async fn lost(&self, coupon: CouponId, turn: Turn);
}
