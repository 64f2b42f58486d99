//! The store: its parts, and the ports that it implements with them.

use crate::apply::{Unindexed, applied_seq, apply, settle};
use crate::backup::{BackupError, Pace, Progress, backup_file};
use crate::calendar::Bookmarks;
use crate::carrier::Carrier;
use crate::connection::{Carry, carry, damaged, open_reader, open_writer};
use crate::error::{Failure, OpenError};
use crate::quarantine::{self, Quarantined};
use crate::readers::Readers;
use crate::redeem::{self, Offers, Undecided};
use crate::tail::Tail;
use crate::{audit, history, keys, load, query, webhooks};
use async_trait::async_trait;
use coupon_app::{
    Applied, AuditAction, AuditEntry, AuditFilter, AuditLog, AuditedMatter, CouponStore, Entry, KeyId,
    KeyRecord, KeyStore, LedgerError, NotificationKinds, Origin, RecordStore, Redeemable, RedemptionOutcome,
    RedemptionRequest, RedemptionStore, Restore, Seq, StoreError, StoreTally, WalletFilter,
};
use coupon_core::{CouponId, HistoryEntry, IssuedCoupon, IssuedCouponId, Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// How much a store may take. The defaults come to about 32 MiB together, and at most 4 bytes more for each issued
/// coupon beyond the first millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Connections that read, and so queries at the same time. More than there are cores gains nothing; each may take
    /// `reader_cache_kib`.
    pub readers: usize,
    /// Pages that the writing connection keeps, in KiB. Too few, and pages of the index are read again within a batch.
    pub writer_cache_kib: u32,
    /// Pages that a reading connection keeps, in KiB.
    pub reader_cache_kib: u32,
    /// Newest issued coupons that are kept by user in memory, at 20 to 40 bytes each, before they are folded into the
    /// index together; a store of many millions lets a thirty-second of them wait. In a quiet moment an eighth of them
    /// suffices. Fewer, and folds fall into sales; more, and a fold takes longer and a start reads more.
    pub fold_rows: usize,
    /// So many of them at least are folded in one transaction, for which a redemption may have to wait. Fewer, and a fold
    /// takes more syncs.
    pub fold_step: usize,
    /// The file may grow to so many pages of 4 KiB; a write that needs more fails as on a full disk, and nothing of it
    /// is kept. `None`: as far as the disk goes.
    pub max_pages: Option<u32>,
    /// Which kinds of notification are written. Where there is no channel to tell anybody by, none.
    pub notifications: NotificationKinds,
    /// Which kinds are written instead while the store has a webhook.
    pub for_webhooks: NotificationKinds,
}

/// No moment is quiet before redemptions have stayed away for so long: each step of a fold would keep them waiting.
const CALM: Duration = Duration::from_secs(1);

/// In a quiet moment the tail is folded from this part of `fold_rows` on.
const WORTH_A_QUIET_FOLD: usize = 8;

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            readers: 3,
            writer_cache_kib: 16 << 10,
            reader_cache_kib: 2 << 10,
            fold_rows: 1_000_000,
            fold_step: 2_048,
            max_pages: None,
            notifications: NotificationKinds::NONE,
            for_webhooks: NotificationKinds::NONE,
        }
    }
}

/// The embedded store: one SQLite file in WAL mode, durable at every commit.
///
/// `apply` and `decide` work on the caller's thread, because the follower and the redeemer have threads of their own; queries and changes of keys go
/// to Tokio's threads for blocking work and need a runtime.
#[derive(Debug)]
pub struct SqliteStore {
    shared: Arc<Shared>,
    pub(crate) readers: Arc<Readers>,
    /// Where the jobs are.
    pub(crate) bookmarks: Arc<Bookmarks>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    options: SqliteOptions,
    /// Whether anybody has a webhook. Webhooks are made by the process that writes.
    has_webhooks: AtomicBool,
    /// Whoever is next to have the writer.
    next: Mutex<()>,
    writer: Mutex<Connection>,
    carrier: Carrier,
    unindexed: Unindexed,
    offers: Mutex<Offers>,
    /// When the last batch of redemptions was decided that took any step.
    redeemed_at: Mutex<Option<Instant>>,
    /// Why the last write failed, unless one has succeeded since.
    trouble: Mutex<Option<String>>,
}

