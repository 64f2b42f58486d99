//! One of many servers: MySQL or MariaDB keeps the record, and decides too; Redis decides where it is there.

use super::kafka;
use super::letters::notification_letters;
use super::lock_turns::LockTurns;
use super::reopening::Reopening;
use super::{Channels, House};
use crate::clock::SystemClock;
use crate::config::{RedisKind, RedisSettings, Secret, Settings};
use crate::keys::Keys;
use anyhow::Context as _;
use coupon_app::{
    Board, Bringing, Clock, CodeKey, DeadLetters, DeliveryStore, Epochs, FailedDeliveries, Forwarding,
    IssueLedger, LedgerMarks, Ledgers, LookReconciliation, Offer, PendingIssues, Reconciliation, Redeemer,
    RefuseFrom,
};
use coupon_core::{AckLevel, Strategy};
use ledger_redis::{Login, RedisLedger, RedisLock, RedisOptions, Target, Tls};
use secrecy::ExposeSecret as _;
use std::sync::Arc;
use std::time::Duration;
use store_mysql::{
    Contention, DatabaseLedger, LedgerOptions, MysqlRedemptions, MysqlStore, RedemptionOptions, StoreOptions,
    Telling,
};
use tokio::runtime::{Handle, Runtime};

/// How often a server looks at what the others have done.
const REFRESH_EVERY: Duration = Duration::from_millis(500);

/// Where connections to the engines live: event loops come and go, and must not wait for SQL.
pub(crate) struct Engines {
    runtime: Background,
    pub(crate) store: Arc<MysqlStore>,
}

impl Engines {
    /// Connects to the database.
    pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("engines")
            .enable_all()
            .build()
            .context("cannot start the runtime of the engines")?;
        let runtime = Background {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        };
        let url = database_url(settings)?;
        let options = StoreOptions {
            connections: settings.database.store_connections,
            notifications: Telling::new(
                settings
                    .notifications
                    .kinds(settings.mail.is_set() || settings.kafka.tells()),
                settings.notifications.kinds(true),
            ),
            ..StoreOptions::default()
        };
        let opening = runtime
            .handle
            .spawn(async move { MysqlStore::open(&url, options).await });
        let store = Arc::new(opening.await?.context("the database (database.url)")?);
        let learning = Arc::downgrade(&store);
        runtime.handle.spawn(async move {
            loop {
                tokio::time::sleep(REFRESH_EVERY).await;
                let Some(store) = learning.upgrade() else { return };
                if let Err(error) = store.learn_webhooks().await {
                    tracing::debug!(%error, "the database was not asked whether there is a webhook");
                }
            }
        });
        Ok(Self { runtime, store })
    }

    /// The key of the codes, which is made when it is first asked for.
    pub(crate) async fn codes(&self) -> anyhow::Result<CodeKey> {
        let mut fresh = [0u8; 16];
        getrandom::fill(&mut fresh).context("the system gives no random numbers")?;
        Ok(CodeKey::new(self.store.code_key(fresh).await?))
    }

    /// By which notifications are told.
    pub(crate) async fn channels(&self, settings: &Settings) -> anyhow::Result<Channels> {
        let codes = self.codes().await?;
        Channels::open(
            settings,
            Arc::clone(&self.store) as _,
            Arc::clone(&self.store) as _,
            &codes,
        )
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.runtime.handle
    }
}

