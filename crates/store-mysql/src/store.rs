//! The store: a pool of connections, and the ports as thin doors to the rooms behind.

use crate::connection::{Answered, Connector, ask, pause, within};
use crate::error::{Failure, OpenError};
use crate::script::Script;
use crate::telling::Telling;
use crate::{audit, deliver, ids, keys, limits, marks, migrations, quarantine, query, roll_call, webhooks};
use async_trait::async_trait;
use coupon_app::{
    AuditAction, AuditEntry, AuditFilter, AuditLog, AuditedMatter, CouponIds, CouponStore, Delivered,
    Delivery, DeliveryStore, Epoch, FactsOfRecord, IssuedRecord, KeyId, KeyRecord, KeyStore, LedgerIdentity,
    LedgerMark, LedgerMarks, NotificationKinds, OnRecord, Origin, Quarantined, RevisedRecord, Roll, RollCall,
    SeenPosition, ServerId, StoreError, StoreTally, WalletFilter,
};
use coupon_core::{CouponId, Held, IssuedCoupon, IssuedCouponId, Timestamp, UserId};
use sqlx::MySql;
use sqlx::mysql::{MySqlPool, MySqlPoolOptions};
use sqlx::pool::PoolConnection;
use std::time::Duration;
use tokio::runtime::Handle;

/// How a [`MysqlStore`] uses its database.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Most connections at once. Too few make queries wait for each other; too many use up the server's own limit.
    pub connections: u32,
    /// How long a query waits for a free connection.
    pub connection_within: Duration,
    /// How long a statement waits for a row that somebody else has locked; whole seconds.
    pub lock_wait: Duration,
    /// How long the server may take to answer. Longer than `lock_wait`.
    pub answer_within: Duration,
    /// The kinds of notification that are written; by redemptions over this store too.
    pub notifications: Telling,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            connections: 8,
            connection_within: Duration::from_secs(5),
            lock_wait: Duration::from_secs(5),
            answer_within: Duration::from_secs(15),
            notifications: NotificationKinds::NONE.into(),
        }
    }
}

/// The store on MySQL or MariaDB. Clones share their connections.
#[derive(Clone, Debug)]
pub struct MysqlStore {
    reader: Reader,
    /// Where all SQL is run: connections belong to the event loop that opened them, and callers live on many.
    handle: Handle,
}

/// The way to the database, for the rooms behind the ports.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pool: MySqlPool,
    answer_within: Duration,
    /// How often something is tried that may be tried again. After a restart of the server every connection in the
    /// pool is broken, and only using one tells.
    attempts: u32,
    telling: Telling,
}

impl MysqlStore {
    /// Makes or updates the tables. Any number of processes may do so at once.
    pub async fn migrate(url: &str) -> Result<(), OpenError> {
        let options = StoreOptions::default();
        let connector = Connector::new(url, options.lock_wait, options.answer_within)?;
        migrations::run(&connector).await
    }

    /// Opens the store, whose tables must be up to date. All SQL is run on the runtime that this is called on.
    pub async fn open(url: &str, options: StoreOptions) -> Result<Self, OpenError> {
        let connector = Connector::new(url, options.lock_wait, options.answer_within)?;
        let mut first = connector.connect().await.map_err(migrations::unreachable)?;
        migrations::check(&mut first).await?;
        drop(first);
        let preparing = connector.clone();
        let pool = MySqlPoolOptions::new()
            .max_connections(options.connections.max(1))
            .acquire_timeout(options.connection_within)
            // One round trip less for each query; a connection that broke meanwhile is replaced, see `ask`.
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                let connector = preparing.clone();
                Box::pin(async move {
                    let prepared = connector.prepare(connection).await;
                    prepared.map_err(|failure| sqlx::Error::Configuration(failure.into()))
                })
            })
            .connect_lazy_with(connector.options().clone());
        let reader = Reader {
            pool,
            answer_within: connector.answer_within(),
            attempts: limits::MAX_ATTEMPTS.saturating_add(options.connections),
            telling: options.notifications,
        };
        reader.learn_webhooks().await.map_err(migrations::unreachable)?;
        Ok(Self {
            reader,
            handle: Handle::current(),
        })
    }

    /// The key of the codes: the one already kept, or `fresh`, kept from now on. However many servers start at once,
    /// they get the same.
    pub async fn code_key(&self, fresh: [u8; 16]) -> Result<[u8; 16], StoreError> {
        self.run(|reader| async move { keys::code_key(&reader, fresh).await })
            .await
    }

    /// What these users hold of a coupon, in the order asked: for a ledger whose own memory of it has gone.
    pub async fn held(&self, coupon: CouponId, users: &[UserId]) -> Result<Vec<Option<Held>>, StoreError> {
        let users = users.to_vec();
        self.run(move |reader| async move { marks::held(&reader, coupon, &users).await })
            .await
    }

    /// Which kinds of notification are written, for a ledger in the same database.
    pub fn telling(&self) -> Telling {
        self.reader.telling.clone()
    }

    /// Looks whether there is a webhook, which decides about the kinds that are written: other servers make and delete
    /// them too.
    pub async fn learn_webhooks(&self) -> Result<(), StoreError> {
        self.run(|reader| async move { reader.learn_webhooks().await })
            .await
    }

    /// The way to the database, for what is built upon this store.
    pub(crate) fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Says goodbye to the server.
    pub async fn close(&self) {
        self.reader.pool.close().await;
    }

    pub(crate) async fn run<T, W>(&self, work: impl FnOnce(Reader) -> W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let task = self.handle.spawn(work(self.reader.clone()));
        let done = task.await.unwrap_or_else(|lost| Err(lost.into()));
        Ok(done?)
    }
}

