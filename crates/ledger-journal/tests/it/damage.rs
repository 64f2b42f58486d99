//! Damaged files: every bit and every length of the last records, missing and foreign segments. Each is recovered, cut
//! off and reported, or refused, and never passed over.

use super::rig::{Rig, creation, first, issue};
use coupon_app::Seq;
use coupon_app::memory::MemoryStore;
use ledger_journal::sim::{Keep, SimDisk};
use ledger_journal::{Damage, Disk, OpenError, segment_name};
use std::ops::Range;

const SEGMENT_HEADER_BYTES: usize = 4_096;
const FRAME_HEADER_BYTES: usize = 36;
const BATCHES: Seq = 17;

/// A journal whose last 16 batches hold 64 issues, not closed, and where each of its batches lies.
struct Journal {
    disk: SimDisk,
    name: String,
    frames: Vec<Range<usize>>,
    vouching: Range<usize>,
}

fn journal(closed: bool) -> Journal {
    let rig = Rig::fresh();
    let name = segment_name(1);
    let used = |rig: &Rig| {
        let bytes = rig.disk.bytes(&name).unwrap();
        let last = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        (last + 1).next_multiple_of(8)
    };
    let mut frames = Vec::new();
    let mut start = used(&rig);
    let vouching = SEGMENT_HEADER_BYTES..start;
    for batch in 0..BATCHES {
        let number = usize::try_from(batch).unwrap() * 4;
        let requests = if batch == 0 {
            vec![creation(0)]
        } else {
            (number..number + 4)
                .map(|number| issue(first(), number))
                .collect()
        };
        assert!(rig.commit(requests).iter().all(Result::is_ok));
        let end = used(&rig);
        frames.push(start..end);
        start = end;
    }
    if closed {
        rig.close().unwrap();
    }
    Journal {
        disk: rig.disk.copy(),
        name,
        frames,
        vouching,
    }
}

fn store_with(disk: &SimDisk, batches: Seq) -> MemoryStore {
    let store = MemoryStore::new();
    let rig = Rig::open(&disk.copy(), &MemoryStore::new()).unwrap();
    super::rig::now(async {
        use coupon_app::RecordStore;
        let mut entries = rig.ledger.outbox().next(0, usize::MAX).await.unwrap();
        entries.retain(|entry| entry.seq <= batches);
        if !entries.is_empty() {
            store.apply(&entries).await.unwrap();
        }
    });
    store
}

fn flipped(journal: &Journal, byte: usize, bit: u8) -> SimDisk {
    let disk = journal.disk.copy();
    disk.damage(&journal.name, |bytes| bytes[byte] ^= 1 << bit);
    disk
}

/// The bytes of a frame that its checksums cover: all but the padding, of which nothing is read.
fn covered(journal: &Journal, frame: &Range<usize>) -> Range<usize> {
    let bytes = journal.disk.bytes(&journal.name).unwrap();
    let mut length = [0; 4];
    length.copy_from_slice(&bytes[frame.start + 4..frame.start + 8]);
    frame.start..frame.start + FRAME_HEADER_BYTES + usize::try_from(u32::from_le_bytes(length)).unwrap()
}

#[test]
fn every_flipped_bit_in_a_batch_that_a_later_one_vouches_for_is_refused_with_advice() {
    let journal = journal(false);
    let store = MemoryStore::new();
    for (index, frame) in journal.frames[..journal.frames.len() - 1]
        .iter()
        .enumerate()
        .skip(1)
    {
        let damaged_seq = Seq::try_from(index).unwrap() + 1;
        for byte in frame.clone() {
            for bit in 0..8 {
                let disk = flipped(&journal, byte, bit);
                let opened = Rig::open(&disk, &store);
                if !covered(&journal, frame).contains(&byte) {
                    assert_eq!(
                        opened.unwrap().positions(first()).len(),
                        64,
                        "padding says nothing"
                    );
                    continue;
                }
                let steps = disk.steps();
                match opened.map(|rig| rig.recovery) {
                    Err(error @ OpenError::Damaged(Damage::Vouched { .. })) => {
                        let text = error.to_string();
                        assert!(text.contains(&format!("batch {damaged_seq} ")), "{text}");
                        assert!(text.contains("firstcome restore"), "{text}");
                    }
                    other => panic!("byte {byte}, bit {bit}: {other:?}"),
                }
                assert_eq!(steps, 0, "a refusal changes nothing");
            }
        }
    }
}