impl SqliteStore {
    /// Opens the store in the file at `path`, making or migrating it if need be. Its directory must be there. Only one
    /// process at a time may apply; the caller holds a lock on the directory.
    pub fn open(path: &Path, options: SqliteOptions) -> Result<Self, OpenError> {
        let writer = open_writer(path, &options)?;
        let tail = prepare(&writer).map_err(|failure| damaged(path, failure))?;
        let has_webhooks = webhooks::any(&writer).map_err(|failure| damaged(path, failure))?;
        let readers = Readers::open(path, options.readers.max(1), options.reader_cache_kib)?;
        let shared = Shared {
            path: path.into(),
            options,
            has_webhooks: AtomicBool::new(has_webhooks),
            next: Mutex::default(),
            writer: Mutex::new(writer),
            carrier: Carrier::start(path)?,
            unindexed: Unindexed::new(tail),
            offers: Mutex::default(),
            redeemed_at: Mutex::new(None),
            trouble: Mutex::new(None),
        };
        Ok(Self {
            shared: Arc::new(shared),
            readers: Arc::new(readers),
            bookmarks: Arc::default(),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// How many records are in quarantine. Any is an alarm.
    pub async fn quarantined(&self) -> Result<u64, StoreError> {
        Ok(self
            .readers
            .read(|connection| quarantine::count(connection))
            .await?)
    }

    /// The records in quarantine after number `after` (0 for the beginning), at most `limit`.
    pub async fn quarantine(&self, after: u64, limit: usize) -> Result<Vec<Quarantined>, StoreError> {
        let page = self
            .readers
            .read(move |connection| quarantine::page(connection, after, limit));
        Ok(page.await?)
    }

    /// Writes a checked copy of the store, as of one instant, to a new file while the store is in use. Blocks the
    /// thread; see [`backup_file`].
    pub fn backup(
        &self,
        to: &Path,
        pace: Pace,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<crate::Report, BackupError> {
        backup_file(&self.shared.path, to, pace, progress)
    }

    /// Which kinds of notification are written.
    pub(crate) fn notifications(&self) -> NotificationKinds {
        self.shared.options_now().notifications
    }

    /// Looks again whether there is a webhook, after one was made or deleted.
    pub(crate) async fn count_webhooks(&self) -> Result<(), StoreError> {
        let any = self.readers.read(|connection| webhooks::any(connection)).await?;
        self.shared.has_webhooks.store(any, Ordering::Release);
        Ok(())
    }

    /// Reads what was committed.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        Ok(self.readers.read(query).await?)
    }

    /// Writes on a thread for blocking work: an application of entries may hold the writer for a while.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_and_carry(Carry::Soon, change).await
    }

    /// The same, and says when the log is carried after it.
    pub(crate) async fn write_and_carry<T: Send + 'static>(
        &self,
        when: Carry,
        change: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        let written = tokio::task::spawn_blocking(move || shared.write(when, change));
        Ok(written.await.map_err(Failure::from)??)
    }
}

/// A store that runs is no backup any more, so its seal goes; and the tail is read.
fn prepare(writer: &Connection) -> Result<Tail, Failure> {
    let seal: Option<i64> = writer
        .query_row("SELECT only FROM seal", [], |row| row.get(0))
        .optional()?;
    if seal.is_some() {
        writer.execute("DELETE FROM seal", [])?;
    }
    let applied = applied_seq(writer)?;
    Tail::read(writer, applied)
}

impl Shared {
    /// The options, with the kinds of notification that are written now.
    fn options_now(&self) -> SqliteOptions {
        let mut options = self.options;
        if self.has_webhooks.load(Ordering::Acquire) {
            options.notifications = options.for_webhooks;
        }
        options
    }

