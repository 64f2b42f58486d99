//! Every limit of this crate.

use std::time::Duration;

/// Largest text of one round trip, in bytes. Half of the smallest `max_allowed_packet` that the ledger accepts.
pub(crate) const MAX_SCRIPT_BYTES: usize = 512 * 1024;
/// Smallest `max_allowed_packet` that the ledger accepts.
pub(crate) const MIN_PACKET_BYTES: u64 = 1024 * 1024;
/// Most rows of one INSERT. More gains nothing and makes the server's statement larger.
pub(crate) const MAX_INSERT_ROWS: usize = 1_000;
/// Most users asked for in one query. MariaDB turns an IN list of 1,000 or more into a join with a temporary table.
pub(crate) const MAX_ASKED_USERS: usize = 900;
/// Most statements of one round trip.
pub(crate) const MAX_SCRIPT_STATEMENTS: usize = 256;
/// How often one batch of one coupon is tried while the database says that nothing happened: deadlock, lock timeout,
/// a connection that was lost before COMMIT was sent.
pub(crate) const MAX_ATTEMPTS: u32 = 5;
/// The first pause between attempts; it doubles.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(2);
/// The longest pause between attempts to connect while the end of a COMMIT is being found out.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// Coupons that are posted on the board from one query.
pub(crate) const BOARD_PAGE: u32 = 1_000;
/// Revisions of coupons that a ledger remembers, so that their JSON need not be sent and read for every batch.
pub(crate) const MAX_REMEMBERED_COUPONS: usize = 10_000;
/// A ledger session that nobody has used for so long is swept away: thirty days, in microseconds.
pub(crate) const SESSION_LIFE_US: i64 = 30 * 86_400 * 1_000_000;
/// Most records that leave quarantine in one transaction; the next revision or redelivery takes the rest.
pub(crate) const MAX_RELEASED: usize = 100_000;
/// How long a process waits for another one that migrates, in seconds: changing a large table takes its time.
pub(crate) const MIGRATION_WAIT_S: u32 = 3_600;
/// Issued coupons with a history that are named by one query.
pub(crate) const HISTORY_PAGE: u32 = 10_000;
/// Revisions whose offers are remembered; beyond, all are read again.
pub(crate) const MAX_REMEMBERED_OFFERS: usize = 4_096;
/// How often idempotency keys whose day is over are swept away, while new ones come.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Most of them that go at once. Faster than they can come, so that they do not pile up.
pub(crate) const MAX_SWEPT: u32 = 20_000;
/// Most rows of one INSERT that writes steps: orders and keys make them longer than those of issues.
pub(crate) const MAX_STEP_ROWS: usize = 500;
/// Most positions that one round trip of an answer to the roll call tells.
pub(crate) const MAX_SEEN_POSITIONS: usize = 500;
/// Notifications whose contents are read in one go.
pub(crate) const MAX_TOLD: usize = 250;
/// Most rows that are named by number in one statement.
pub(crate) const MAX_NUMBERED: usize = 900;
/// Settled attempts of one round trip; each takes two statements.
pub(crate) const MAX_SETTLED: usize = 100;
/// Coupons that one call of a job surveys.
pub(crate) const MAX_SURVEYED_COUPONS: u32 = 64;
/// Blocks that one call of a job counts the rows of.
pub(crate) const MAX_SURVEYED_BLOCKS: usize = 64;
