//! Where the wires meet: which adapter stands behind which port.

use crate::clock::SystemClock;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::follower::Follower;
use crate::hall::hall_settings;
use crate::keys::Keys;
use crate::lifecycle::Farewell;
use anyhow::Context as _;
use coupon_app::{
    Board, Clock, CodeKey, Combiner, Desk, Followed, IssueLedger, Outbox, RecordStore, Redeemer,
};
use coupon_http::HallParts;
use ledger_journal::{Disk, FileDisk, JournalLedger, JournalOptions, Recovery};
use secrecy::SecretBox;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use store_sqlite::{SqliteOptions, SqliteStore};

/// A working service without its doors: ledger, store and what joins them.
pub(crate) struct House {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) board: Arc<Board>,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) codes: CodeKey,
    pub(crate) ledger: Arc<dyn IssueLedger>,
    pub(crate) combiner: Arc<Combiner>,
    pub(crate) redeemer: Arc<Redeemer>,
    pub(crate) outbox: Arc<dyn Outbox>,
    /// The secrets it starts with.
    pub(crate) keys: Keys,
}

impl House {
    /// Opens the data directory, recovers, and puts the combiner in front of the ledger. What was found in the
    /// journal is told beside it.
    pub(crate) async fn open(settings: &Settings) -> anyhow::Result<(Self, Recovery)> {
        let directory = DataDir::open_or_create(&settings.data_dir)?;
        let disk = Arc::new(FileDisk::open(directory.path())?);
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
        let (ledger, recovery, codes) = opening.await?;
        let outbox = ledger.outbox();
        let ledger: Arc<dyn IssueLedger> = Arc::new(ledger);
        let combiner =
            Combiner::start("ledger", Arc::clone(&ledger)).context("cannot start the ledger's thread")?;
        let redemptions = Arc::clone(&store) as _;
        let redeemer =
            Redeemer::start("redeemer", redemptions, Arc::clone(&board), Arc::clone(&clock)).await?;
        let house = Self {
            clock,
            board,
            store,
            codes,
            ledger,
            combiner: Arc::new(combiner),
            redeemer: Arc::new(redeemer),
            outbox,
            keys,
        };
        Ok((house, recovery))
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
            Arc::clone(&self.board),
            followed,
            teller,
        )
    }

    /// Everything that the HTTP hall is made of.
    pub(crate) fn hall_parts(&self, settings: &Settings) -> anyhow::Result<HallParts> {
        Ok(HallParts {
            keys: Arc::clone(&self.store) as _,
            ledger: Arc::clone(&self.ledger),
            combiner: Arc::clone(&self.combiner),
            redeemer: Arc::clone(&self.redeemer),
            clock: Arc::clone(&self.clock),
            key_seed: SecretBox::new(Box::new(self.keys.seed)),
            settings: hall_settings(settings, &self.keys)?,
        })
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
