//! The client commands, each against a real server.

use crate::harness::{Caller, Scratch};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[test]
fn a_coupon_is_created_issued_and_seen_from_the_command_line() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    let at = ["--server", &server.url];
    let with = |arguments: &[&str]| scratch.must(&[arguments, &at].concat());
    let created = with(&[
        "coupon",
        "create",
        "--name",
        "봄맞이 쿠폰",
        "--quantity",
        "2",
        "--opens",
        "now",
        "--closes",
        "+1h",
        "--valid-for",
        "P30D",
        "--strategy",
        "journal",
        "--ack",
        "ledger",
        "--json",
    ]);
    let created: Value = serde_json::from_str(&created).unwrap();
    for (name, value) in [
        ("id", json!(1)),
        ("quantity", json!(2)),
        ("validFor", json!("P30D")),
        ("strategy", json!("journal")),
        ("ack", json!("ledger")),
    ] {
        assert_eq!(created[name], value, "{name}");
    }

    let token = scratch.must(&["token", "--user", "alice"]);
    let alice = Caller::new(&server, &token);
    let (status, issued) = alice.ask(Method::POST, "/v1/coupons/1/issues", Some(json!({})));
    assert_eq!(status, StatusCode::CREATED, "{issued}");
    assert_eq!(issued["userId"], "alice");
    let (_, wallet) = alice.ask(Method::GET, "/v1/me/coupons", None);
    assert_eq!(wallet["data"][0]["code"], issued["code"]);

    let admin = Caller::admin(&scratch, &server);
    assert_eq!(admin.issue("/v1/coupons/1", "bob").0, StatusCode::CREATED);
    assert_eq!(admin.issue("/v1/coupons/1", "carol").0, StatusCode::GONE);

    let shown = with(&["coupon", "show", "1"]);
    assert!(
        shown.contains("봄맞이 쿠폰") && shown.contains("soldOut"),
        "{shown}"
    );
    let begins = |line: &str| {
        let name = line.split(' ').next().unwrap();
        line[name.len()..].find(|it| it != ' ').unwrap() + name.len()
    };
    let columns: std::collections::BTreeSet<usize> = shown.lines().map(begins).collect();
    assert_eq!(
        columns.len(),
        1,
        "every value begins in the same column:\n{shown}"
    );
    for name in ["issued", "redeemed", "cancelled", "expired", "revoked"] {
        assert!(shown.contains(name), "{name}:\n{shown}");
    }
    let listed = with(&["coupon", "list"]);
    assert!(
        listed.contains("봄맞이 쿠폰") && listed.contains("soldOut"),
        "{listed}"
    );
    for (verb, state) in [("pause", "paused"), ("resume", "soldOut"), ("close", "closed")] {
        assert_eq!(with(&["coupon", verb, "1"]), format!("coupon 1 is now {state}\n"));
    }
    let why = scratch.refused(&[&["coupon", "resume", "1"][..], &at].concat());
    assert!(why.contains("409"), "{why}");
    let why = scratch.refused(&[&["coupon", "show", "7"][..], &at].concat());
    assert!(why.contains("404"), "{why}");
    let why = scratch.refused(&[&["coupon", "show", "7", "--json"][..], &at].concat());
    let why: Value = serde_json::from_str(&why).unwrap();
    assert_eq!(
        (
            &why["problem"]["status"],
            why["error"].as_str().map(|said| said.contains("404"))
        ),
        (&json!(404), Some(true)),
        "{why}"
    );
}

#[test]
fn every_wrong_field_of_a_coupon_is_told() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    let why = scratch.refused(&[
        "coupon",
        "create",
        "--name",
        "",
        "--quantity",
        "1",
        "--opens",
        "now",
        "--closes",
        "2020-01-01T00:00:00Z",
        "--valid-for",
        "1d",
        "--currency",
        "won",
        "--server",
        &server.url,
    ]);
    for field in ["name", "closesAt", "currency", "422"] {
        assert!(why.contains(field), "{field}: {why}");
    }
}

