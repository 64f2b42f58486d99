//! The port for time.

use coupon_core::Timestamp;

/// A wall clock. It may jump either way; whoever needs order makes it himself (see `Standing::judged_time`).
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}
