//! The history file: what is written reads back, and what is damaged is not believed.

use coupon_rehearsal::{FaultMark, FindingKind, History, HistoryError, HistoryWriter};

use crate::evidence::{Evidence, clean};

fn write(evidence: &Evidence, path: &std::path::Path) {
    let mut writer = HistoryWriter::create(path, &evidence.history.header).unwrap();
    for attempt in &evidence.history.attempts {
        writer.attempt(attempt);
    }
    writer.fault(&FaultMark {
        fault: "SIGKILL".to_owned(),
        struck_ns: 1,
        over_ns: 2,
    });
    writer.finish(&evidence.history.end.unwrap()).unwrap();
}

#[test]
fn a_history_reads_back_as_it_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.jsonl");
    let mut evidence = clean();
    write(&evidence, &path);
    let read = History::read(&path).unwrap();
    assert_eq!(read.attempts, evidence.history.attempts);
    assert_eq!(read.end, evidence.history.end);
    assert_eq!(read.header.coupon, evidence.history.header.coupon);
    assert_eq!(read.faults.len(), 1);
    evidence.history = read;
    assert_eq!(evidence.found(), []);
}

#[test]
fn a_history_that_was_cut_short_anywhere_never_passes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.jsonl");
    let mut evidence = clean();
    write(&evidence, &path);
    let whole = std::fs::read(&path).unwrap();
    let first_line = whole.iter().position(|byte| *byte == b'\n').unwrap();
    for length in first_line + 1..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        evidence.history = History::read(&path).unwrap();
        assert!(
            evidence.found().contains(&FindingKind::UncountedAttempts),
            "cut at {length}"
        );
    }
}

#[test]
fn a_damaged_line_is_named_and_not_skipped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.jsonl");
    write(&clean(), &path);
    let whole = std::fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("\"issued\"", "\"isued\""),
        ("[2,", "[20,"),
        ("\"sent\":", "\"snt\":"),
    ] {
        std::fs::write(&path, whole.replacen(from, to, 1)).unwrap();
        let error = History::read(&path).unwrap_err();
        assert!(matches!(error, HistoryError::BadLine { .. }), "{from}: {error}");
    }
    std::fs::write(&path, "{}\n").unwrap();
    assert!(matches!(
        History::read(&path),
        Err(HistoryError::BadLine { line: 1, .. })
    ));
}
