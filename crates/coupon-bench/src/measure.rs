//! What is measured. The numbers are those of the specification.

mod carried;
mod crowded;
mod database;
mod due_jobs;
mod durable_issue;
mod in_process;
mod listeners;
mod lone_client;
mod memory;
mod open_load;
mod recovery;
mod redemption;
mod redis_script;
mod refusal;
mod shared_redemption;
mod side_by_side;
mod wallet;

pub(crate) use memory::hold;

use crate::results::Found;
use crate::session::Session;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[clap(rename_all = "verbatim")]
pub(crate) enum Id {
    P1,
    P4,
    P5,
    P6,
    P7,
    P8,
    P9,
    P10,
    P11,
    P12,
    P13,
    P14,
    P16,
    P17,
    P18,
    P19,
    P20,
    P21,
    P22,
}

impl Id {
    /// All of them, in the order in which they are taken.
    pub(crate) const ALL: [Self; 19] = [
        Self::P1,
        Self::P4,
        Self::P5,
        Self::P6,
        Self::P7,
        Self::P8,
        Self::P9,
        Self::P10,
        Self::P11,
        Self::P12,
        Self::P13,
        Self::P14,
        Self::P16,
        Self::P17,
        Self::P18,
        Self::P19,
        Self::P20,
        Self::P21,
        Self::P22,
    ];