#[test]
fn every_flipped_bit_in_the_last_batch_is_cut_off_and_reported() {
    let journal = journal(false);
    let last = journal.frames.last().unwrap();
    for byte in covered(&journal, last) {
        for bit in 0..8 {
            let rig = Rig::open(&flipped(&journal, byte, bit), &MemoryStore::new()).unwrap();
            let cut = rig
                .recovery
                .cut
                .clone()
                .unwrap_or_else(|| panic!("byte {byte}, bit {bit} not reported"));
            assert_eq!((cut.seq, cut.in_store), (BATCHES, false));
            assert_eq!(cut.offset, u64::try_from(last.start).unwrap());
            assert_eq!(rig.positions(first()).len(), 60);
            assert!(rig.recovery.to_string().contains("was cut off"));
            // The cut is clean: the batch that takes its place survives, and nothing of the old one comes back.
            rig.issue(first(), 999).unwrap();
            let rig = rig.crash(Keep::Synced).unwrap();
            assert_eq!((rig.positions(first()).len(), &rig.recovery.cut), (61, &None));
        }
    }
}

#[test]
fn a_damaged_last_batch_is_taken_from_the_store_if_it_is_there() {
    let journal = journal(false);
    let store = store_with(&journal.disk, BATCHES);
    for byte in covered(&journal, journal.frames.last().unwrap()) {
        let disk = flipped(&journal, byte, 0);
        let rig = Rig::open(&disk, &store).unwrap();
        assert!(
            rig.recovery
                .cut
                .as_ref()
                .is_some_and(|cut| cut.in_store && cut.seq == BATCHES)
        );
        assert_eq!(rig.positions(first()).len(), 64);
        rig.issue(first(), 999).unwrap();
        let rig = rig.crash(Keep::Synced).unwrap();
        assert_eq!((rig.positions(first()).len(), &rig.recovery.cut), (65, &None));
    }
}

#[test]
fn after_a_clean_end_damage_to_the_last_batch_is_refused() {
    let journal = journal(true);
    for byte in covered(&journal, journal.frames.last().unwrap()) {
        let opened = Rig::open(&flipped(&journal, byte, 3), &MemoryStore::new());
        assert!(matches!(
            opened.map(|rig| rig.recovery),
            Err(OpenError::Damaged(Damage::Vouched { .. }))
        ));
    }
}

#[test]
fn every_flipped_bit_of_a_segments_header_is_refused() {
    let journal = journal(false);
    for byte in 0..64 {
        for bit in 0..8 {
            let opened = Rig::open(&flipped(&journal, byte, bit), &MemoryStore::new());
            assert!(matches!(
                opened.map(|rig| rig.recovery),
                Err(OpenError::Damaged(Damage::Header { .. }))
            ));
        }
    }
}