/// A runtime that ends without waiting for anybody, wherever it is dropped.
struct Background {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The house, and the engines under it.
pub(crate) struct Together {
    pub(crate) house: House,
    pub(crate) engines: Engines,
    /// With Redis.
    pub(crate) reopening: Option<Reopening>,
}

impl Together {
    /// Connects to everything. Nothing is kept here: what a server knows it learns from the engines.
    pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let keys = Keys::of_many(settings)?;
        let engines = Engines::open(settings).await?;
        let store = Arc::clone(&engines.store);
        let codes = engines.codes().await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let board = Arc::new(Board::new());
        let mut offers = Vec::new();
        let mut ahead = Vec::new();
        let mut reopening = None;
        if settings.redis.is_set() {
            let (ledger, offer, started) = redis_script(settings, &engines, &board).await?;
            ahead.push((Strategy::RedisScript, ledger as Arc<dyn PendingIssues>));
            offers.push(offer);
            reopening = Some(started);
        }
        offers.push(row_locks(settings, &engines, &board).await?);
        if settings.redis.is_set() {
            offers.push(redis_lock(settings, &engines, &board).await?);
        }
        let mut strategies: Vec<Strategy> = offers.iter().map(|offer| offer.strategy).collect();
        if let Some(first) = settings.default_strategy.chosen() {
            strategies.sort_by_key(|strategy| *strategy != first);
        }
        let marks: Arc<dyn LedgerMarks> = Arc::clone(&store) as _;
        let deliveries: Arc<dyn DeliveryStore> = Arc::clone(&store) as _;
        let bringing = Bringing::new(Arc::clone(&board), Arc::clone(&marks), deliveries, ahead);
        let refuse_from = if settings.refuse_from_memory {
            RefuseFrom::Memory
        } else {
            RefuseFrom::Ledger
        };
        let ledgers = Ledgers::several(offers, Arc::clone(&board), marks, refuse_from)
            .context("cannot start the threads of the ledgers")?;
        let failed: Arc<dyn FailedDeliveries> = Arc::clone(&store) as _;
        let mut offices = kafka::dead_letters(settings, &engines)?;
        offices.extend(notification_letters(&failed, &clock));
        let dead_letters = DeadLetters::of(offices);
        let redeemer = redeemer(settings, &engines, bringing, Arc::clone(&clock)).await?;
        let ledgers = Arc::new(ledgers);
        let looks = LookReconciliation::new(ledgers.lanes(), Arc::clone(&board), Arc::clone(&store) as _);
        let mut reconciliation: Arc<dyn Reconciliation> = Arc::new(looks);
        if let Some(reopening) = &reopening {
            reconciliation = reopening.reconciliation(&store, reconciliation);
        }
        let house = House {
            clock,
            board,
            store: Arc::clone(&store) as _,
            key_store: Arc::clone(&store) as _,
            webhooks: Arc::clone(&store) as _,
            contacts: Arc::clone(&store) as _,
            audit: Arc::clone(&store) as _,
            codes,
            ledgers,
            redeemer,
            reconciliation,
            dead_letters,
            deliveries: Some(store),
            strategies,
            acks: vec![AckLevel::Ledger, AckLevel::Store],
            keys,
        };
        Ok(Self {
            house,
            engines,
            reopening,
        })
    }
}

/// The script in Redis, in front of the store for what cannot wait.
async fn redis_script(
    settings: &Settings,
    engines: &Engines,
    board: &Arc<Board>,
) -> anyhow::Result<(Arc<RedisLedger>, Offer, Reopening)> {
    let store = &engines.store;
    let options = RedisOptions {
        begins_closed: true,
        ..redis_options(&settings.redis)?
    };
    let opening = RedisLedger::open(
        options,
        engines.handle().clone(),
        Arc::clone(board),
        Arc::clone(store) as _,
        Some(Arc::clone(store) as _),
    );
    let ledger = Arc::new(opening.await.context("Redis (redis.addresses)")?);
    let reopening = Reopening::start(
        &ledger,
        vec![Arc::clone(&ledger) as _],
        store,
        settings.redis.reopen_despite_loss,
        engines.handle(),
    );
    let reopening = reopening.await?;
    let epochs: Arc<dyn Epochs> = Arc::clone(&ledger) as _;
    let deliveries: Arc<dyn DeliveryStore> = Arc::clone(store) as _;
    let door: Arc<dyn IssueLedger> = Arc::new(Forwarding::new(
        Arc::clone(&ledger) as _,
        epochs,
        deliveries,
        Arc::clone(store) as _,
        Arc::clone(board),
    ));
    let doors = std::iter::repeat_with(|| Arc::clone(&door));
    let offer = Offer {
        strategy: Strategy::RedisScript,
        doors: doors.take(combiners(settings)).collect(),
        runs_ahead: true,
    };
    Ok((ledger, offer, reopening))
}