    /// What it is.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::P1 => "durable issue over HTTP with a service key",
            Self::P4 => "in process, through the combiner, batches of 1,024",
            Self::P5 => "issues in a shared database, in batches against one transaction each",
            Self::P6 => "issues in a shared database, in batches against single rows",
            Self::P7 => "issues by the script in Redis, in batches against redis-benchmark",
            Self::P8 => "the stream entry of the script in Redis",
            Self::P9 => "two servers and two workers: from issue to store, by stream and by Kafka",
            Self::P10 => "refusals: sold out, already issued",
            Self::P11 => "open load at half of saturation",
            Self::P12 => "one client, one request under way",
            Self::P13 => "recovery from the journal's tail and from the store",
            Self::P14 => "4,096 connections against 64",
            Self::P16 => "memory and cost at 10 million",
            Self::P17 => "every strategy side by side over HTTP",
            Self::P18 => "durable redemption over HTTP",
            Self::P19 => "durable redemption in a database that many servers share",
            Self::P20 => "10,000 idle listeners",
            Self::P21 => "wallets at 10 million",
            Self::P22 => "expiry and reminders of a million each, beside issues",
        }
    }

    /// About how long it takes on two cores, in seconds.
    pub(crate) fn seconds(self, quick: bool) -> u64 {
        let (full, short) = match self {
            Self::P1 => (90, 10),
            Self::P4 => (40, 10),
            Self::P5 => (75, 15),
            Self::P6 => (50, 10),
            Self::P7 => (45, 10),
            Self::P8 => (75, 15),
            Self::P9 => (200, 40),
            Self::P10 => (90, 15),
            Self::P11 => (110, 10),
            Self::P12 => (40, 5),
            Self::P13 => (90, 15),
            Self::P14 => (90, 15),
            Self::P16 => (240, 20),
            Self::P17 => (180, 40),
            Self::P18 => (60, 10),
            Self::P19 => (120, 20),
            Self::P20 => (140, 70),
            Self::P21 => (150, 20),
            Self::P22 => (330, 40),
        };
        if quick { short } else { full }
    }

    /// What keeps the number from being better, as far as we have found out.
    pub(crate) fn what_limits(self) -> &'static str {
        match self {
            Self::P1 => {
                "the two cores, which server and load share: of some 12 us of server CPU an issue the bare handler takes 7.5, the store 1.5 to 2, and the rest is authentication, the wake-ups of a batch, and the journal"
            }
            Self::P4 => {
                "the owner's thread: 0.5 to 0.6 us an issue (the record, the holder's place in the roll and in the index, the write), beside which who asks takes as much of the other core (a slot, a waker, three locks); writing and syncing the same bytes alone takes 0.07 to 0.11 us an issue on this disk"
            }
            Self::P5 => {
                "the one thread of MariaDB that serves the ledger's connection, busy nine tenths of the time: some 8 us an issue to parse, insert and log the row and its two keys; all of the ledger, the combiner and who asks take a fifth of the other core"
            }
            Self::P6 => "as P5; the rows alone use both cores",
            Self::P7 => {
                "Redis's one thread: 2.3 us a user in the script and its file, and 0.9 us in which it waits for the answers to one batch to become the requests of the next"
            }
            Self::P8 => {
                "the users of a batch put together in one string, copied into the stream and written to the file once more: some 0.2 us of 2.3 us a user"
            }
            Self::P9 => {
                "by stream how soon a worker asks again, every 5 ms while issues come and up to 160 ms after a silence, and its transaction on the coupon's row; by Kafka the two cores, of which 5,000 issues a second take 1.7, the broker alone 0.5"
            }
            Self::P10 => {
                "authentication, limits and metrics, which the bare handler has not; a refusal writes and syncs nothing"
            }
            Self::P11 => {
                "waits for a processor, not for the disk: in 5 s of a slow round, traced (p99 30 ms), the ledger's thread waited for the disk above 1 ms once, and for a processor 11 times (21 ms together), the two loops 28 times, the load 11 times, up to 6 ms each; meanwhile the processors had other threads of the two, the follower, a process of the machine's own that takes 3 to 5 ms every 1.1 s, or nothing to do. A shorter slice for the ledger's thread (0.1 ms) changed little: 4.3, 5.4 and 7.0 ms against 5.0, 7.3 and 24.3 in turns. Seen before: the host, when it takes processor time for seconds; the kernel that makes room in a full memory for new pages of files; a segment's zeros; the store's commits of 1 to 2 ms"
            }
            Self::P12 => "two wake-ups, of the owner and back of the loop",
            Self::P13 => "memory: putting every holder into the index",
            Self::P14 => "nothing but the cores",
            Self::P16 => "reads of the index that miss the cache and the processor's table of pages",
            Self::P17 => {
                "embedded, the two cores: the server takes 1.3 to 1.4 of them and its load 0.45; while a fleet issues, its servers take 0.6 (`database`), 0.5 (`redis-lock`) and 0.75 (`redis-script`) and the load 0.1 to 0.2, and what is left goes to the database and Redis, or is waiting for them"
            }
            Self::P18 => {
                "the two cores: of the server's processor time 54 % is HTTP, 42 % the thread that decides and writes (each redemption changes a page of 4 KiB of its own, and a sync waits for them), 3 % the one that carries the log; the load takes what is left"
            }
            Self::P19 => {
                "the database's one thread behind the gathered connection, which parses, locks and writes for all"
            }
            Self::P20 => "a heartbeat for each every 15 seconds, a write to a socket of its own",
            Self::P21 => {
                "some 250 us of server CPU for a wallet of twenty, each on a page of its own; at this rate nobody waits for the next"
            }
            Self::P22 => {
                "the jobs: the processor that issues leave to them, the pause after each batch, as long as the batch had the store, and the store's one writer, which they have in turn with the follower; while a fold goes on beside the sale that is most of the time the follower's"
            }
        }
    }

    /// Takes it.
    pub(crate) fn take(self, session: &mut Session) -> anyhow::Result<Found> {
        match self {
            Self::P1 => durable_issue::take(session),
            Self::P4 => in_process::take(session),
            Self::P5 => database::take_against_transactions(session),
            Self::P6 => database::take_against_rows(session),
            Self::P7 => redis_script::take_against_benchmark(session),
            Self::P8 => redis_script::take_without_stream(session),
            Self::P9 => carried::take(session),
            Self::P10 => refusal::take(session),
            Self::P11 => open_load::take(session),
            Self::P12 => lone_client::take(session),
            Self::P13 => recovery::take(session),
            Self::P14 => crowded::take(session),
            Self::P16 => memory::take(session),
            Self::P17 => side_by_side::take(session),
            Self::P18 => redemption::take(session),
            Self::P19 => shared_redemption::take(session),
            Self::P20 => listeners::take(session),
            Self::P21 => wallet::take(session),
            Self::P22 => due_jobs::take(session),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