#[test]
fn a_key_is_made_used_and_revoked() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    let at = ["--server", &server.url];
    let with = |arguments: &[&str]| scratch.must(&[arguments, &at].concat());
    let name = "The shop's own back end, second machine in the second room";
    let made = with(&["key", "create", "--name", name, "--scope", "issue", "--json"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    let coupon = Caller::admin(&scratch, &server).publish(10);
    let shop = Caller::new(&server, key);
    assert_eq!(shop.issue(&coupon, "alice").0, StatusCode::CREATED);
    assert_eq!(
        shop.ask(Method::GET, "/v1/admin/coupons", None).0,
        StatusCode::FORBIDDEN
    );
    let listed = with(&["key", "list"]);
    assert!(
        listed.contains(id) && listed.contains(name) && !listed.contains(key),
        "{listed}"
    );
    with(&["key", "revoke", id]);
    assert_eq!(shop.issue(&coupon, "bob").0, StatusCode::UNAUTHORIZED);
}

#[test]
fn a_wrong_key_and_a_missing_server_are_told_with_what_to_do() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    let wrong = "x".repeat(40);
    let why = scratch.refused(&["coupon", "list", "--server", &server.url, "--key", &wrong]);
    assert!(
        why.contains("401") && why.contains("--key") && !why.contains(&wrong),
        "{why}"
    );
    drop(server);
    let why = scratch.refused(&["coupon", "list", "--server", "http://127.0.0.1:9"]);
    assert!(why.contains("firstcome serve"), "{why}");
    let why = scratch.refused(&["coupon", "list", "--data-dir", "nowhere"]);
    assert!(
        why.contains("FIRSTCOME_ADMIN_KEY") && why.contains("--data-dir"),
        "{why}"
    );
}

#[test]
fn every_command_explains_itself() {
    let scratch = Scratch::new();
    for command in [
        &["serve"][..],
        &["coupon", "create"],
        &["coupon", "list"],
        &["coupon", "show"],
        &["coupon", "pause"],
        &["coupon", "resume"],
        &["coupon", "close"],
        &["key", "create"],
        &["key", "list"],
        &["key", "revoke"],
        &["token"],
        &["rehearse"],
        &["verify"],
        &["backup"],
        &["restore"],
        &["openapi"],
        &["config", "show"],
        &["healthcheck"],
    ] {
        let help = scratch.must(&[command, &["--help"]].concat());
        assert!(
            help.contains("Examples:") && help.contains(&command.join(" ")),
            "{command:?}: {help}"
        );
    }
}

#[test]
fn the_openapi_document_is_the_one_that_is_served() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    let printed: Value = serde_json::from_str(&scratch.must(&["openapi"])).unwrap();
    let (_, served) = Caller::admin(&scratch, &server).ask(Method::GET, "/openapi.json", None);
    assert_eq!(printed, served);
    assert_eq!(
        printed["openapi"].as_str().map(|version| &version[..3]),
        Some("3.1")
    );
}

#[test]
fn a_rehearsal_on_a_server_of_its_own_passes_even_if_that_is_killed() {
    let scratch = Scratch::new();
    let rehearse = |more: &[&str]| {
        let small = [
            "rehearse",
            "--self",
            "--quantity",
            "50",
            "--users",
            "200",
            "--duration",
            "500ms",
        ];
        let fast = [
            "--connections",
            "8",
            "--set",
            "journal.segment_mib=1",
            "--report",
            "report",
        ];
        scratch.must(&[&small[..], &fast, more].concat())
    };
    let said = rehearse(&[]);
    assert!(said.contains("verdict: PASS"), "{said}");
    let left = std::fs::read_dir(scratch.path().join("report")).unwrap();
    let mut left: Vec<String> = left
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(
        left,
        ["history.jsonl", "report.html", "result.json"],
        "the scratch server is gone"
    );

    let said = rehearse(&["--kill-at", "200ms", "--data-dir", "kept"]);
    assert!(
        said.contains("verdict: PASS") && said.contains("SIGKILL"),
        "{said}"
    );
    let judged = scratch.must(&[
        "verify",
        "--data-dir",
        "kept",
        "--history",
        "report/history.jsonl",
    ]);
    assert!(
        judged.contains("verdict: PASS") && judged.contains("everything is sound"),
        "{judged}"
    );
    let mut command = scratch.command(&["rehearse", "--self", "--data-dir", "kept"]);
    let output = command
        .env("FIRSTCOME_SERVER", "http://127.0.0.1:9")
        .output()
        .unwrap();
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(why.contains("is not empty"), "{why}");
    assert_eq!(output.status.code(), Some(2), "never on top of what is there");
}

