//! Every bound of this crate.

use std::time::Duration;

/// How long a server may take from its start to its first answer, on a machine that is busy with builds.
pub(crate) const START: Duration = Duration::from_secs(90);
/// How long the initial content of a database server may take to be made.
pub(crate) const INSTALL: Duration = Duration::from_secs(300);
/// How long a server may take to end after it was asked to.
pub(crate) const STOP: Duration = Duration::from_secs(30);
/// How long a server may take over one question of the kit.
pub(crate) const ANSWER: Duration = Duration::from_secs(60);
/// How long connecting may take; on the loopback a server that listens answers at once.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);
/// Between two looks at a condition.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Of a server's log, so many lines go into an error.
pub(crate) const LOG_LINES: usize = 30;
/// The longest answer that the kit reads from a server.
pub(crate) const ANSWER_BYTES: usize = 16 << 20;
/// How deep answers of Redis may nest.
pub(crate) const ANSWER_DEPTH: usize = 16;
/// Attempts to find a port that nobody else takes between the look and the server's start.
pub(crate) const PORT_ATTEMPTS: usize = 3;
/// Ports are taken from here, below those that Linux gives to outgoing connections. A client that keeps
/// trying a dead port among those would now and then be given that very port and so reach itself.
pub(crate) const PORTS: std::ops::Range<u16> = 15_000..31_000;
/// Connections through one proxy at a time.
pub(crate) const PROXY_CONNECTIONS: usize = 1_024;
/// What a proxy reads at once.
pub(crate) const PROXY_BUFFER_BYTES: usize = 64 << 10;
/// Brokers of one Kafka cluster.
pub(crate) const BROKERS: std::ops::RangeInclusive<u16> = 1..=5;
/// Masters of one Redis cluster; fewer than three cannot agree on a failure.
pub(crate) const CLUSTER_NODES: usize = 3;
/// Into so many slots a Redis cluster divides its keys.
pub(crate) const CLUSTER_SLOTS: u16 = 16_384;
/// Connections to one server of the test's own process at a time.
pub(crate) const OWN_CONNECTIONS: usize = 256;
/// The longest line that such a server reads.
pub(crate) const OWN_LINE_BYTES: usize = 64 << 10;
