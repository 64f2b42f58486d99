//! The hall as a whole: what its event loops share, and how it is put together.

use crate::address::Network;
use crate::auth::{FixedKey, LiveKeys, TokenSettings, TokenSettingsError, TokenVerifier};
use crate::limits::Limits;
use crate::live::Live;
use crate::meter::Meter;
use crate::metrics::{BuildInfo, StoreLag};
use crate::rate::{Limiter, Rates};
use crate::refusals::RefusalCounts;
use crate::remarks::Remarks;
use crate::router;
use coupon_app::{
    AuditLog, Clock, ContactStore, DeadLetters, KeyStore, Ledgers, NotificationOutbox, Reconciliation,
    Redeemer, StoreError, WebhookPost, WebhookStore,
};
use coupon_core::{AckLevel, Strategy};
use secrecy::SecretBox;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};

/// What the hall is made of. Wiring brings these.
pub struct HallParts {
    /// Where API keys are kept.
    pub keys: Arc<dyn KeyStore>,
    /// Where what administrators did is read.
    pub audit: Arc<dyn AuditLog>,
    /// The ledgers, for their health and figures.
    pub ledgers: Arc<Ledgers>,
    /// The one way to redeem.
    pub redeemer: Arc<Redeemer>,
    /// Where webhooks are kept, and how one is reached.
    pub webhooks: Webhooks,
    /// How people are reached, as the shop tells us.
    pub contacts: Arc<dyn ContactStore>,
    /// Whether ledger and store agree.
    pub reconciliation: Arc<dyn Reconciliation>,
    /// What could not be taken, wherever it lies.
    pub dead_letters: DeadLetters,
    /// The clock of the house, the same that the desks have.
    pub clock: Arc<dyn Clock>,
    /// From which the secrets of API keys that are made with an `Idempotency-Key` are derived: random, kept, and
    /// the same after a restart, so that a repeated request gets the same key.
    pub key_seed: SecretBox<[u8; 32]>,
    /// Everything that an operator may set.
    pub settings: Settings,
}

/// What the hall needs for the administration of webhooks.
#[derive(Clone)]
pub struct Webhooks {
    /// Keeps them.
    pub store: Arc<dyn WebhookStore>,
    /// Reaches one out of turn.
    pub post: Arc<dyn WebhookPost>,
    /// Where deliveries are kept; without it they can neither be listed nor replayed.
    pub deliveries: Option<Arc<dyn NotificationOutbox>>,
}

/// What an operator may set.
#[derive(Debug)]
pub struct Settings {
    /// How users' tokens are checked.
    pub tokens: TokenSettings,
    /// Keys from the configuration, beside those in the store.
    pub fixed_keys: Vec<FixedKey>,
    /// How often clients may ask.
    pub rates: Rates,
    /// How much and how long.
    pub limits: Limits,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// What new coupons may have as their strategy; the first is the default.
    pub strategies: Vec<Strategy>,
    /// What new coupons may have as their level of acknowledgement.
    pub acks: Vec<AckLevel>,
    /// What this build is.
    pub build: BuildInfo,
}

/// The hall cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum HallError {
    /// The settings for tokens cannot be used.
    #[error(transparent)]
    Tokens(#[from] TokenSettingsError),
    /// The API keys cannot be read.
    #[error("the API keys cannot be read: {0}")]
    Keys(#[from] StoreError),
}

/// The hall. See [`Hall::serve`].
pub struct Hall {
    pub(crate) keys: Arc<dyn KeyStore>,
    pub(crate) audit: Arc<dyn AuditLog>,
    pub(crate) live_keys: LiveKeys,
    /// Held while a key is made or revoked, so that memory and store change in the same order.
    pub(crate) key_office: tokio::sync::Mutex<()>,
    pub(crate) key_seed: SecretBox<[u8; 32]>,
    pub(crate) tokens: TokenVerifier,
    pub(crate) ledgers: Arc<Ledgers>,
    pub(crate) redeemer: Arc<Redeemer>,
    pub(crate) webhooks: Webhooks,
    pub(crate) contacts: Arc<dyn ContactStore>,
    pub(crate) reconciliation: Arc<dyn Reconciliation>,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) remarks: Remarks,
    pub(crate) limiters: Limiters,
    pub(crate) limits: Limits,
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) strategies: Vec<Strategy>,
    pub(crate) acks: Vec<AckLevel>,
    pub(crate) build: BuildInfo,
    pub(crate) refusals: RefusalCounts,
    pub(crate) store_lag: StoreLag,
    pub(crate) other_metrics: Mutex<Vec<MetricsText>>,
    pub(crate) routes: Routes,
    pub(crate) meters: Mutex<Vec<Arc<Meter>>>,
    pub(crate) live: Arc<Live>,
    pub(crate) connections: AtomicUsize,
    pub(crate) stopping: AtomicBool,
}

