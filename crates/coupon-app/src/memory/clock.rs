//! A clock that stands still until a test moves it.

use crate::Clock;
use coupon_core::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock that shows what it was set to.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now`.
    pub const fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.as_micros()))
    }

    /// Sets it, forwards or back.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_micros(), Ordering::SeqCst);
    }

    /// Moves it by so many microseconds, back when negative.
    pub fn shift(&self, micros: i64) {
        let moved = self.now().as_micros().saturating_add(micros);
        self.set(Timestamp::saturating_from_micros(moved));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::saturating_from_micros(self.0.load(Ordering::SeqCst))
    }
}