/// Redeems in the database. It also looks at what was used at other servers.
async fn redeemer(
    settings: &Settings,
    engines: &Engines,
    bringing: Bringing,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Arc<Redeemer>> {
    let (url, store) = (database_url(settings)?, Arc::clone(&engines.store));
    let options = RedemptionOptions {
        declared: settings.database.declared.clone(),
        ..RedemptionOptions::default()
    };
    let opening = engines
        .handle()
        .spawn(async move { MysqlRedemptions::open(&url, &store, &options) });
    let redemptions = opening.await?.context("the database (database.url)")?;
    let redeemer = Redeemer::start_shared("redeemer", Arc::new(redemptions), bringing, clock).await?;
    let redeemer = Arc::new(redeemer);
    let learning = Arc::downgrade(&redeemer);
    engines.handle().spawn(async move {
        loop {
            tokio::time::sleep(REFRESH_EVERY).await;
            let Some(redeemer) = learning.upgrade() else {
                return;
            };
            if let Err(error) = redeemer.learn().await {
                tracing::debug!(%error, "the database was not asked what other servers have redeemed");
            }
        }
    });
    Ok(redeemer)
}

/// The row lock. The first of its ledgers also looks at what other servers did, to every coupon in the database.
async fn row_locks(settings: &Settings, engines: &Engines, board: &Arc<Board>) -> anyhow::Result<Offer> {
    let ledgers = database_ledgers(settings, engines, board, &Contention::RowLock).await?;
    if let Some(first) = ledgers.first() {
        let looking = Arc::downgrade(first);
        engines.handle().spawn(async move {
            loop {
                tokio::time::sleep(REFRESH_EVERY).await;
                let Some(ledger) = looking.upgrade() else { return };
                if let Err(error) = ledger.refresh_board().await {
                    tracing::debug!(%error, "the database was not asked what other servers did");
                }
            }
        });
    }
    Ok(offer(Strategy::Database, ledgers))
}

/// The database under a lock in Redis.
async fn redis_lock(settings: &Settings, engines: &Engines, board: &Arc<Board>) -> anyhow::Result<Offer> {
    let lock = RedisLock::new(redis_options(&settings.redis)?, engines.handle().clone());
    let lease = Duration::from_millis(settings.redis.lock_lease_ms);
    let turns = Contention::Turns(Arc::new(LockTurns::new(
        Arc::new(lock),
        lease,
        engines.handle().clone(),
    )));
    let ledgers = database_ledgers(settings, engines, board, &turns).await?;
    Ok(offer(Strategy::RedisLock, ledgers))
}

fn offer(strategy: Strategy, ledgers: Vec<Arc<DatabaseLedger>>) -> Offer {
    Offer {
        strategy,
        doors: ledgers.into_iter().map(|ledger| ledger as _).collect(),
        // The ledger is the store.
        runs_ahead: false,
    }
}

/// One for each combiner: a ledger carries out one batch at a time, and a row that is locked elsewhere holds it up.
async fn database_ledgers(
    settings: &Settings,
    engines: &Engines,
    board: &Arc<Board>,
    contention: &Contention,
) -> anyhow::Result<Vec<Arc<DatabaseLedger>>> {
    let mut ledgers = Vec::new();
    for _ in 0..combiners(settings) {
        let options = LedgerOptions {
            contention: contention.clone(),
            connections: 1,
            declared: settings.database.declared.clone(),
            notifications: engines.store.telling(),
            ..LedgerOptions::default()
        };
        let (url, board) = (database_url(settings)?, Arc::clone(board));
        let opening = engines
            .handle()
            .spawn(async move { DatabaseLedger::open(&url, options, board).await });
        ledgers.push(Arc::new(opening.await?.context("the database (database.url)")?));
    }
    Ok(ledgers)
}

fn combiners(settings: &Settings) -> usize {
    usize::try_from(settings.database.combiners).unwrap_or(1).max(1)
}

/// The URL of the database, or what to set.
pub(crate) fn database_url(settings: &Settings) -> anyhow::Result<String> {
    let url = settings.database.url.get().context(
        "there is no database: set FIRSTCOME_DATABASE_URL (mysql://user:password@host:port/name), or \
         FIRSTCOME_DATABASE_URL_FILE, naming a file that holds it",
    )?;
    Ok(url.expose_secret().to_owned())
}

/// How Redis is reached.
pub(crate) fn redis_options(settings: &RedisSettings) -> anyhow::Result<RedisOptions> {
    let addresses = settings.addresses.clone();
    let first = addresses
        .first()
        .cloned()
        .context("redis.addresses must be set")?;
    let target = match settings.kind {
        RedisKind::Single => Target::Single(first),
        RedisKind::Sentinel => Target::Sentinel {
            addresses,
            group: settings.group.clone(),
        },
        RedisKind::Cluster => Target::Cluster(addresses),
    };
    let mut options = RedisOptions::at(target);
    options.login = login(&settings.user, &settings.password);
    options.sentinel_login = login(&settings.sentinel_user, &settings.sentinel_password);
    options.tls = settings.tls.then(|| tls(settings)).transpose()?;
    options.prefix = settings.prefix.as_str().into();
    options.response_timeout = Duration::from_millis(settings.response_timeout_ms);
    options.refresh_every = REFRESH_EVERY;
    options.declared = settings.declared();
    Ok(options)
}

fn login(user: &str, password: &Secret) -> Option<Login> {
    password.get().map(|password| Login {
        user: (!user.is_empty()).then(|| user.to_owned()),
        password,
    })
}

fn tls(settings: &RedisSettings) -> anyhow::Result<Tls> {
    let read = |file: &String| std::fs::read(file).with_context(|| format!("cannot read {file}"));
    let authority = &settings.tls_authority_file;
    let authority = (!authority.is_empty()).then(|| read(authority)).transpose()?;
    let client = if settings.tls_certificate_file.is_empty() {
        None
    } else {
        let key = std::fs::read_to_string(&settings.tls_key_file)
            .with_context(|| format!("cannot read {}", settings.tls_key_file))?;
        Some((read(&settings.tls_certificate_file)?, key.into()))
    };
    Ok(Tls { authority, client })
}
