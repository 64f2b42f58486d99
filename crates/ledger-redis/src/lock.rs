//! The lock port over Redis.

use crate::engine;
use crate::error::RedisTrouble;
use crate::keys::Keys;
use crate::limits::MAX_LOCK_NAME_BYTES;
use crate::link::Link;
use crate::options::RedisOptions;
use crate::reply;
use crate::scripts::Scripts;
use async_trait::async_trait;
use coupon_app::{Lease, Lock, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// A lease in one Redis. It lowers contention and proves nothing: see [`Lock`].
///
/// Weak settings do not matter to it, because nothing rests on it.
pub struct RedisLock {
    link: Arc<Link>,
    scripts: Scripts,
    keys: Keys,
    handle: Handle,
}

impl std::fmt::Debug for RedisLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisLock").finish_non_exhaustive()
    }
}

/// A name that cannot be locked.
#[derive(Debug, thiserror::Error)]
#[error("the name of a lock has 1 to {MAX_LOCK_NAME_BYTES} bytes")]
struct NameError;

impl RedisLock {
    /// A lock service. It connects when it is first used, on `handle`.
    pub fn new(options: RedisOptions, handle: Handle) -> Self {
        let scripts = engine::scripts(&options);
        let loaded = vec![scripts.renew.clone(), scripts.release.clone()];
        let keys = Keys::new(&options.prefix);
        Self {
            link: Arc::new(Link::new(options, loaded, false)),
            scripts,
            keys,
            handle,
        }
    }

    fn key(&self, name: &str) -> Result<String, StoreError> {
        if name.is_empty() || name.len() > MAX_LOCK_NAME_BYTES {
            return Err(StoreError::lasting(NameError));
        }
        Ok(self.keys.lock(name))
    }

    async fn call(
        &self,
        script: &crate::scripts::Script,
        key: String,
        args: Vec<Vec<u8>>,
    ) -> Result<bool, StoreError> {
        let (link, script) = (Arc::clone(&self.link), script.clone());
        let calling = self.handle.spawn(async move {
            let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
            link.call(&script, &[key], &args).await
        });
        let said = calling.await.map_err(StoreError::lasting)?;
        let done = said.and_then(reply::number).map_err(RedisTrouble::of_a_store)?;
        Ok(done == 1)
    }
}

/// Redis counts in milliseconds; a lease of none would be refused.
fn millis(lease: Duration) -> Vec<u8> {
    lease.as_millis().max(1).to_string().into_bytes()
}

#[async_trait]
impl Lock for RedisLock {
    async fn take(&self, name: &str, lease: Duration) -> Result<Option<Lease>, StoreError> {
        let key = self.key(name)?;
        let mut owner = [0; 16];
        getrandom::fill(&mut owner).map_err(|error| StoreError::lasting(std::io::Error::other(error)))?;
        let mut set = redis::cmd("SET");
        set.arg(key)
            .arg(&owner[..])
            .arg("NX")
            .arg("PX")
            .arg(millis(lease));
        let link = Arc::clone(&self.link);
        let taking = self.handle.spawn(async move { link.send(&set).await });
        let said = taking.await.map_err(StoreError::lasting)?;
        let taken = said.map_err(RedisTrouble::of_a_store)? != redis::Value::Nil;
        Ok(taken.then(|| Lease {
            name: name.into(),
            owner,
        }))
    }

    async fn renew(&self, held: &Lease, lease: Duration) -> Result<bool, StoreError> {
        let key = self.key(&held.name)?;
        let args = vec![held.owner.to_vec(), millis(lease)];
        self.call(&self.scripts.renew, key, args).await
    }

    async fn release(&self, held: Lease) -> Result<bool, StoreError> {
        let key = self.key(&held.name)?;
        self.call(&self.scripts.release, key, vec![held.owner.to_vec()])
            .await
    }
}