    /// Runs one change and remembers whether the store can write.
    fn write<T>(
        &self,
        when: Carry,
        change: impl FnOnce(&mut Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let written = {
            let mut writer = self.writer();
            carry(&writer, when)
                .map_err(Failure::from)
                .and_then(|()| change(&mut writer))
        };
        if when == Carry::Later {
            self.carrier.ring();
        }
        self.remember(written.as_ref().err());
        written
    }

    /// Decides redemptions and remembers whether the store can write.
    fn decide(
        &self,
        requests: &[RedemptionRequest],
        clock: Timestamp,
    ) -> Result<Vec<RedemptionOutcome>, Undecided> {
        let decided = {
            let mut writer = self.writer();
            let mut offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
            carry(&writer, Carry::Later)
                .map_err(Undecided::from)
                .and_then(|()| {
                    redeem::decide(
                        &mut writer,
                        &mut offers,
                        self.options_now().notifications,
                        requests,
                        clock,
                    )
                })
        };
        match decided {
            Ok((outcomes, wrote)) => {
                // A batch that had nothing to write says nothing about whether it could have.
                if wrote {
                    self.carrier.ring();
                    self.remember(None);
                    *self.redeemed_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                }
                Ok(outcomes)
            }
            Err(undecided) => {
                let (Undecided::Nothing(failure) | Undecided::Perhaps(failure)) = &undecided;
                self.remember(Some(failure));
                Err(undecided)
            }
        }
    }

    /// How long redemptions have to stay away yet before the store does what it has put off; `None`: long enough.
    fn until_calm(&self) -> Option<Duration> {
        let redeemed_at = *self.redeemed_at.lock().unwrap_or_else(PoisonError::into_inner);
        let left = CALM.checked_sub(redeemed_at?.elapsed())?;
        (!left.is_zero()).then_some(left)
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        // A mutex is given to anybody, so a thread that lets go of it and comes back at once, with the next step of a
        // long work, finds it free, and those who wait go on waiting. Here it has to stand behind the first of them.
        let _next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        // A panic on the way has undone its transaction, so the connection is as good as before.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, failed: Option<&Failure>) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match failed {
            None => *trouble = None,
            Some(failure @ Failure::Sqlite(_)) if !failure.passes() => *trouble = Some(failure.to_string()),
            // Refused before anything was to be written.
            Some(_) => {}
        }
    }

    /// Whether the store can write: what the last write met, and, unless one is under way, whether the file gives its
    /// lock for writing.
    fn probe(&self) -> Result<(), Failure> {
        let trouble = self
            .trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(trouble) = trouble {
            return Err(Failure::CannotWrite(trouble));
        }
        let mut writer = match self.writer.try_lock() {
            Ok(writer) => writer,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        writer
            .transaction_with_behavior(TransactionBehavior::Immediate)?
            .rollback()?;
        Ok(())
    }

    /// The rows of the tail that may be a user's.
    fn recent(&self, user: &UserId) -> Vec<i64> {
        let tail = self.unindexed.tail.read().unwrap_or_else(PoisonError::into_inner);
        tail.rows(tail.hash(user)).map(|row| row.id).collect()
    }
}

#[async_trait]
impl RecordStore for SqliteStore {
    async fn applied(&self) -> Result<Seq, StoreError> {
        // Not through the readers: the follower asks, on its own thread, between two applications.
        Ok(applied_seq(&self.shared.writer())?)
    }

    async fn apply(&self, entries: &[Entry]) -> Result<Applied, StoreError> {
        let shared = &self.shared;
        let applied = shared.write(Carry::Soon, |connection| {
            apply(connection, &shared.unindexed, &shared.options_now(), entries)
        });
        Ok(applied?)
    }

    async fn settle(&self) -> Result<Option<Duration>, StoreError> {
        let shared = &self.shared;
        if let Some(left) = shared.until_calm() {
            return Ok(Some(left));
        }
        let enough = shared.options.fold_rows / WORTH_A_QUIET_FOLD;
        let settled = shared.write(Carry::Soon, |connection| {
            settle(connection, &shared.unindexed, &shared.options, enough)
        });
        Ok(settled?.then_some(Duration::ZERO))
    }

    async fn load(&self, restore: &mut (dyn Restore + Send)) -> Result<Seq, StoreError> {
        // A connection of its own: this is long, and happens once, before there is anyone to keep waiting.
        let mut connection = open_reader(&self.shared.path, self.shared.options.reader_cache_kib)
            .map_err(StoreError::lasting)?;
        let tail = &self.shared.unindexed.tail;
        let mut census = tail
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .curious(&connection)?;
        let seq = load::load(&mut connection, restore, &mut census)?;
        if let Some(census) = census {
            tail.write()
                .unwrap_or_else(PoisonError::into_inner)
                .know(census, seq);
        }
        Ok(seq)
    }