impl Reader {
    /// A connection from the pool.
    pub(crate) async fn connection(&self) -> Result<PoolConnection<MySql>, Failure> {
        Ok(self.pool.acquire().await?)
    }

    /// The kinds of notification that are written.
    pub(crate) fn notifications(&self) -> NotificationKinds {
        self.telling.kinds()
    }

    /// Looks whether there is a webhook.
    pub(crate) async fn learn_webhooks(&self) -> Result<(), Failure> {
        let any = webhooks::any(self).await?;
        self.telling.note_webhooks(any);
        Ok(())
    }

    /// Notes that there is a webhook.
    pub(crate) fn note_webhook(&self) {
        self.telling.note_webhooks(true);
    }

    /// How often something is tried that may be tried again.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Between two attempts, counted from 0.
    pub(crate) async fn pause(&self, attempt: u32) {
        tokio::time::sleep(pause(attempt)).await;
    }

    /// One round trip on a connection. One that broke does not go back to the pool.
    pub(crate) async fn ask_on(
        &self,
        connection: &mut PoolConnection<MySql>,
        script: Script,
    ) -> Result<Vec<Answered>, Failure> {
        let answered = within(self.answer_within, ask(connection, script)).await;
        if answered.as_ref().is_err_and(Failure::breaks_connection) {
            connection.close_on_drop();
        }
        answered
    }

    /// One round trip that may be made twice: a reading, or a single statement that is idempotent.
    pub(crate) async fn ask(&self, script: impl Fn() -> Script) -> Result<Vec<Answered>, Failure> {
        let mut attempt = 0;
        loop {
            let mut connection = self.connection().await?;
            let answered = self.ask_on(&mut connection, script()).await;
            let again = answered
                .as_ref()
                .is_err_and(|failure| failure.passes() && !failure.is_duplicate());
            if !again || attempt + 1 >= self.attempts {
                return answered;
            }
            drop(connection);
            self.pause(attempt).await;
            attempt += 1;
        }
    }

    /// One round trip of one statement that may be made twice.
    pub(crate) async fn ask_one(&self, script: impl Fn() -> Script) -> Result<Answered, Failure> {
        Ok(self.ask(script).await?.pop().unwrap_or_default())
    }
}

#[async_trait]
impl CouponStore for MysqlStore {
    async fn wallet(&self, user: &UserId, filter: WalletFilter) -> Result<Vec<IssuedCoupon>, StoreError> {
        let user = user.clone();
        self.run(|reader| async move { query::wallet(&reader, &user, filter).await })
            .await
    }

    async fn issued_coupon(&self, id: IssuedCouponId) -> Result<Option<IssuedCoupon>, StoreError> {
        self.run(|reader| async move { query::issued_coupon(&reader, id).await })
            .await
    }

    async fn issued_coupons(
        &self,
        coupon: CouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<IssuedCoupon>, StoreError> {
        self.run(|reader| async move { query::issued_coupons(&reader, coupon, after, limit).await })
            .await
    }

    async fn tally(&self, coupon: CouponId, now: Timestamp) -> Result<StoreTally, StoreError> {
        self.run(|reader| async move { query::tally(&reader, coupon, now).await })
            .await
    }

    async fn health(&self) -> Result<(), StoreError> {
        self.run(|reader| async move { query::health(&reader).await })
            .await
    }
}

#[async_trait]
impl KeyStore for MysqlStore {
    async fn add_key(&self, key: &KeyRecord, origin: &Origin) -> Result<(), StoreError> {
        let (key, origin) = (key.clone(), origin.clone());
        self.run(|reader| async move { keys::add(&reader, &key, &origin).await })
            .await
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.run(|reader| async move { keys::all(&reader).await }).await
    }

    async fn revoke_key(
        &self,
        id: &str,
        at: Timestamp,
        origin: &Origin,
    ) -> Result<Option<KeyRecord>, StoreError> {
        let (id, origin): (Box<str>, _) = (id.into(), origin.clone());
        self.run(|reader| async move { keys::revoke(&reader, &id, at, &origin).await })
            .await
    }

    async fn note_used_keys(&self, used: &[(KeyId, Timestamp)]) -> Result<(), StoreError> {
        if used.is_empty() {
            return Ok(());
        }
        let used = used.to_vec();
        self.run(|reader| async move { keys::note_used(&reader, &used).await })
            .await
    }
}

#[async_trait]
impl AuditLog for MysqlStore {
    async fn audit_log(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        let filter = filter.clone();
        self.run(|reader| async move { audit::page(&reader, &filter).await })
            .await
    }

