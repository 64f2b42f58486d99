//! Every limit of the application layer, in one place. The domain's own are in `coupon_core::limits`.

use coupon_core::Span;
use std::time::Duration;

/// Most requests that the combiner hands to a ledger at once. More makes a commit cheaper per request and the answer
/// later; beyond a few thousand nothing is gained.
pub const MAX_BATCH: usize = 4_096;
/// Most requests that wait in front of one ledger, those being committed included. The next one is told at once that
/// the service is overloaded.
pub const MAX_WAITING: usize = 16_384;
/// Largest page of any list.
pub const MAX_PAGE: usize = 1_000;
/// Most records that the follower brings to the store in one transaction.
pub const MAX_APPLY: usize = 8_192;
/// How long the result of a command is kept for its idempotency key: 24 hours, in microseconds.
pub const COMMAND_TOKEN_LIFE_US: i64 = 24 * 3_600 * 1_000_000;
/// Most results of commands kept for idempotency keys; the oldest leaves first.
pub const MAX_COMMAND_TOKENS: usize = 100_000;
/// Most redemptions, cancellations and revocations that are decided in one transaction. More makes a commit cheaper per
/// request, and lets the follower and the other half of the waiters wait longer.
pub const MAX_REDEMPTIONS: usize = 1_024;
/// Most of them that wait for the store, those being decided included. The next one is told at once that the service
/// is overloaded.
pub const MAX_REDEMPTIONS_WAITING: usize = 8_192;
/// Longest that a request to redeem waits for the store to take in the issue. A store that is further behind needs an
/// operator more than the request needs an answer.
pub const LONGEST_BRINGING: Duration = Duration::from_secs(10);
/// The first pause before the store is asked again for an issue that is on its way there; it doubles.
pub const FIRST_ARRIVAL_PAUSE: Duration = Duration::from_millis(5);
/// The longest such pause.
pub const LONGEST_ARRIVAL_PAUSE: Duration = Duration::from_millis(250);
/// How long a server may say from memory that a coupon does not exist, after the store has said so. Longer and a coupon
/// created elsewhere is refused although it is there; shorter and every made-up id is a query.
pub const UNKNOWN_FOR: Duration = Duration::from_millis(500);
/// How long a server may repeat from memory what the ledger has refused, counted from when the ledger was asked. Longer and
/// a change that lifts the refusal is seen later; shorter and more of a crowd that is too late asks the ledger.
pub const REFUSED_FOR: Duration = Duration::from_millis(500);
/// How long before its opening a coupon is surely not open yet, whatever clocks differ by.
pub const SURELY_BEFORE: Span = Span::from_secs(2);
/// Most coupons whose refusals a server remembers.
pub const MAX_REFUSED_COUPONS: usize = 10_000;
/// Most winners that a server remembers, of all coupons that are sold out; each takes some 16 bytes.
pub const MAX_REMEMBERED_WINNERS: usize = 4_000_000;
/// For so long after the last refusal they are remembered, if others need the room.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(60);
/// Most made-up ids that a server remembers as unknown; beyond, all are forgotten.
pub const MAX_UNKNOWN: usize = 10_000;
/// How long before its opening and after its end a coupon is still looked for in its ledger, because clocks differ and
/// news from other servers takes a moment.
pub const SETTLING: Span = Span::from_secs(5);
/// Most recipients that one notification has by one channel.
pub const MAX_RECIPIENTS: usize = 100;
/// Longest that one attempt to bring a notification takes, whatever the other side does. A lease on a delivery must last
/// longer.
pub const LONGEST_ATTEMPT: Duration = Duration::from_secs(30);
/// Most webhooks. Each is one more delivery of every notification that it wants.
pub const MAX_WEBHOOKS: usize = MAX_RECIPIENTS;
/// Most characters of what an administrator writes down about a webhook.
pub const MAX_WEBHOOK_DESCRIPTION_CHARS: usize = 200;
/// How often a server that shares a ledger says that it lives, and looks whether it is called.
pub const ATTEND_EVERY: Duration = Duration::from_millis(250);
/// After how long without a word a server is taken to be dead, and not waited for. Longer keeps coupons closed after a
/// server was killed; shorter may go on without one that is merely slow, and then nobody knows what it has told.
pub const ATTENDS_WITHIN: Duration = Duration::from_secs(3);
/// Most differences of one coupon that a reconciliation names.
pub const MAX_DIFFERENCES: usize = 1_000;
