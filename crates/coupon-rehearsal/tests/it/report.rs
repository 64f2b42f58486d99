//! What a rehearsal leaves behind: a page that needs nothing but itself, a result for programs, a summary for people.

use std::path::Path;

use coupon_rehearsal::{
    FaultMark, Outcome, Rehearsal, Summary, html_report, json_result, terminal_summary, write_report,
};

use crate::evidence::{Evidence, clean};

fn rehearsal(evidence: Evidence) -> Rehearsal {
    Rehearsal {
        summary: Summary::of(&evidence.history),
        verdict: evidence.verdict(),
        history: evidence.history,
        history_path: "history.jsonl".into(),
    }
}

fn failed() -> Rehearsal {
    let mut evidence = clean();
    evidence.hold_for("<script>alert(1)</script>", "OTHER", 11);
    rehearsal(evidence)
}

#[test]
fn the_page_fetches_nothing_and_runs_nothing() {
    for page in [html_report(&rehearsal(clean())), html_report(&failed())] {
        for forbidden in [
            "<script",
            "http://www",
            "https://",
            "<link",
            "<img",
            "@import",
            "url(",
        ] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert_eq!(page.matches("<svg").count(), 6);
        assert!(page.contains("prefers-color-scheme: dark") && page.contains("lang=\"ko\""));
    }
}

#[test]
fn the_page_shows_the_verdict_and_every_finding() {
    let passed = html_report(&rehearsal(clean()));
    assert!(passed.contains("PASS") && !passed.contains("class=\"finding\""));
    let failed = html_report(&failed());
    assert!(failed.contains("FAIL") && failed.contains("phantom-issue") && failed.contains("over-issued"));
    assert!(failed.contains("&lt;script&gt;"));
}

#[test]
fn what_was_lost_and_counted_stands_beside_a_pass() {
    let mut evidence = clean();
    evidence.issued.pop();
    evidence.lost = vec![(10, 10)];
    let rehearsal = rehearsal(evidence);
    let page = html_report(&rehearsal);
    assert!(page.contains("PASS") && page.contains("class=\"remark\"") && page.contains("lost-and-counted"));
    let told = terminal_summary(&rehearsal);
    assert!(told.contains("was told position 10, which was lost"), "{told}");
    assert!(
        told.ends_with(
            "verdict: PASS (acknowledged issues that were lost with the ledger's state, counted and named: 1)\n"
        ),
        "{told}"
    );
}

#[test]
fn the_result_for_programs_has_the_same_verdict_and_numbers() {
    let passed: serde_json::Value = serde_json::from_str(&json_result(&rehearsal(clean()))).unwrap();
    assert_eq!(passed["passed"], true);
    assert_eq!(passed["answers"]["issued"], 9);
    assert_eq!(passed["answers"]["already-issued"], 2);
    assert_eq!(passed["checks"].as_array().unwrap().len(), 10);
    let failed: serde_json::Value = serde_json::from_str(&json_result(&failed())).unwrap();
    assert_eq!(failed["passed"], false);
    assert_eq!(failed["checks"][0]["findings"][0]["kind"], "over-issued");
}

#[test]
fn the_summary_for_the_terminal_ends_with_the_verdict() {
    let text = terminal_summary(&rehearsal(clean()));
    assert!(text.ends_with("verdict: PASS\n"), "{text}");
    for fact in [
        "coupon 1: 10 to issue",
        "sold-out                   10",
        "sold out after 0.009 s",
        "p99.9",
    ] {
        assert!(text.contains(fact), "{fact} in\n{text}");
    }
    let text = terminal_summary(&failed());
    assert!(
        text.contains("FAIL I1") && text.ends_with("verdict: FAIL\n"),
        "{text}"
    );
}

#[test]
fn a_rehearsal_in_which_nothing_was_answered_can_still_be_reported() {
    let directory = tempfile::tempdir().unwrap();
    let mut evidence = clean();
    evidence.history.attempts.clear();
    evidence.issued.clear();
    let rehearsal = rehearsal(evidence);
    assert_eq!(rehearsal.summary.count(Outcome::Issued), 0);
    let files = write_report(&rehearsal, directory.path()).unwrap();
    assert!([files.json, files.html].iter().all(|file| Path::exists(file)));
    assert!(!html_report(&rehearsal).contains("NaN"));
}

/// How far down a word stands in the narrow plot.
fn baseline(page: &str, word: &str) -> f64 {
    let narrow = &page[page.find("plot narrow").unwrap()..];
    let line = narrow
        .lines()
        .find(|line| line.contains("class=\"words") && line.contains(word))
        .unwrap();
    let (_, from) = line.split_once(" y=\"").unwrap();
    from[..from.find('"').unwrap()].parse().unwrap()
}

#[test]
fn what_comes_first_stands_above_what_comes_later() {
    // The clean history is sold out after nine milliseconds.
    for (struck_ns, above, below) in [
        (2_000_000, "SIGKILL", "sold out"),
        (12_000_000, "sold out", "SIGKILL"),
    ] {
        let mut evidence = clean();
        evidence.history.faults.push(FaultMark {
            fault: "SIGKILL".to_owned(),
            struck_ns,
            over_ns: struck_ns + 1_000_000,
        });
        let page = html_report(&rehearsal(evidence));
        let (above, below) = (baseline(&page, above), baseline(&page, below));
        assert!(above + 14.0 < below, "{above} {below}");
    }
}
