//! Every limit of the Kafka adapter, in one place.

use std::time::Duration;

/// Most records that a producer has sent and not been answered for. More only wait inside the client.
pub const MAX_UNANSWERED: usize = 8_192;
/// Most memory that the producer's queue takes, in KiB.
pub const MAX_QUEUE_KIB: u32 = 65_536;
/// Most memory that records take which were fetched and not yet looked at, in KiB.
pub const MAX_FETCHED_KIB: u32 = 16_384;
/// Most records that a worker holds, waiting or handed out and not done. Then it stops fetching until some are done.
pub const MAX_HELD: usize = 16_384;
/// Most records that a worker remembers as done while one below them is not. Then it stops fetching too.
pub const MAX_REMEMBERED: usize = 1 << 20;
/// Longest value of a record that is kept with a dead letter; what is longer is cut and marked. Above what a broker
/// takes by default, so that a letter is cut only where somebody has allowed more.
pub const MAX_LETTER_BYTES: usize = 1 << 20;
/// Longest record that the producer sends, in bytes, and that the topic of dead letters takes: the longest letter
/// with its headers.
pub const MAX_RECORD_BYTES: usize = 2 << 20;
/// Most headers of the original that are kept with a dead letter.
pub const MAX_LETTER_HEADERS: usize = 32;
/// Longest header of the original that is kept with a dead letter, in bytes.
pub const MAX_HEADER_BYTES: usize = 4_096;
/// Longest reason that is kept with a dead letter, in bytes.
pub const MAX_WHY_BYTES: usize = 500;
/// Most dead letters that are listed or replayed at once.
pub const MAX_LETTERS: usize = 1_000;
/// How long [`coupon_app::DeliverySource::next`] waits before it says that there is nothing.
pub const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// Longest that one notification may take until it is on the topic, the look at the topic's settings included. Shorter
/// than [`coupon_app::limits::LONGEST_ATTEMPT`].
pub const NOTICE_WITHIN: Duration = Duration::from_secs(25);
/// For how long notifications are not tried after a look at their topic that found trouble: others wait behind them.
pub(crate) const TROUBLE_COUNTS: Duration = Duration::from_secs(3);
/// How long the thread that fetches waits for a record before it looks whether it shall end.
pub const POLL: Duration = Duration::from_millis(100);
/// How long reading a range of a topic may take, or reading the oldest record of each partition.
pub const LONGEST_READ: Duration = Duration::from_secs(10);
/// How long whoever waits for a broker to learn of a topic waits before asking it again.
pub(crate) const ASK_AGAIN: Duration = Duration::from_millis(20);
