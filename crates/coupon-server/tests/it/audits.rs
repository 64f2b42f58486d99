//! `verify`: passes what is sound, and fails what is not.

use crate::harness::{Caller, Scratch, told};
use reqwest::StatusCode;
use rusqlite::Connection;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Rehearses on a running server and returns it with the sale's history in `report/history.jsonl`.
fn rehearsed(scratch: &Scratch) -> crate::harness::Server {
    let server = scratch.serve();
    let said = scratch.must(&[
        "rehearse",
        "--server",
        &server.url,
        "--quantity",
        "20",
        "--users",
        "100",
        "--duration",
        "200ms",
        "--connections",
        "8",
        "--as-users",
        "--report",
        "report",
    ]);
    assert!(said.contains("verdict: PASS"), "{said}");
    server
}

#[test]
fn a_rehearsals_history_is_judged_again_over_http_and_at_rest() {
    let scratch = Scratch::new();
    let server = rehearsed(&scratch);
    let history = ["--history", "report/history.jsonl"];
    let said = scratch.must(&[&["verify", "--server", &server.url][..], &history].concat());
    assert!(
        said.contains("verdict: PASS") && said.contains("everything is sound"),
        "{said}"
    );
    assert!(server.stop().0.success());
    let said = scratch.must(&[&["verify", "--data-dir", "data"][..], &history].concat());
    assert!(
        said.contains("verdict: PASS") && said.contains("everything is sound"),
        "{said}"
    );
}

#[test]
fn a_history_that_was_told_something_else_fails_the_audit() {
    let scratch = Scratch::new();
    let server = rehearsed(&scratch);
    assert!(server.stop().0.success());
    // Somebody was told a position that is another's.
    let path = scratch.path().join("report/history.jsonl");
    let mut lines: Vec<Value> = fs::read_to_string(&path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut issued = lines
        .iter_mut()
        .filter(|line| line.get(5).is_some_and(|outcome| outcome == "issued"));
    let (first, second) = (issued.next().unwrap(), issued.next().unwrap());
    std::mem::swap(&mut first[6], &mut second[6]);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(&path, text).unwrap();
    let output = scratch.run(&[
        "verify",
        "--data-dir",
        "data",
        "--history",
        "report/history.jsonl",
        "--json",
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["sound"], false, "{found}");
}

/// A server with coupon 1, of which three are issued.
fn with_three_issued(scratch: &Scratch) -> crate::harness::Server {
    let server = scratch.serve();
    let admin = Caller::admin(scratch, &server);
    let coupon = admin.publish(10);
    for user in ["alice", "bob", "carol"] {
        assert_eq!(admin.issue(&coupon, user).0, StatusCode::CREATED);
    }
    server
}

#[test]
fn damage_in_the_middle_of_the_journal_fails_the_audit_and_stops_the_start() {
    let scratch = Scratch::new();
    let server = with_three_issued(&scratch);
    assert!(server.stop().0.success());
    scratch.must(&["verify", "--data-dir", "data"]);

    let segment = fs::read_dir(scratch.data_dir().join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some())
        .unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let place = bytes.windows(5).position(|window| window == b"alice").unwrap();
    bytes[place] = b'A';
    fs::write(&segment, &bytes).unwrap();
    let output = scratch.run(&["verify", "--data-dir", "data"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(
        said.contains("damaged") && said.contains("firstcome restore"),
        "{said}"
    );
    let why = scratch.refused(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(
        why.contains("damaged") && why.contains("firstcome restore"),
        "{why}"
    );
    assert_eq!(fs::read(&segment).unwrap(), bytes, "nothing was changed");
}

/// Every file under a directory. Left out is what SQLite lays beside a store when it is read: the index of its log, and a
/// log with nothing in it.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.append(&mut files(&path));
            continue;
        }
        let (name, bytes) = (path.to_string_lossy(), fs::read(&path).unwrap());
        let is_laid_beside = name.ends_with("-shm") || (name.ends_with("-wal") && bytes.is_empty());
        if !is_laid_beside {
            all.insert(path, bytes);
        }
    }
    all
}

fn verified_and_left_as_it_is(scratch: &Scratch, name: &str, expected: &str) {
    let directory = scratch.path().join(name);
    let before = files(&directory);
    let said = scratch.must(&["verify", "--data-dir", name]);
    assert!(said.contains(expected), "{said}");
    let changed: Vec<PathBuf> = files(&directory)
        .into_iter()
        .filter(|(path, bytes)| before.get(path) != Some(bytes))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(changed, [""; 0].map(PathBuf::from), "{name}");
    assert_eq!(files(&directory).len(), before.len(), "{name}");
}

#[test]
fn what_is_verified_stays_as_it_is_after_a_crash_as_a_backup_and_in_an_older_format() {
    let scratch = Scratch::new();
    let server = with_three_issued(&scratch);
    scratch.must(&["backup", "--to", "backup.sqlite3"]);
    server.kill();
    verified_and_left_as_it_is(&scratch, "data", "coupon 1: 3 issued");

    scratch.must(&["restore", "--from", "backup.sqlite3", "--data-dir", "restored"]);
    verified_and_left_as_it_is(&scratch, "restored", "coupon 1: 3 issued");

    // A store of the first format that nothing has reached yet: everything is in the journal.
    let store = scratch.data_dir().join("store.sqlite3");
    for beside in ["-wal", "-shm", ""] {
        let file = format!("{}{beside}", store.display());
        if beside.is_empty() || Path::new(&file).exists() {
            fs::remove_file(file).unwrap();
        }
    }
    let connection = Connection::open(&store).unwrap();
    connection
        .execute_batch(&format!(
            "{} PRAGMA application_id = 0x46434f4d; PRAGMA user_version = 1;",
            include_str!("../../../store-sqlite/migrations/0001_first.sql")
        ))
        .unwrap();
    drop(connection);
    verified_and_left_as_it_is(&scratch, "data", "coupon 1: 3 issued");
    assert!(
        scratch.serve().stop().0.success(),
        "a server brings it to the newest format"
    );
    let connection = Connection::open(&store).unwrap();
    let format: u32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert!(format > 1);
}

#[test]
fn what_cannot_be_looked_at_is_neither_sound_nor_unsound() {
    let scratch = Scratch::new();
    let _server = scratch.serve();
    for arguments in [
        &["verify", "--data-dir", "data"][..],
        &["verify", "--data-dir", "nowhere"],
        &["verify", "--server", "http://127.0.0.1:9"],
        &["verify", "--history", "nowhere.jsonl"],
    ] {
        let output = scratch.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", told(&output));
        let output = scratch.run(&[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said: Value = serde_json::from_slice(&output.stderr).unwrap();
        let why = said["error"].as_str().unwrap();
        assert!(why.starts_with("not verified: "), "{arguments:?}: {why}");
    }
}
