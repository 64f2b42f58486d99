//! Every limit of this crate.

use coupon_core::Span;
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
/// How long a server leads without saying so again: how long coupons stay closed when it dies.
pub(crate) const LEAD_FOR: Duration = Duration::from_secs(2);
/// How often a leader looks whether every server has answered.
pub(crate) const ROLL_PAUSE: Duration = Duration::from_millis(50);
/// How soon a coupon that could not be taken anew is tried again; it doubles.
pub(crate) const FIRST_REOPENING_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause before it is tried again. Each try closes the other coupons for a moment.
pub(crate) const LONGEST_REOPENING_PAUSE: Duration = Duration::from_secs(30);
/// Most ranges of lost positions that one log line names.
pub(crate) const MAX_NAMED_RANGES: usize = 20;
/// How long mending waits until the servers have held still and one of them has taken the coupons anew.
pub(crate) const REPAIRED_WITHIN: Duration = Duration::from_secs(30);
/// Most ranges of lost positions that a reconciliation names.
pub(crate) const MAX_LOST_RANGES: usize = 1_000;
/// How long a worker has a job without asking again. After a crash another one takes over so much later.
pub(crate) const JOB_LEASE: Span = Span::from_secs(60);
/// Longest pause between two batches of a job.
pub(crate) const LONGEST_GIVING_WAY: Duration = Duration::from_millis(250);
/// How long a worker has a notification or a delivery; longer than the longest attempt with its grace. What a dead
/// worker had in hand is tried again so much later.
pub(crate) const DELIVERY_LEASE: Span = Span::from_secs(90);
/// What a channel may take beyond the longest attempt, before it is given up for this time.
pub(crate) const GRACE_OF_AN_ATTEMPT: Duration = Duration::from_secs(5);
/// Deliveries that are tried at the same time.
pub(crate) const ATTEMPTS_AT_ONCE: usize = 64;
/// Notifications that are planned in one transaction.
pub(crate) const PLANS_AT_ONCE: usize = 256;
/// Notifications that are forgotten in one run.
pub(crate) const FORGET_AT_ONCE: usize = 1_000;
/// The first pause before the store is looked at again for what travels by a feed; it doubles.
pub(crate) const FIRST_LOOK: Duration = Duration::from_millis(50);
/// The longest such pause: how late an entry may leave the stream that the store has.
pub(crate) const LONGEST_LOOK: Duration = Duration::from_secs(1);
/// Issues of a coupon that one look at the store brings.
pub(crate) const LOOK_RECORDS: usize = 1_000;