#[test]
fn a_rehearsal_that_cannot_be_starts_nothing() {
    let scratch = Scratch::new();
    for (option, value, told) in [
        ("--users", "0", "at least one user"),
        ("--duplicates", "2", "between 0 and 1"),
        ("--most-asks", "1", "at least twice"),
        ("--connections", "0", "at least one connection"),
        ("--quantity", "0", "--quantity"),
        ("--duration", "25h", "at most a day"),
        ("--kill-at", "1y", "--kill-at"),
    ] {
        let output = scratch.run(&["rehearse", "--self", option, value]);
        let why = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{option}: {why}");
        assert!(why.contains(told), "{option}: {why}");
        assert!(!scratch.path().join("rehearsal").exists(), "{option}");
    }
}

#[test]
fn wrong_options_are_told_with_every_way_to_give_them() {
    let scratch = Scratch::new();
    for verb in ["replay", "dismiss"] {
        let output = scratch.run(&["dead-letters", verb, "kafka-0-17", "--place", "kafka"]);
        let why = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{why}");
        assert!(
            why.contains("<ID>") && why.contains("--all [--place <PLACE>]"),
            "{why}"
        );
    }
}

#[test]
fn coupons_are_copied_and_found_and_the_audit_log_tells_who_did_what() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    let at = ["--server", &server.url];
    let with = |arguments: &[&str]| scratch.must(&[arguments, &at].concat());
    with(&[
        "coupon",
        "create",
        "--name",
        "First",
        "--quantity",
        "2",
        "--closes",
        "+1h",
        "--valid-for",
        "P30D",
        "--label",
        "campaign=spring",
    ]);
    let copied = with(&[
        "coupon",
        "clone",
        "1",
        "--name",
        "Second",
        "--opens",
        "+10m",
        "--quantity",
        "5",
        "--json",
    ]);
    let copied: Value = serde_json::from_str(&copied).unwrap();
    assert_eq!(
        (
            &copied["id"],
            &copied["state"],
            &copied["quantity"],
            &copied["labels"]["campaign"]
        ),
        (&json!(2), &json!("scheduled"), &json!(5), &json!("spring"))
    );
    let why = scratch.refused(&[&["coupon", "clone", "1", "--closes", "now"][..], &at].concat());
    assert!(why.contains("closesAt"), "{why}");
    let listed = |arguments: &[&str]| {
        let listed = with(&[&["coupon", "list", "--json"][..], arguments].concat());
        let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
        listed
            .iter()
            .map(|coupon| coupon["id"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(&["--label", "campaign=spring"]), [1, 2]);
    assert_eq!(listed(&["--state", "open", "--name", "irs"]), [1]);
    assert_eq!(listed(&["--opens-from", "+1m", "--closes-before", "+2h"]), [2]);
    assert_eq!(
        listed(&["--opens-until", "+1m", "--closes-until", "+2h"]),
        [1],
        "by the names of the HTTP interface"
    );

    let made = with(&[
        "key",
        "create",
        "--name",
        "shop",
        "--scope",
        "issue",
        "--expires",
        "+90d",
        "--json",
    ]);
    let made: Value = serde_json::from_str(&made).unwrap();
    assert!(made["expiresAt"].is_string(), "{made}");
    with(&["key", "revoke", made["id"].as_str().unwrap()]);
    // The store follows the journal by itself, a moment later.
    let entries = loop {
        let entries = with(&["audit-log", "list", "--actor", "first-admin", "--json"]);
        let entries: Vec<Value> = serde_json::from_str(&entries).unwrap();
        if entries.len() == 4 {
            break entries;
        }
        assert!(entries.len() < 4, "{entries:?}");
    };
    let actions: std::collections::BTreeSet<&str> = entries
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        ["coupon.cloned", "coupon.created", "key.created", "key.revoked"].into()
    );
    let shown = with(&["audit-log", "list", "--coupon", "2"]);
    assert!(
        shown.contains("coupon.cloned") && !shown.contains("coupon.created"),
        "{shown}"
    );
    assert!(
        !shown.contains('…'),
        "nothing is cut where no terminal is:\n{shown}"
    );
    with(&["webhook", "create", "https://shop.example/hooks"]);
    let webhooks = with(&["webhook", "list"]);
    assert!(webhooks.contains("  all  "), "{webhooks}");
    let why = scratch.refused(&[&["audit-log", "list", "--action", "coupon.eaten"][..], &at].concat());
    assert!(why.contains("action"), "{why}");
}