/// Writes what another part of the server counts.
pub type MetricsText = Box<dyn Fn() -> Result<String, fmt::Error> + Send + Sync>;

/// The limits on how often clients may ask; `None` is no limit.
#[derive(Debug)]
pub(crate) struct Limiters {
    pub(crate) issue_per_user: Option<Limiter>,
    pub(crate) issue_per_key: Option<Limiter>,
    pub(crate) issue_per_address: Option<Limiter>,
    pub(crate) wrong_codes_per_user: Option<Limiter>,
    pub(crate) wrong_codes_per_key: Option<Limiter>,
}

/// The routes in a fixed order, for counting.
#[derive(Debug)]
pub(crate) struct Routes {
    pub(crate) names: Vec<String>,
    by_name: HashMap<String, usize>,
}

impl Routes {
    fn new(names: Vec<String>) -> Self {
        let by_name = names.iter().cloned().zip(0..).collect();
        Self { names, by_name }
    }

    /// The place of a route; that of none when it has none.
    pub(crate) fn index(&self, name: Option<&str>) -> usize {
        name.and_then(|name| self.by_name.get(name).copied())
            .unwrap_or(self.names.len())
    }
}

impl Hall {
    /// Puts the hall together and reads the API keys.
    pub async fn new(parts: HallParts) -> Result<Arc<Self>, HallError> {
        let settings = parts.settings;
        let rates = settings.rates;
        let live_keys = LiveKeys::new(settings.fixed_keys);
        live_keys.refresh(parts.keys.as_ref()).await?;
        let limiter = |name, rate: Option<_>| rate.map(|rate| Limiter::new(name, rate));
        Ok(Arc::new(Self {
            tokens: TokenVerifier::new(&settings.tokens)?,
            keys: parts.keys,
            audit: parts.audit,
            live_keys,
            key_office: tokio::sync::Mutex::new(()),
            key_seed: parts.key_seed,
            ledgers: parts.ledgers,
            redeemer: parts.redeemer,
            webhooks: parts.webhooks,
            contacts: parts.contacts,
            reconciliation: parts.reconciliation,
            dead_letters: parts.dead_letters,
            remarks: Remarks::default(),
            limiters: Limiters {
                issue_per_user: limiter("issue", rates.issue_per_user),
                issue_per_key: limiter("issue-key", rates.issue_per_key),
                issue_per_address: limiter("issue-address", rates.issue_per_address),
                wrong_codes_per_user: limiter("wrong-codes", rates.wrong_codes_per_user),
                wrong_codes_per_key: limiter("wrong-codes-key", rates.wrong_codes_per_key),
            },
            limits: settings.limits,
            trusted_proxies: settings.trusted_proxies,
            strategies: settings.strategies,
            acks: settings.acks,
            build: settings.build,
            refusals: RefusalCounts::new(parts.clock.now()),
            store_lag: StoreLag::default(),
            other_metrics: Mutex::default(),
            routes: Routes::new(router::paths()),
            meters: Mutex::default(),
            live: Arc::default(),
            connections: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
        }))
    }

    /// Reads the API keys again: other servers make and revoke keys too.
    pub async fn refresh_keys(&self) -> Result<(), StoreError> {
        let _turn = self.key_office.lock().await;
        self.live_keys.refresh(self.keys.as_ref()).await
    }

    /// Writes down which API keys were used since this was last called. Called about once a minute, and at the end.
    pub async fn note_used_keys(&self) -> Result<(), StoreError> {
        let _turn = self.key_office.lock().await;
        let used = self.live_keys.used();
        self.keys.note_used_keys(&used).await?;
        self.live_keys.noted(&used);
        Ok(())
    }

    /// The gauge of how far the store is behind the ledger; whoever carries entries across sets it.
    pub fn store_lag(&self) -> StoreLag {
        self.store_lag.clone()
    }

    /// Has `/metrics` tell what another part of the server counts, in the OpenMetrics text format with its end.
    pub fn also_tell(&self, metrics: MetricsText) {
        let mut others = self.other_metrics.lock().unwrap_or_else(PoisonError::into_inner);
        others.push(metrics);
    }

    /// Where wiring says what else is not as it should be; readiness tells it.
    pub fn remarks(&self) -> Remarks {
        self.remarks.clone()
    }

    /// A meter for one more event loop.
    pub(crate) fn add_meter(&self) -> Arc<Meter> {
        let meter = Arc::new(Meter::new(self.routes.names.len()));
        self.meters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&meter));
        meter
    }
}

impl fmt::Debug for Hall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hall")
            .field("build", &self.build)
            .finish_non_exhaustive()
    }
}
