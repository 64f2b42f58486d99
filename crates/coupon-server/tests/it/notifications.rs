//! Webhooks and templates from the command line, each against a real server and a real receiver.

use crate::harness::{Scratch, told};
use coupon_testkit::{HttpConduct, HttpReceiver};
use serde_json::{Value, json};

const OPEN: [&str; 4] = [
    "--set",
    "webhooks.allow_http=true",
    "--set",
    "webhooks.allow_networks=127.0.0.1,::1",
];

#[test]
fn a_webhook_is_made_pinged_rotated_and_deleted_from_the_command_line() {
    let scratch = Scratch::new();
    let server = scratch.serve_with(&OPEN);
    let receiver = HttpReceiver::start().unwrap();
    let url = receiver.url("/hook");
    let at = ["--server", &server.url];
    let with = |arguments: &[&str]| scratch.must(&[arguments, &at].concat());

    let made = with(&["webhook", "create", &url, "--event", "coupon.sold_out", "--json"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(
        (&made["id"], &made["events"]),
        (&json!(1), &json!(["coupon.sold_out"]))
    );
    let secret = made["secret"].as_str().unwrap();
    let listed = with(&["webhook", "list"]);
    assert!(listed.contains(&url) && !listed.contains("whsec_"), "{listed}");

    let pinged = with(&["webhook", "ping", "1"]);
    assert!(pinged.contains("delivered") && pinged.contains("204"), "{pinged}");
    let request = receiver.requests().pop().unwrap();
    assert_eq!(request.target, "POST /hook");
    assert!(request.header("webhook-signature").unwrap().starts_with("v1,"));

    receiver.conduct(HttpConduct::status(500));
    let output = scratch.run(&[&["webhook", "ping", "1"][..], &at].concat());
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    receiver.conduct(HttpConduct::status(204));

    let rotated = with(&["webhook", "rotate-secret", "1", "--json"]);
    let rotated: Value = serde_json::from_str(&rotated).unwrap();
    assert_ne!(rotated["secret"].as_str().unwrap(), secret);
    with(&["webhook", "ping", "1"]);
    let request = receiver.requests().pop().unwrap();
    let signatures = request.header("webhook-signature").unwrap().split(' ').count();
    assert_eq!(signatures, 2, "the secret before is live too");

    let changed = with(&[
        "webhook",
        "change",
        "1",
        "--all-events",
        "--description",
        "창고",
        "--json",
    ]);
    let changed: Value = serde_json::from_str(&changed).unwrap();
    assert_eq!(
        (&changed["events"], &changed["description"]),
        (&json!(null), &json!("창고"))
    );
    assert!(with(&["webhook", "disable", "1"]).contains("by-hand"));
    assert!(!with(&["webhook", "enable", "1"]).contains("by-hand"));
    assert_eq!(with(&["webhook", "delete", "1"]), "deleted 1\n");
    let why = scratch.refused(&[&["webhook", "show", "1"][..], &at].concat());
    assert!(why.contains("404"), "{why}");

    let text = with(&["audit-log", "list", "--json"]);
    assert!(!text.contains("whsec_") && !text.contains(secret), "{text}");
    let log: Vec<Value> = serde_json::from_str(&text).unwrap();
    let told: Vec<_> = log
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        told,
        [
            "webhook.deleted",
            "webhook.changed",
            "webhook.changed",
            "webhook.changed",
            "webhook.secret_rotated",
            "webhook.created"
        ]
    );
    assert!(
        log.iter()
            .all(|entry| entry["webhookId"] == 1 && entry["actor"].is_string())
    );
    assert_eq!(
        (&log[0]["before"]["url"], &log[0]["after"]),
        (&json!(url), &Value::Null)
    );
    assert_eq!(log[2]["after"]["disabledReason"], "by-hand");
    assert_eq!(
        (&log[3]["before"]["description"], &log[3]["after"]["description"]),
        (&json!(""), &json!("창고"))
    );
    assert_eq!(log[4]["before"]["previousSecretUntil"], Value::Null);
    assert!(log[4]["after"]["previousSecretUntil"].is_string());
    let table = with(&["audit-log", "list"]);
    assert!(table.contains("webhook.secret_rotated"), "{table}");
}

#[test]
fn without_leave_a_webhook_goes_neither_unencrypted_nor_to_a_private_address() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    let at = ["--server", &server.url];
    for (url, reason) in [
        ("http://shop.example/hook", "https only"),
        ("https://127.0.0.1/hook", "private"),
        ("https://[::ffff:10.0.0.1]/hook", "private"),
    ] {
        let why = scratch.refused(&[&["webhook", "create", url][..], &at].concat());
        assert!(why.contains("422") && why.contains(reason), "{url}: {why}");
    }
}

#[test]
fn a_mail_is_previewed_in_either_language() {
    let scratch = Scratch::new();
    let english = scratch.must(&["notification", "preview", "redeemed"]);
    assert!(english.contains("was used on the order A-1001"), "{english}");
    let korean = scratch.must(&[
        "notification",
        "preview",
        "sold-out",
        "--language",
        "ko",
        "--json",
    ]);
    let korean: Value = serde_json::from_str(&korean).unwrap();
    assert!(
        korean["subject"].as_str().unwrap().starts_with("쿠폰 소진"),
        "{korean}"
    );
}

#[test]
fn a_template_that_names_what_there_is_not_is_refused_at_the_start() {
    let scratch = Scratch::new();
    let folder = scratch.path().join("templates/en");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("issued.txt"), "Hello {{ nobody }}\n").unwrap();
    let mail = [
        "--set",
        "mail.host=127.0.0.1",
        "--set",
        "mail.from=shop@example.com",
        "--set",
        "mail.templates=templates",
    ];
    let serve = [&["serve", "--listen", "127.0.0.1:0"][..], &mail].concat();
    let why = scratch.refused(&serve);
    assert!(why.contains("en/issued") && why.contains("nobody"), "{why}");
    let preview = [&["notification", "preview", "issued"][..], &mail].concat();
    assert!(scratch.refused(&preview).contains("nobody"));
}

#[test]
fn settings_of_mail_and_webhooks_that_may_not_be_are_refused() {
    let scratch = Scratch::new();
    for (setting, reason) in [
        ("mail.host=mail.example.com", "mail.from"),
        ("mail.reply_to=nobody", "mail.reply_to"),
        ("mail.administrators=boss@example.com,boss", "mail.administrators"),
        ("mail.lookup_url=https://shop.example/", "mail.lookup_url"),
        ("mail.retry_s=5,0", "mail.retry_s"),
        ("mail.language=fr", "mail.language"),
        ("webhooks.allow_networks=everywhere", "webhooks.allow_networks"),
        ("webhooks.retry_s=soon", "webhooks.retry_s"),
        ("webhooks.timeout_ms=60000", "webhooks.timeout_ms"),
    ] {
        let why = scratch.refused(&["config", "show", "--set", setting]);
        assert!(why.contains(reason), "{setting}: {why}");
    }
    let shown = scratch.must(&["config", "show", "--set", "webhooks.retry_s=5,60"]);
    assert!(shown.contains("retry_s = [5, 60]"), "{shown}");
}