    async fn code_key(&self, fresh: [u8; 16]) -> Result<[u8; 16], StoreError> {
        self.write(move |connection| {
            connection.execute("UPDATE meta SET code_key = ?1 WHERE code_key IS NULL", [&fresh])?;
            Ok(connection.query_row("SELECT code_key FROM meta", [], |row| row.get(0))?)
        })
        .await
    }
}

#[async_trait]
impl CouponStore for SqliteStore {
    async fn wallet(&self, user: &UserId, filter: WalletFilter) -> Result<Vec<IssuedCoupon>, StoreError> {
        let (shared, user) = (Arc::clone(&self.shared), user.clone());
        let held = self.readers.read(move |connection| {
            // Before the snapshot: what is folded in between is then in both, and nothing is in neither.
            let recent = shared.recent(&user);
            query::wallet(connection, &user, &recent, filter)
        });
        Ok(held.await?)
    }

    async fn issued_coupon(&self, id: IssuedCouponId) -> Result<Option<IssuedCoupon>, StoreError> {
        Ok(self
            .readers
            .read(move |connection| query::one(connection, id))
            .await?)
    }

    async fn issued_coupons(
        &self,
        coupon: CouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<IssuedCoupon>, StoreError> {
        let page = self
            .readers
            .read(move |connection| query::page(connection, coupon, after, limit));
        Ok(page.await?)
    }

    async fn tally(&self, coupon: CouponId, now: Timestamp) -> Result<StoreTally, StoreError> {
        let tally = self
            .readers
            .read(move |connection| query::tally(connection, coupon, now));
        Ok(tally.await?)
    }

    async fn health(&self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let health = self.readers.read(move |connection| {
            applied_seq(connection)?;
            shared.probe()
        });
        Ok(health.await?)
    }
}

#[async_trait]
impl RedemptionStore for SqliteStore {
    async fn decide(
        &self,
        requests: &[RedemptionRequest],
        clock: Timestamp,
    ) -> Result<Vec<RedemptionOutcome>, LedgerError> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.shared.decide(requests, clock)?)
    }

    async fn redeemable(&self, id: IssuedCouponId) -> Result<Option<Redeemable>, StoreError> {
        let found = self
            .readers
            .read(move |connection| redeem::redeemable(connection, id));
        Ok(found.await?)
    }

    async fn history(
        &self,
        id: IssuedCouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        let page = self.readers.read(move |connection| {
            // Steps stand in two tables, and may be taken meanwhile.
            let snapshot = connection.transaction()?;
            history::page(&snapshot, id, after, limit)
        });
        Ok(page.await?)
    }

    async fn with_history(&self, take: &mut (dyn FnMut(IssuedCouponId) + Send)) -> Result<(), StoreError> {
        // A connection of its own, as for `load`: this is long, and happens once.
        let connection = open_reader(&self.shared.path, self.shared.options.reader_cache_kib)
            .map_err(StoreError::lasting)?;
        Ok(history::for_each(&connection, take)?)
    }

    async fn used_coupons(&self) -> Result<Vec<CouponId>, StoreError> {
        let used = self.readers.read(|connection| history::used_coupons(connection));
        Ok(used.await?)
    }
}

#[async_trait]
impl KeyStore for SqliteStore {
    async fn add_key(&self, key: &KeyRecord, origin: &Origin) -> Result<(), StoreError> {
        let (key, origin) = (key.clone(), origin.clone());
        self.write(move |connection| keys::add(connection, &key, &origin))
            .await
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        Ok(self.readers.read(|connection| keys::all(connection)).await?)
    }

    async fn revoke_key(
        &self,
        id: &str,
        at: Timestamp,
        origin: &Origin,
    ) -> Result<Option<KeyRecord>, StoreError> {
        let (id, origin) = (id.to_owned(), origin.clone());
        self.write(move |connection| keys::revoke(connection, &id, at, &origin))
            .await
    }

    async fn note_used_keys(&self, used: &[(KeyId, Timestamp)]) -> Result<(), StoreError> {
        if used.is_empty() {
            return Ok(());
        }
        let used = used.to_vec();
        self.write(move |connection| keys::note_used(connection, &used))
            .await
    }
}

#[async_trait]
impl AuditLog for SqliteStore {
    async fn audit_log(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        let filter = filter.clone();
        let page = self
            .readers
            .read(move |connection| audit::page(connection, &filter));
        Ok(page.await?)
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
        self.write(move |connection| audit::matter(connection, at, &origin, &matter))
            .await
    }
}
