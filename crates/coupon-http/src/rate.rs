//! How often a client may ask.
//!
//! governor's GCRA over a store of bounded size: clients are remembered by a keyed hash, and when there are too many
//! the least active are forgotten, which lets them in again and nobody else out.

use crate::error::Problem;
use crate::limits::LIMITED_CLIENTS;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use http::{HeaderMap, HeaderName, HeaderValue};
use quick_cache::sync::Cache;
use std::hash::{BuildHasher, Hash, RandomState};
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// So many requests in so much time. All of them may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub requests: NonZeroU32,
    /// In how long; at least a millisecond.
    pub per: Duration,
}

/// The limits on how often clients may ask. `None` is no limit.
#[derive(Clone, Debug)]
pub struct Rates {
    /// Issue requests of one user.
    pub issue_per_user: Option<Rate>,
    /// Issue requests with one API key.
    pub issue_per_key: Option<Rate>,
    /// Issue requests from one address. Many phones can share one.
    pub issue_per_address: Option<Rate>,
    /// Wrong codes that one user looks up.
    pub wrong_codes_per_user: Option<Rate>,
    /// Wrong codes that one API key looks up.
    pub wrong_codes_per_key: Option<Rate>,
}

impl Default for Rates {
    fn default() -> Self {
        let ten = NonZeroU32::MIN.saturating_add(9);
        let rate = |per| {
            Some(Rate {
                requests: ten,
                per: Duration::from_secs(per),
            })
        };
        Self {
            issue_per_user: rate(1),
            issue_per_key: None,
            issue_per_address: None,
            wrong_codes_per_user: rate(60),
            wrong_codes_per_key: None,
        }
    }
}

#[derive(Clone, Debug)]
struct Remembered {
    clients: Arc<Cache<u64, Arc<AtomicU64>>>,
}

impl StateStore for Remembered {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let fresh = || Ok::<_, std::convert::Infallible>(Arc::default());
        let Ok(cell) = self.clients.get_or_insert_with(key, fresh);
        let mut before = cell.load(Ordering::Relaxed);
        loop {
            let known = NonZeroU64::new(before).map(|nanos| Nanos::from(nanos.get()));
            let (outcome, after) = measure(known)?;
            match cell.compare_exchange_weak(before, after.into(), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(outcome),
                Err(present) => before = present,
            }
        }
    }
}

/// One limit.
#[derive(Debug)]
pub(crate) struct Limiter {
    rate: Rate,
    limiter: RateLimiter<u64, Remembered, MonotonicClock, StateInformationMiddleware>,
    remembered: Remembered,
    hasher: RandomState,
    policy: HeaderValue,
    name: &'static str,
}

/// How much a client has left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    requests: u32,
    full_in_s: u64,
}

impl Limiter {
    pub(crate) fn new(name: &'static str, rate: Rate) -> Self {
        let per = rate.per.max(Duration::from_millis(1));
        let quota = Quota::with_period(per / rate.requests.get())
            .unwrap_or(Quota::per_second(NonZeroU32::MAX))
            .allow_burst(rate.requests);
        let remembered = Remembered {
            clients: Arc::new(Cache::new(LIMITED_CLIENTS)),
        };
        let policy = format!("\"{name}\";q={};w={}", rate.requests, seconds(per));
        Self {
            rate,
            limiter: RateLimiter::new(quota, remembered.clone(), MonotonicClock),
            remembered,
            hasher: RandomState::new(),
            policy: HeaderValue::try_from(policy).expect("a name, digits and punctuation are ASCII"),
            name,
        }
    }

    /// Counts one request of this client.
    pub(crate) fn check(&self, client: impl Hash) -> Result<Left, Problem> {
        match self.limiter.check_key(&self.hasher.hash_one(client)) {
            Ok(snapshot) => Ok(self.left(snapshot.remaining_burst_capacity())),
            Err(not_until) => {
                let wait = not_until.wait_time_from(self.limiter.clock().now());
                Err(Problem::RateLimited {
                    limit: self.rate.requests.get(),
                    window_s: seconds(self.rate.per),
                    retry_after_s: seconds(wait).max(1),
                })
            }
        }
    }

    /// Gives one request back to this client, as if it had not been made. `left` is what it had left with it, the answer
    /// what it has without it.
    pub(crate) fn give_back(&self, client: impl Hash, left: Left) -> Left {
        if let Some(cell) = self.remembered.clients.get(&self.hasher.hash_one(client)) {
            let one =
                u64::try_from((self.rate.per / self.rate.requests.get()).as_nanos()).unwrap_or(u64::MAX);
            let less = |nanos: u64| Some(nanos.saturating_sub(one));
            // The closure never refuses, so there is nothing to learn from the result.
            let _ = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
        self.left(left.requests.saturating_add(1).min(self.rate.requests.get()))
    }

    fn left(&self, requests: u32) -> Left {
        let used = self.rate.requests.get().saturating_sub(requests);
        Left {
            requests,
            full_in_s: seconds(self.rate.per / self.rate.requests.get() * used),
        }
    }

    /// Tells a client what it has left (draft-ietf-httpapi-ratelimit-headers).
    pub(crate) fn tell(&self, left: Option<Left>, headers: &mut HeaderMap) {
        let left = left.unwrap_or_else(|| self.left(0));
        headers.insert(POLICY, self.policy.clone());
        let state = format!("\"{}\";r={};t={}", self.name, left.requests, left.full_in_s);
        if let Ok(state) = HeaderValue::try_from(state) {
            headers.insert(STATE, state);
        }
    }
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