#[test]
fn a_segment_of_a_newer_format_is_refused_by_name_and_version() {
    let journal = journal(false);
    journal.disk.damage(&journal.name, |bytes| {
        bytes[8] = 9;
        let checksum = crc32c::crc32c(&bytes[..60]);
        bytes[60..64].copy_from_slice(&checksum.to_le_bytes());
    });
    match Rig::open(&journal.disk, &MemoryStore::new()).map(|rig| rig.recovery) {
        Err(error @ OpenError::NewerFormat { version: 9, .. }) => {
            assert!(error.to_string().contains("later"))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_truncation_is_either_harmless_and_reported_or_refused() {
    let journal = journal(false);
    let first_of_64 = journal.frames[1].start;
    let end = journal.frames.last().unwrap().end;
    for length in (first_of_64..end + 100).chain([0, 63, 64, 4_095, SEGMENT_HEADER_BYTES, 100_000]) {
        let disk = journal.disk.copy();
        disk.damage(&journal.name, |bytes| bytes.truncate(length));
        let opened = Rig::open(&disk, &MemoryStore::new());
        if length >= end + FRAME_HEADER_BYTES {
            let rig = opened.unwrap();
            assert_eq!(
                rig.recovery.shortened,
                std::slice::from_ref(&journal.name),
                "length {length}"
            );
            assert_eq!(rig.positions(first()).len(), 64);
            rig.issue(first(), 999).unwrap();
            assert_eq!(rig.crash(Keep::Synced).unwrap().positions(first()).len(), 65);
            continue;
        }
        match opened.map(|rig| rig.recovery) {
            Err(OpenError::Damaged(Damage::Truncated { .. })) if length >= SEGMENT_HEADER_BYTES => {}
            Err(OpenError::Damaged(Damage::Header { .. })) if length < SEGMENT_HEADER_BYTES => {}
            other => panic!("length {length}: {other:?}"),
        }
    }
}

#[test]
fn a_journal_that_ends_before_the_store_is_refused() {
    let journal = journal(false);
    let store = store_with(&journal.disk, BATCHES);
    // Everything from the middle on is gone, as if it had never been written.
    let disk = journal.disk.copy();
    let from = journal.frames[9].start;
    disk.damage(&journal.name, |bytes| bytes[from..].fill(0));
    let opened = Rig::open(&disk, &store).map(|rig| rig.recovery);
    assert!(
        matches!(
            opened,
            Err(OpenError::Damaged(Damage::BehindStore {
                last: 9,
                applied: BATCHES
            }))
        ),
        "{opened:?}"
    );
    // The files are gone altogether.
    let opened = Rig::open(&SimDisk::default(), &store).map(|rig| rig.recovery);
    assert!(
        matches!(
            opened,
            Err(OpenError::Damaged(Damage::BehindStore { last: 0, .. }))
        ),
        "{opened:?}"
    );
}

#[test]
fn missing_and_foreign_segments_are_refused() {
    let rig = Rig::fresh();
    let coupon = rig.create(0);
    for batch in 0..14 {
        let requests = (0..900)
            .map(|number| issue(coupon, batch * 1_000 + number))
            .collect();
        assert!(rig.commit(requests).iter().all(Result::is_ok));
    }
    let mut names: Vec<String> = rig.disk.names().unwrap();
    names.retain(|name| name != "prepared");
    names.sort();
    assert!(names.len() >= 3, "the workload spans segments: {names:?}");
    for missing in &names[..names.len() - 1] {
        let disk = rig.disk.copy();
        disk.remove(missing).unwrap();
        let opened = Rig::open(&disk, &MemoryStore::new()).map(|rig| rig.recovery);
        assert!(
            matches!(opened, Err(OpenError::Damaged(Damage::Missing { .. }))),
            "{missing}: {opened:?}"
        );
    }
    let disk = rig.disk.copy();
    let other = Rig::fresh();
    other.create(0);
    let foreign = other.disk.bytes(&segment_name(1)).unwrap();
    disk.damage(&segment_name(1), |bytes| *bytes = foreign);
    let opened = Rig::open(&disk, &MemoryStore::new()).map(|rig| rig.recovery);
    assert!(
        matches!(opened, Err(OpenError::Damaged(Damage::Foreign { .. }))),
        "{opened:?}"
    );
}

#[test]
fn a_vouching_frame_that_is_damaged_costs_nothing() {
    let journal = journal(false);
    for byte in journal.vouching.start..journal.vouching.start + FRAME_HEADER_BYTES {
        // It stands before the first batch, which vouches for it in turn.
        let opened = Rig::open(&flipped(&journal, byte, 1), &MemoryStore::new()).map(|rig| rig.recovery);
        assert!(
            matches!(opened, Err(OpenError::Damaged(Damage::Vouched { .. })) | Ok(_)),
            "{opened:?}"
        );
    }
}
