//! The journal on real files.

use super::rig::{creation, first, issue, now};
use coupon_app::contract::START;
use coupon_app::memory::{ManualClock, MemoryStore};
use coupon_app::{Board, Entry, IssueLedger, RecordStore};
use ledger_journal::{
    FileDisk, FrozenError, JournalLedger, JournalOptions, OpenDiskError, begin_after, freeze, frozen_entries,
};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

fn open(directory: &Path, store: &MemoryStore) -> JournalLedger {
    let disk = Arc::new(FileDisk::open(directory).unwrap());
    let options = JournalOptions {
        segment_bytes: 256 << 10,
        prepare_ahead: true,
    };
    let clock = Arc::new(ManualClock::at(START));
    now(JournalLedger::open(
        disk,
        options,
        store,
        clock,
        Arc::new(Board::new()),
    ))
    .unwrap()
    .0
}

fn commit(ledger: &JournalLedger, mut requests: Vec<coupon_app::Request>) {
    let mut answers = Vec::new();
    now(ledger.commit(&mut requests, &mut answers));
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

#[test]
fn a_data_directory_serves_one_process_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let disk = FileDisk::open(directory.path()).unwrap();
    let second = FileDisk::open(directory.path());
    assert!(matches!(second, Err(OpenDiskError::InUse(_))), "{second:?}");
    assert!(second.unwrap_err().to_string().contains("--data-dir"));
    drop(disk);
    FileDisk::open(directory.path()).unwrap();
}

#[test]
fn a_missing_data_directory_is_refused_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let text = FileDisk::open(&missing).unwrap_err().to_string();
    assert!(text.contains("missing") && text.contains("must exist"), "{text}");
}

#[test]
fn files_are_for_their_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path(), &MemoryStore::new());
    drop(ledger);
    let journal = directory.path().join("journal");
    assert_eq!(journal.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    for entry in journal.read_dir().unwrap() {
        assert_eq!(
            entry.unwrap().metadata().unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}

#[test]
fn segments_leave_the_disk_once_the_store_has_them() {
    let directory = tempfile::tempdir().unwrap();
    let store = MemoryStore::new();
    let ledger = open(directory.path(), &store);
    commit(&ledger, vec![creation(0)]);
    for batch in 0..14 {
        commit(
            &ledger,
            (0..900)
                .map(|number| issue(first(), batch * 1_000 + number))
                .collect(),
        );
    }
    let segments = || {
        let names = directory.path().join("journal").read_dir().unwrap();
        names
            .filter(|entry| entry.as_ref().unwrap().file_name() != "prepared")
            .count()
    };
    assert!(segments() >= 3);
    now(async {
        let outbox = ledger.outbox();
        let entries = outbox.next(0, usize::MAX).await.unwrap();
        let applied = store.apply(&entries).await.unwrap();
        outbox.release(applied.seq).await.unwrap();
    });
    assert_eq!(segments(), 1, "the one being written stays");
    drop(ledger);
    open(directory.path(), &store);
}

#[test]
fn a_frozen_journal_gives_what_the_store_does_not_have_while_the_journal_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let frozen = tempfile::tempdir_in(directory.path()).unwrap();
    let store = MemoryStore::new();
    let ledger = open(directory.path(), &store);
    commit(&ledger, vec![creation(0)]);
    for number in 0..50 {
        commit(&ledger, vec![issue(first(), number)]);
    }
    freeze(directory.path(), frozen.path()).unwrap();
    let mut entries: Vec<Entry> = Vec::new();
    let last = frozen_entries::<FrozenError>(frozen.path(), 11, |entry| {
        entries.push(entry);
        Ok(())
    });
    assert_eq!(last.unwrap(), 51);
    let seqs: Vec<_> = entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (12..=51).collect::<Vec<_>>());
    commit(&ledger, vec![issue(first(), 50)]);
}

#[test]
fn a_journal_can_begin_behind_a_restored_store() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = MemoryStore::new();
    let ledger = open(old.path(), &store);
    commit(&ledger, vec![creation(0), issue(first(), 1)]);
    let entries = now(ledger.outbox().next(0, usize::MAX)).unwrap();
    let applied = now(store.apply(&entries)).unwrap();
    let disk: Arc<dyn ledger_journal::Disk> = Arc::new(FileDisk::open(new.path()).unwrap());
    begin_after(
        &disk,
        JournalOptions {
            segment_bytes: 256 << 10,
            prepare_ahead: false,
        },
        applied.seq,
    )
    .unwrap();
    drop(disk);
    let ledger = open(new.path(), &store);
    commit(&ledger, vec![issue(first(), 2)]);
    assert_eq!(ledger.outbox().durable(), applied.seq + 1);
}
