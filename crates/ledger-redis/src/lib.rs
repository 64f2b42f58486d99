//! A workshop: the ledger of many servers, decided by one Redis script per coupon and batch; its stream, from which
//! workers bring issues to the store; and a lock that lowers contention.
//!
//! * [`RedisLedger`] is the ledger port. It also gives up a coupon's state after the sale ([`RedisLedger::retire`])
//!   and takes it anew from the store after a loss ([`Reopening`], and the ports [`coupon_app::SharedState`] and
//!   [`coupon_app::Passage`]).
//! * [`RedisDeliveries`] is the source port for workers.
//! * [`RedisLock`] is the lock port.
//!
//! Only this crate knows the name of a key. docs/REDIS-LAYOUT.md has them, and every value, to the byte.

mod bounds;
mod command;
mod deliveries;
mod engine;
mod error;
mod facts;
mod health;
mod identity;
mod issue;
mod keys;
mod known;
mod ledger;
mod letters;
pub mod limits;
mod link;
mod lock;
mod look;
mod news;
mod options;
mod pack;
mod plan;
mod reopen;
mod reply;
mod retire;
mod scripts;
mod shared_state;
#[cfg(feature = "sim")]
mod sim;
mod streams;

pub use deliveries::{RedisDeliveries, WorkerOptions};
pub use error::{Doubt, RedisTrouble};
pub use health::Setting;
pub use identity::{Identity, NodeIdentity, Sighting};
pub use ledger::RedisLedger;
pub use letters::RedisLetters;
pub use lock::RedisLock;
pub use options::{Login, RedisOptions, Target, Tls};
pub use reopen::{Fenced, ReopenError, Reopened, Reopening};
pub use retire::Retired;
#[cfg(feature = "sim")]
pub use sim::Sim;
