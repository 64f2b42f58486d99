//! Killed in the middle: what was applied is there, nothing is half there, and the rest can follow.

use crate::scene::{Scene, assert_sound, coupon, entry, issues, load, revision, wait};
use coupon_app::{Entry, Record, RecordStore, Seq};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use store_sqlite::{SqliteOptions, SqliteStore};

const PER_ENTRY: u32 = 50;
const MARK: &str = "applied ";

fn entry_number(seq: Seq) -> Entry {
    if seq == 1 {
        return entry(1, vec![revision(coupon(1, None), 0)]);
    }
    let last = (u32::try_from(seq).unwrap() - 1) * PER_ENTRY;
    entry(seq, issues(1, last - PER_ENTRY + 1, last))
}

/// Applies until it is killed, saying after each entry that it has been applied. Started by the test below, in the
/// directory of the store.
#[test]
#[ignore = "the child of `a_store_whose_process_was_killed_has_everything_that_was_applied`, which starts it"]
fn child_that_applies_until_it_is_killed() {
    let options = SqliteOptions {
        fold_rows: 300,
        fold_step: 20,
        ..SqliteOptions::default()
    };
    let store = SqliteStore::open(std::path::Path::new("store.db"), options).unwrap();
    let applied = wait(store.applied()).unwrap();
    for seq in applied + 1..applied + 2_000 {
        wait(store.apply(&[entry_number(seq)])).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "{MARK}{seq}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn a_store_whose_process_was_killed_has_everything_that_was_applied() {
    let scene = Scene::new();
    let mut acknowledged = 0;
    for wait_for in [1, 3, 8, 21, 40] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "crash::child_that_applies_until_it_is_killed",
                "--ignored",
                "--nocapture",
            ])
            .current_dir(scene.directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut seen = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let Some((_, seq)) = line.split_once(MARK) else {
                continue;
            };
            acknowledged = seq.parse().unwrap();
            seen += 1;
            if seen == wait_for {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= wait_for, "the child ended by itself");

        let report = assert_sound(&scene);
        assert!(
            (acknowledged..=acknowledged + 1).contains(&report.applied_seq),
            "applied {}, acknowledged {acknowledged}",
            report.applied_seq
        );
        assert_eq!(report.issued, (report.applied_seq - 1) * u64::from(PER_ENTRY));
    }
    let store = scene.open();
    let all: Vec<Entry> = (1..=acknowledged + 5).map(entry_number).collect();
    wait(store.apply(&all)).unwrap();
    let expected: Vec<Record> = all.into_iter().skip(1).flat_map(|entry| entry.records).collect();
    let loaded: Vec<Record> = load(&store).issued.into_iter().map(Record::Issued).collect();
    assert_eq!(loaded, expected);
    assert_sound(&scene);
}
