//! Every limit of the Redis adapters, in one place.

use std::time::Duration;

/// Most users that one script call decides. A call holds up the server for some two microseconds a user, and every
/// other coupon with it.
pub const MAX_CALL_USERS: usize = 4_096;
/// Most positions that one look returns whatever was asked for.
pub const MAX_LOOK_POSITIONS: usize = 1 << 20;
/// How often a command is decided again because another server's command was faster.
pub const MAX_COMMAND_TRIES: usize = 16;
/// How often a call is made again after a refusal that says that nothing happened and may pass at once: a script that
/// is not loaded, a slot that moved.
pub const MAX_CALL_TRIES: usize = 4;
/// Most results of commands kept for idempotency keys of one coupon; the oldest leaves first.
pub const MAX_COUPON_TOKENS: usize = 256;
/// How long a token's pointer is kept: an hour longer than the token lives.
pub const POINTER_LIFE: Duration = Duration::from_secs(25 * 3_600);
/// Most calls under way at once while many coupons are read.
pub const MAX_CALLS: usize = 64;
/// Most entries that a worker takes from one stream at once.
pub const MAX_ENTRIES: usize = 16;
/// Shortest pause before an empty stream is asked again.
pub const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
/// Longest pause before an empty stream is asked again. It bounds the time to the store of a coupon that nobody has
/// asked for in a while, and what many idle coupons cost.
pub const LONGEST_PAUSE: Duration = Duration::from_millis(160);
/// How often a worker looks for new coupons.
pub const FIND_COUPONS: Duration = Duration::from_millis(250);
/// How long [`coupon_app::DeliverySource::next`] waits before it says that there is nothing.
pub const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// A consumer that has nothing in hand is forgotten after so many times as long as entries take to be claimed.
pub const GONE_AFTER_CLAIMS: u32 = 12;
/// Most dead letters that are listed at once.
pub const MAX_LETTERS: usize = 1_000;
/// Longest reason that is kept with a dead letter, in bytes.
pub const MAX_WHY_BYTES: usize = 500;
/// Longest name that a lock may have, in bytes.
pub const MAX_LOCK_NAME_BYTES: usize = 200;
/// Most news of coupons that wait to be read. What is too much is not read at once, but with all the others.
pub const MAX_NEWS: usize = 1_024;
/// Most users that one call brings in while a coupon is built anew.
pub const MAX_BUILD_USERS: usize = 1_000;
/// Most entries of a stream that are brought to the store at once while a coupon is taken anew.
pub const MAX_DRAINED: usize = 64;
/// About how many users one step of a scan returns.
pub const MAX_SCANNED: usize = 1_000;
