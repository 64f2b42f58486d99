//! The lock port: a lease that lowers contention.

use crate::StoreError;
use async_trait::async_trait;
use std::time::Duration;

/// A lease on a name, held by one owner until it is released or runs out.
///
/// It only lowers contention. It MUST NOT be what makes a result right: its holder may be paused past the lease
/// without knowing, and then there are two who believe that they hold it. What refuses the late one is the fencing
/// token, and that comes from the database that is written to, never from here.
///
/// 1. **Owned.** Taking a lease makes a token that nobody can guess; only who shows it renews or releases.
/// 2. **It ends.** A lease that is not renewed ends by itself, so that a dead holder stops nobody for long.
/// 3. **Losing it is an answer.** `renew` and `release` say whether the lease was still held; not holding it any more
///    is no error.
#[async_trait]
pub trait Lock: Send + Sync + 'static {
    /// Tries once to take the lease on `name`; `None` when somebody else holds it.
    async fn take(&self, name: &str, lease: Duration) -> Result<Option<Lease>, StoreError>;

    /// Makes the lease last `lease` from now; `false` when it is no longer held.
    async fn renew(&self, held: &Lease, lease: Duration) -> Result<bool, StoreError>;

    /// Gives the lease back; `false` when it was no longer held.
    async fn release(&self, held: Lease) -> Result<bool, StoreError>;
}

/// What the holder of a lease shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// On what.
    pub name: Box<str>,
    /// By whom: random, made when it was taken.
    pub owner: [u8; 16],
}
