//! The system's clock, the only one in the house that reads the time of day.

use coupon_app::Clock;
use coupon_core::Timestamp;
use std::time::SystemTime;

/// The wall clock of this machine. It may jump either way, as its owner sets it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the time comes from; everyone else is handed a Clock"
    )]
    fn now(&self) -> Timestamp {
        // A clock that stands before 1970 cannot be refused here; it reads as 1970, and windows judge it so.
        let since_epoch = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::saturating_from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }
}

/// The present time for the calendar's purposes: what a person means by `now`.
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(SystemClock.now().as_micros())
        .expect("coupon_core's range of time lies within jiff's")
}
