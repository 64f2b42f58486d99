//! The API keys that are good now, in memory: every request looks here, never into the store.

use super::secret::{self, ApiKeySecret};
use crate::error::Problem;
use arc_swap::ArcSwap;
use coupon_app::{KeyId, KeyRecord, KeyStore, Scope, StoreError};
use coupon_core::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A key that may be used.
#[derive(Debug)]
pub(crate) struct LiveKey {
    pub(crate) record: KeyRecord,
    used: Arc<Use>,
}

/// When a key was used, as far as this server knows, in microseconds; 0 is never.
#[derive(Debug, Default)]
struct Use {
    last: AtomicI64,
    noted: AtomicI64,
}

/// A use is noted to the second: a busy key is then not written by every request.
const FINENESS_US: i64 = 1_000_000;

impl LiveKey {
    fn new(record: KeyRecord, used: Arc<Use>) -> Arc<Self> {
        Arc::new(Self { record, used })
    }

    fn use_at(&self, now: Timestamp) {
        let now = now.as_micros();
        if now - self.used.last.load(Ordering::Relaxed) >= FINENESS_US {
            self.used.last.fetch_max(now, Ordering::Relaxed);
        }
    }
}

/// A key from the configuration, beside those in the store. It cannot be revoked but by changing the configuration.
///
/// It is any text of at least 32 visible ASCII characters, so that an operator can set one of their own making.
#[derive(Clone, Debug)]
pub struct FixedKey {
    record: KeyRecord,
}

/// The text cannot be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key from the configuration must have 32 to 512 visible ASCII characters")]
pub struct FixedKeyError;

impl FixedKey {
    /// A key that is this text. `id` is what metrics, logs and the audit trail call it.
    pub fn new(id: &str, text: &str, scopes: Vec<Scope>) -> Result<Self, FixedKeyError> {
        if !(32..=512).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(FixedKeyError);
        }
        Ok(Self {
            record: KeyRecord {
                id: id.into(),
                name: id.into(),
                scopes,
                secret_hash: secret::hash(text.as_bytes()),
                created_at: Timestamp::MIN,
                expires_at: None,
                revoked_at: None,
                last_used_at: None,
            },
        })
    }
}

/// Every key that may be used, replaced as a whole when one is made or revoked.
#[derive(Debug)]
pub(crate) struct LiveKeys {
    fixed: Vec<Arc<LiveKey>>,
    stored: ArcSwap<HashMap<Box<str>, Arc<LiveKey>>>,
}

impl LiveKeys {
    pub(crate) fn new(fixed: Vec<FixedKey>) -> Self {
        Self {
            fixed: fixed
                .into_iter()
                .map(|key| LiveKey::new(key.record, Arc::default()))
                .collect(),
            stored: ArcSwap::default(),
        }
    }

    /// Takes over what the store has.
    pub(crate) async fn refresh(&self, store: &dyn KeyStore) -> Result<(), StoreError> {
        let live = store
            .keys()
            .await?
            .into_iter()
            .filter(|key| key.revoked_at.is_none());
        let before = self.stored.load();
        let used = |id: &str| {
            before
                .get(id)
                .map(|key| Arc::clone(&key.used))
                .unwrap_or_default()
        };
        let map = live
            .map(|record| (record.id.clone(), LiveKey::new(record.clone(), used(&record.id))))
            .collect();
        self.stored.store(Arc::new(map));
        Ok(())
    }

    /// The keys that were used since [`LiveKeys::noted`] was told of them.
    pub(crate) fn used(&self) -> Vec<(KeyId, Timestamp)> {
        let stored = self.stored.load();
        let used = stored.values().filter_map(|key| {
            let last = key.used.last.load(Ordering::Relaxed);
            let news = last > key.used.noted.load(Ordering::Relaxed);
            news.then(|| (key.record.id.clone(), Timestamp::saturating_from_micros(last)))
        });
        used.collect()
    }

    /// These uses are written down.
    pub(crate) fn noted(&self, used: &[(KeyId, Timestamp)]) {
        let stored = self.stored.load();
        for (id, at) in used {
            if let Some(key) = stored.get(id) {
                key.used.noted.fetch_max(at.as_micros(), Ordering::Relaxed);
            }
        }
    }

    /// Whether a credential has the shape of an API key.
    pub(crate) fn is_key(credential: &str) -> bool {
        secret::split(credential).is_some()
    }

    /// The key that a text is. One that has ended is as one that never was.
    pub(crate) fn check(&self, credential: &str, now: Timestamp) -> Result<Arc<LiveKey>, Problem> {
        if let Some((id, secret)) = secret::split(credential) {
            let stored = self.stored.load();
            if let Some(key) = stored.get(id)
                && secret::matches(secret, &key.record.secret_hash)
                && key.record.is_good(now)
            {
                key.use_at(now);
                return Ok(Arc::clone(key));
            }
        }
        self.check_fixed(credential).ok_or(Problem::InvalidCredentials)
    }

    /// The key of the configuration that a text is. Every one is compared, whichever it is.
    pub(crate) fn check_fixed(&self, credential: &str) -> Option<Arc<LiveKey>> {
        if self.fixed.is_empty() {
            return None;
        }
        let hash = secret::hash(credential.as_bytes());
        let mut found = None;
        for key in &self.fixed {
            if secret::equal(&hash, &key.record.secret_hash) {
                found = Some(Arc::clone(key));
            }
        }
        found
    }
}

impl From<ApiKeySecret> for String {
    fn from(key: ApiKeySecret) -> Self {
        key.expose()
    }
}
