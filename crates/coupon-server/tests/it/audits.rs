//! `verify`: passes what is sound, and fails what is not.

use crate::harness::{Caller, Scratch, told};
use reqwest::StatusCode;
use serde_json::Value;

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
    let mut lines: Vec<Value> = std::fs::read_to_string(&path)
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
    std::fs::write(&path, text).unwrap();
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

#[test]
fn damage_in_the_middle_of_the_journal_fails_the_audit_and_stops_the_start() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    let admin = Caller::admin(&scratch, &server);
    let coupon = admin.publish(10);
    for user in ["alice", "bob", "carol"] {
        assert_eq!(admin.issue(&coupon, user).0, StatusCode::CREATED);
    }
    assert!(server.stop().0.success());
    scratch.must(&["verify", "--data-dir", "data"]);

    let segment = std::fs::read_dir(scratch.data_dir().join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some())
        .unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let place = bytes.windows(5).position(|window| window == b"alice").unwrap();
    bytes[place] = b'A';
    std::fs::write(&segment, &bytes).unwrap();
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
    assert_eq!(std::fs::read(&segment).unwrap(), bytes, "nothing was changed");
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
    }
}
