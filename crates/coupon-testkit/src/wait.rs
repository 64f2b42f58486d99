//! Waiting for a condition.

use std::time::{Duration, Instant};

use crate::limits::LOOK_AGAIN;

/// Looks until the condition holds, at most for `limit`. Answers whether it came to hold.
///
/// This blocks its thread; it is for conditions in other processes that nothing announces.
pub fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if started.elapsed() >= limit {
            return false;
        }
        pause();
    }
}

/// The one place where a thread rests: between two looks at something that cannot announce itself.
#[expect(
    clippy::disallowed_methods,
    reason = "between two looks at a condition in another process"
)]
fn pause() {
    std::thread::sleep(LOOK_AGAIN);
}