    async fn note_dead_letters(
        &self,
        action: AuditAction,
        through: &str,
        at: Timestamp,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let through = through.into();
        let matter = (action, AuditedMatter::DeadLetters { through });
        let origin = origin.clone();
        self.run(move |reader| async move {
            let mut script = Script::new();
            audit::matter(&mut script, at, &origin, &matter)?;
            // Once: a second attempt might write it twice.
            let mut connection = reader.connection().await?;
            reader.ask_on(&mut connection, script).await.map(drop)
        })
        .await
    }
}

#[async_trait]
impl DeliveryStore for MysqlStore {
    async fn deliver(&self, deliveries: &[Delivery]) -> Result<Delivered, StoreError> {
        let deliveries = deliveries.to_vec();
        self.run(|reader| async move { deliver::deliver(&reader, &deliveries).await })
            .await
    }

    async fn quarantine(&self, after: u64, limit: usize) -> Result<Vec<Quarantined>, StoreError> {
        self.run(|reader| async move { quarantine::page(&reader, after, limit).await })
            .await
    }
}

#[async_trait]
impl CouponIds for MysqlStore {
    async fn next_id(&self) -> Result<Option<CouponId>, StoreError> {
        self.run(|reader| async move { ids::next(&reader).await }).await
    }
}

#[async_trait]
impl LedgerMarks for MysqlStore {
    async fn mark(&self, coupon: CouponId) -> Result<Option<LedgerMark>, StoreError> {
        self.run(|reader| async move { marks::mark(&reader, coupon).await })
            .await
    }

    async fn marks(&self, after: Option<CouponId>, limit: usize) -> Result<Vec<LedgerMark>, StoreError> {
        self.run(move |reader| async move { marks::marks(&reader, after, limit).await })
            .await
    }

    async fn commands(&self, coupon: CouponId) -> Result<Vec<RevisedRecord>, StoreError> {
        self.run(move |reader| async move { marks::commands(&reader, coupon).await })
            .await
    }

    async fn note_identity(
        &self,
        coupon: CouponId,
        epoch: Epoch,
        identity: &LedgerIdentity,
    ) -> Result<bool, StoreError> {
        let identity = identity.clone();
        self.run(|reader| async move { marks::note_identity(&reader, coupon, epoch, &identity).await })
            .await
    }

    async fn raise_epoch(
        &self,
        coupon: CouponId,
        from: Epoch,
        highest: u32,
    ) -> Result<Option<LedgerMark>, StoreError> {
        self.run(|reader| async move { marks::raise_epoch(&reader, coupon, from, highest).await })
            .await
    }

    async fn records(
        &self,
        coupon: CouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<IssuedRecord>, StoreError> {
        self.run(|reader| async move { marks::records(&reader, coupon, after, limit).await })
            .await
    }
}

#[async_trait]
impl RollCall for MysqlStore {
    async fn attend(&self, server: ServerId, open: bool) -> Result<Roll, StoreError> {
        self.run(move |reader| async move { roll_call::attend(&reader, server, open).await })
            .await
    }

    async fn answer(&self, server: ServerId, call: u64, seen: &[SeenPosition]) -> Result<(), StoreError> {
        let seen = seen.to_vec();
        self.run(move |reader| async move { roll_call::answer(&reader, server, call, &seen).await })
            .await
    }

    async fn lead(&self, server: ServerId, lease: Duration) -> Result<Option<u64>, StoreError> {
        self.run(move |reader| async move { roll_call::lead(&reader, server, lease).await })
            .await
    }

    async fn unanswered(&self, call: u64) -> Result<u64, StoreError> {
        self.run(move |reader| async move { roll_call::unanswered(&reader, call).await })
            .await
    }

    async fn finish(
        &self,
        server: ServerId,
        call: u64,
        trusted: Option<&LedgerIdentity>,
    ) -> Result<bool, StoreError> {
        let trusted = trusted.cloned();
        self.run(
            move |reader| async move { roll_call::finish(&reader, server, call, trusted.as_ref()).await },
        )
        .await
    }

    async fn leave(&self, server: ServerId) -> Result<(), StoreError> {
        self.run(move |reader| async move { roll_call::leave(&reader, server).await })
            .await
    }
}

#[async_trait]
impl FactsOfRecord for MysqlStore {
    async fn on_record(&self, coupon: CouponId) -> Result<Option<OnRecord>, StoreError> {
        let mark = self.mark(coupon).await?;
        Ok(mark.map(|mark| OnRecord {
            epoch: mark.epoch,
            last_position: mark.highest,
        }))
    }

    async fn held(&self, coupon: CouponId, users: &[UserId]) -> Result<Vec<Option<Held>>, StoreError> {
        let users = users.to_vec();
        self.run(|reader| async move { query::held(&reader, coupon, &users).await })
            .await
    }
}
