//! The test bench: real servers as child processes on free loopback ports, in scratch directories, ended
//! whatever becomes of the test.
//!
//! A component is looked for in this order: the variable that names it, the `PATH`, and what
//! `cargo xtask servers` has unpacked below `target/servers/`. What is nowhere to be had is
//! [`ServerError::Absent`], which [`or_skip`] turns into a test that is counted as skipped:
//!
//! ```no_run
//! use coupon_testkit::{Redis, RedisOptions, or_skip};
//!
//! let Some(redis) = or_skip(Redis::start(&RedisOptions::durable())) else {
//!     return;
//! };
//! assert_eq!(redis.command(&["PING"]).unwrap().text(), "PONG");
//! ```
//!
//! Everything here blocks: a start takes from a twentieth of a second (Redis) to some seconds (Kafka).
//! Called from asynchronous tests it keeps its thread busy for that long, which a test can afford.

mod error;
mod http_receiver;
mod kafka;
mod limits;
mod listening;
mod mail_server;
mod place;
mod port;
mod proxy;
mod redis;
mod server;
mod skip;
mod sql;
mod wait;
mod watchdog;

pub use self::error::ServerError;
pub use self::http_receiver::{HttpConduct, HttpReceiver, HttpRequest};
pub use self::kafka::{Kafka, KafkaOptions};
pub use self::mail_server::{MailFault, MailReceived, MailServer, MailStage};
pub use self::port::free_port;
pub use self::proxy::{Direction, FaultProxy, Loss, ProxyCounts};
pub use self::redis::{Answer, Redis, RedisCluster, RedisEngine, RedisOptions, RedisSentinel};
pub use self::skip::or_skip;
pub use self::sql::{Rows, Sql, SqlDatabase, SqlEngine, SqlOptions, SqlSession};
pub use self::wait::wait_until;
