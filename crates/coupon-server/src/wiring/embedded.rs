//! One server alone: the journal decides, SQLite keeps the record, both in a data directory.

use super::jobs::jobs;
use super::letters::notification_letters;
use super::{Channels, House};
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::follower::Follower;
use crate::keys::Keys;
use crate::lifecycle::Farewell;
use anyhow::Context as _;
use coupon_app::{
    Board, Clock, CodeKey, DeadLetters, FailedDeliveries, Followed, Ledgers, LookReconciliation, Outbox,
    RecordStore, Redeemer,
};
use coupon_core::{AckLevel, Strategy};
use coupon_worker::Jobs;
use ledger_journal::{Disk, FileDisk, JournalLedger, JournalOptions, Recovery};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use store_sqlite::{SqliteOptions, SqliteStore};

/// The house, and what carries the journal to the store.
pub(crate) struct Embedded {
    pub(crate) house: House,
    pub(crate) outbox: Arc<dyn Outbox>,
    store: Arc<SqliteStore>,
}

impl Embedded {
    /// Opens the data directory, recovers, and puts the combiner in front of the ledger. What was found in the
    /// journal is told beside it.
    pub(crate) async fn open(settings: &Settings) -> anyhow::Result<(Self, Recovery)> {
        let directory = DataDir::open_or_create(&settings.data_dir)?;
        let disk = Arc::new(FileDisk::open(directory.path())?);
        if let Err(error) = directory.clear_backups() {
            // It costs room, and the next start or backup tries again.
            tracing::warn!(%error, "what a killed backup left could not be removed");
        }
        let keys = Keys::find_or_make(settings, &directory)?;
        let store = Arc::new(SqliteStore::open(
            &directory.store_file(),
            store_options(settings),
        )?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let board = Arc::new(Board::new());
        let opening = open_ledger(
            disk,
            journal_options(settings),
            store.as_ref(),
            Arc::clone(&clock),
            Arc::clone(&board),
        );
        let opened = opening.await.map_err(|error| with_advice(error, settings));
        let (ledger, recovery, codes) = opened?;
        let outbox = ledger.outbox();
        let ledgers = Ledgers::one("ledger", Arc::new(ledger)).context("cannot start the ledger's thread")?;
        let redemptions = Arc::clone(&store) as _;
        let redeemer =
            Redeemer::start("redeemer", redemptions, Arc::clone(&board), Arc::clone(&clock)).await?;
        let ledgers = Arc::new(ledgers);
        let reconciliation =
            LookReconciliation::new(ledgers.lanes(), Arc::clone(&board), Arc::clone(&store) as _);
        let failed: Arc<dyn FailedDeliveries> = Arc::clone(&store) as _;
        // Issues do not travel: the store follows the journal, and what contradicts it is in quarantine.
        let dead_letters = DeadLetters::of(notification_letters(&failed, &clock));
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
            redeemer: Arc::new(redeemer),
            reconciliation: Arc::new(reconciliation),
            dead_letters,
            deliveries: Some(Arc::clone(&store) as _),
            strategies: vec![Strategy::Journal],
            acks: vec![AckLevel::Ledger],
            keys,
        };
        let embedded = Self { house, outbox, store };
        Ok((embedded, recovery))
    }

    /// The jobs over the store.
    pub(crate) fn jobs(&self, settings: &Settings, channels: &Channels) -> anyhow::Result<Jobs> {
        jobs(settings, &self.store, channels)
    }

    /// Starts to carry the ledger's records to the store.
    pub(crate) fn follow(
        &self,
        followed: Arc<dyn Followed>,
        teller: Sender<Farewell>,
    ) -> anyhow::Result<Follower> {
        let store: Arc<dyn RecordStore> = Arc::clone(&self.store) as _;
        Follower::start(
            Arc::clone(&self.outbox),
            store,
            Arc::clone(&self.house.board),
            followed,
            teller,
        )
    }
}

/// Says what to do about a journal that has no room; the others say so themselves.
fn with_advice(error: anyhow::Error, settings: &Settings) -> anyhow::Error {
    let is_full = error.chain().any(|cause| {
        let cause = cause.downcast_ref::<io::Error>();
        cause.is_some_and(|cause| {
            matches!(
                cause.kind(),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
            )
        })
    });
    if !is_full {
        return error;
    }
    error.context(format!(
        "there is no room in {}: free {} MiB there (the segment that is written and the next one), set \
         journal.segment_mib smaller, or name another directory with --data-dir",
        settings.data_dir.display(),
        2 * settings.journal.segment_mib
    ))
}

/// Opens the embedded ledger over a store, and the key of the codes that belongs to it.
pub(crate) async fn open_ledger(
    disk: Arc<dyn Disk>,
    options: JournalOptions,
    store: &dyn RecordStore,
    clock: Arc<dyn Clock>,
    board: Arc<Board>,
) -> anyhow::Result<(JournalLedger, Recovery, CodeKey)> {
    let codes = codes_of(store).await?;
    let (ledger, recovery) = JournalLedger::open(disk, options, store, clock, board).await?;
    Ok((ledger, recovery, codes))
}

/// The key of the codes, which is made when it is first asked for.
pub(crate) async fn codes_of(store: &dyn RecordStore) -> anyhow::Result<CodeKey> {
    let mut fresh = [0u8; 16];
    getrandom::fill(&mut fresh).context("the system gives no random numbers")?;
    Ok(CodeKey::new(store.code_key(fresh).await?))
}

/// How the store is opened.
pub(crate) fn store_options(settings: &Settings) -> SqliteOptions {
    let store = &settings.store;
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    SqliteOptions {
        readers: count(store.readers),
        writer_cache_kib: store.writer_cache_kib,
        reader_cache_kib: store.reader_cache_kib,
        fold_rows: count(store.fold_rows),
        notifications: settings
            .notifications
            .kinds(settings.mail.is_set() || settings.kafka.tells()),
        for_webhooks: settings.notifications.kinds(true),
        ..SqliteOptions::default()
    }
}

/// How the journal is opened.
pub(crate) fn journal_options(settings: &Settings) -> JournalOptions {
    JournalOptions {
        segment_bytes: settings.journal.segment_mib << 20,
        ..JournalOptions::default()
    }
}
