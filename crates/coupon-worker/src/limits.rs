//! Every limit of this crate.

use std::time::Duration;

/// The first pause after a failure; it doubles.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest pause after a failure: how late a worker may notice that the store is back.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often one delivery is tried whose failure does not look as if it would pass, before it is set aside.
pub(crate) const MAX_HOPELESS_TRIES: u32 = 3;
/// How long deliveries in hand are still tried after the worker was told to stop. What is not done by then another
/// worker does.
pub(crate) const LAST_TRIES: Duration = Duration::from_secs(10);
/// How often the backlog is asked for.
pub const BACKLOG_EVERY: Duration = Duration::from_secs(1);
/// After so many failures in a row a worker is not ready.
pub(crate) const FAILURES_NOT_READY: u64 = 3;
/// Upper ends of the time from issue to store, in microseconds.
pub(crate) const TO_STORE_BUCKETS_US: [i64; 12] = [
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    30_000_000,
    300_000_000,
];
/// The first pause before the store is looked at again for what travels by a feed; it doubles.
pub(crate) const FIRST_LOOK: Duration = Duration::from_millis(50);
/// The longest such pause: how late an entry may leave the stream that the store has.
pub(crate) const LONGEST_LOOK: Duration = Duration::from_secs(1);
/// Issues of a coupon that one look at the store brings.
pub(crate) const LOOK_RECORDS: usize = 1_000;
