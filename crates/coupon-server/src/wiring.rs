//! Where the wires meet: which adapter stands behind which port.

use crate::client::converse;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::follower::Follower;
use crate::keys::Keys;
use anyhow::Context as _;
use coupon_app::{Board, Clock, CodeKey, Combiner, Desk, Followed, RecordStore};
use ledger_journal::{Disk, FileDisk, JournalLedger, JournalOptions, Recovery};
use std::sync::Arc;
use store_sqlite::{SqliteOptions, SqliteStore};

/// A working service without its doors: ledger, store and what joins them.
pub(crate) struct House {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) board: Arc<Board>,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) codes: CodeKey,
    pub(crate) combiner: Arc<Combiner>,
    pub(crate) follower: Follower,
    /// What was found in the journal.
    pub(crate) recovery: Recovery,
    /// The secrets it starts with.
    pub(crate) keys: Keys,
}

impl House {
    /// Opens the data directory, recovers, and starts everything that stands behind the doors.
    pub(crate) fn open(settings: &Settings, followed: Arc<dyn Followed>) -> anyhow::Result<Self> {
        let directory = DataDir::open_or_create(&settings.data_dir)?;
        let disk = FileDisk::open(directory.path())?;
        let keys = Keys::find_or_make(settings, &directory)?;
        let store = Arc::new(SqliteStore::open(
            &directory.store_file(),
            store_options(settings),
        )?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let board = Arc::new(Board::new());
        let opening = open_ledger(
            Arc::new(disk),
            journal_options(settings),
            store.as_ref(),
            Arc::clone(&clock),
            Arc::clone(&board),
        );
        let (ledger, recovery, codes) = converse(opening)?;
        let outbox = ledger.outbox();
        let combiner =
            Combiner::start("ledger", Arc::new(ledger)).context("cannot start the ledger's thread")?;
        let records: Arc<dyn RecordStore> = Arc::clone(&store) as _;
        let follower = Follower::start(outbox, records, Arc::clone(&board), followed)?;
        Ok(Self {
            clock,
            board,
            store,
            codes,
            combiner: Arc::new(combiner),
            follower,
            recovery,
            keys,
        })
    }

    /// A desk with a lane of its own, for one event loop.
    pub(crate) fn desk(&self) -> Desk {
        Desk::new(
            self.combiner.lane(),
            Arc::clone(&self.board),
            Arc::clone(&self.store) as _,
            Arc::clone(&self.clock),
            self.codes.clone(),
        )
    }
}

/// Opens the embedded ledger over a store, and the key of the codes that belongs to it.
pub(crate) async fn open_ledger(
    disk: Arc<dyn Disk>,
    options: JournalOptions,
    store: &SqliteStore,
    clock: Arc<dyn Clock>,
    board: Arc<Board>,
) -> anyhow::Result<(JournalLedger, Recovery, CodeKey)> {
    let mut fresh = [0u8; 16];
    getrandom::fill(&mut fresh).context("the system gives no random numbers")?;
    let codes = CodeKey::new(store.code_key(fresh).await?);
    let (ledger, recovery) = JournalLedger::open(disk, options, store, clock, board).await?;
    Ok((ledger, recovery, codes))
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
    }
}

/// How the journal is opened.
pub(crate) fn journal_options(settings: &Settings) -> JournalOptions {
    JournalOptions {
        segment_bytes: settings.journal.segment_mib << 20,
        ..JournalOptions::default()
    }
}
