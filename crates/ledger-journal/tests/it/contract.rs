//! The ledger's contract, on disks that lose what was not synced, that tear, and on real files; and the combiner's, in
//! front of the journal on real files. Of the combiner's cases none crashes, so other disks would add nothing.

use async_trait::async_trait;
use coupon_app::contract::ledger::{Bench, LedgerHarness};
use coupon_app::memory::{ManualClock, MemoryStore};
use coupon_app::{Board, RecordStore};
use ledger_journal::sim::{Fault, Keep, SimDisk};
use ledger_journal::{Disk, FileDisk, JournalLedger, JournalOptions};
use std::sync::Arc;
use tempfile::TempDir;

/// Half a segment holds the largest batch.
const OPTIONS: JournalOptions = JournalOptions {
    segment_bytes: 2 << 20,
    prepare_ahead: false,
};

struct SimHarness {
    keep: Keep,
    disk: SimDisk,
    store: MemoryStore,
}

impl SimHarness {
    fn new(keep: Keep) -> Self {
        Self {
            keep,
            disk: SimDisk::default(),
            store: MemoryStore::new(),
        }
    }
}

async fn bench(
    disk: Arc<dyn Disk>,
    options: JournalOptions,
    store: &MemoryStore,
    clock: Arc<ManualClock>,
) -> Bench {
    let board = Arc::new(Board::new());
    let opened = JournalLedger::open(disk, options, store, clock, Arc::clone(&board)).await;
    let (ledger, _recovery) = opened.unwrap();
    let outbox = ledger.outbox();
    let store: Arc<dyn RecordStore> = Arc::new(store.clone());
    Bench {
        ledger: Arc::new(ledger),
        outbox,
        board,
        store,
    }
}

#[async_trait(?Send)]
impl LedgerHarness for SimHarness {
    async fn open(&mut self, clock: Arc<ManualClock>) -> Bench {
        *self = Self::new(self.keep);
        bench(Arc::new(self.disk.clone()), OPTIONS, &self.store, clock).await
    }

    async fn crash_and_reopen(&mut self, old: Bench, clock: Arc<ManualClock>) -> Bench {
        self.disk = self.disk.reboot(self.keep, Fault::None);
        drop(old);
        bench(Arc::new(self.disk.clone()), OPTIONS, &self.store, clock).await
    }
}

struct FileHarness {
    directory: TempDir,
    store: MemoryStore,
}

impl FileHarness {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            store: MemoryStore::new(),
        }
    }

    async fn bench(&self, clock: Arc<ManualClock>) -> Bench {
        let disk = FileDisk::open(self.directory.path()).unwrap();
        let options = JournalOptions {
            prepare_ahead: true,
            ..OPTIONS
        };
        bench(Arc::new(disk), options, &self.store, clock).await
    }
}

#[async_trait(?Send)]
impl LedgerHarness for FileHarness {
    async fn open(&mut self, clock: Arc<ManualClock>) -> Bench {
        *self = Self::new();
        self.bench(clock).await
    }

    async fn crash_and_reopen(&mut self, old: Bench, clock: Arc<ManualClock>) -> Bench {
        drop(old);
        self.bench(clock).await
    }

    fn schedules(&self) -> u32 {
        8
    }
}

mod on_a_disk_that_forgets {
    coupon_app::ledger_contract!(super::SimHarness::new(super::Keep::Synced));
}

mod on_a_disk_that_tears {
    coupon_app::ledger_contract!(super::SimHarness::new(super::Keep::Some(7)));
}

mod on_files {
    coupon_app::ledger_contract!(super::FileHarness::new());
    mod combiner {
        coupon_app::combiner_contract!(super::super::FileHarness::new());
    }
}
