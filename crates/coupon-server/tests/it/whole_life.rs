//! The whole life of coupons on the real binary, told to a real receiver and a real mail server that fail meanwhile.

use crate::harness::{Caller, PATIENCE, Scratch, converse};
use coupon_testkit::{HttpConduct, HttpReceiver, MailFault, MailServer, MailStage};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a job stays with a worker that was killed.
const LEASE: Duration = Duration::from_secs(60);

/// Both channels, nobody but the test runs jobs, and whatever fails is tried again after a second.
fn settings(mail: &MailServer) -> Vec<String> {
    [
        "webhooks.allow_http=true",
        "webhooks.allow_networks=127.0.0.1",
        "webhooks.retry_s=1,1,1",
        "mail.host=127.0.0.1",
        "mail.security=none",
        "mail.from=shop@example.com",
        "mail.administrators=boss@example.com",
        "mail.retry_s=1,1,1",
        "jobs.run=false",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([format!("mail.port={}", mail.port())])
    .flat_map(|setting| ["--set".to_owned(), setting])
    .collect()
}

fn job(settings: &[String], name: &'static str, at: &'static str) -> Vec<String> {
    let words = ["--data-dir", "data", "--json"].map(str::to_owned);
    let what = ["jobs", "run", name, "--at", at, "--yes"].map(str::to_owned);
    [&words[..], settings, &what].concat()
}

fn refs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// How often each notification was taken by the receiver, of the requests after the first `from`.
fn told(receiver: &HttpReceiver, from: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in &receiver.requests()[from..] {
        let id = request.header("webhook-id").unwrap().to_owned();
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert!(body["type"].is_string(), "{body}");
        *counts.entry(id).or_default() += 1;
    }
    counts
}

#[test]
fn a_sale_runs_from_create_to_expire_and_everybody_is_told_once_although_workers_are_killed() {
    let (scratch, mail, receiver) = (
        Scratch::new(),
        MailServer::start().unwrap(),
        HttpReceiver::start().unwrap(),
    );
    let settings = settings(&mail);
    let run = |name, at| {
        let said: Value = serde_json::from_str(&scratch.must(&refs(&job(&settings, name, at)))).unwrap();
        said["done"].as_u64().unwrap()
    };

    let server = scratch.serve_with(&refs(&settings));
    let admin = Caller::admin(&scratch, &server);
    let hook = json!({ "url": receiver.url("/hook") });
    assert_eq!(
        admin.ask(Method::POST, "/v1/admin/webhooks", Some(hook)).0,
        StatusCode::CREATED
    );
    let contact = json!({ "email": "kim@example.com", "name": "김", "language": "ko" });
    let kept = admin.ask(Method::PUT, "/v1/users/kim/contact", Some(contact));
    assert!(kept.0.is_success(), "{kept:?}");
    let coupon = admin.publish(3);
    for user in ["kim", "lee", "park"] {
        assert_eq!(admin.issue(&coupon, user).0, StatusCode::CREATED);
    }
    let order = |id: &str| Some(json!({ "orderId": id, "orderAmount": 50_000 }));
    let redemption = "/v1/issued-coupons/1-1/redemption";
    let cancel = "/v1/issued-coupons/1-1/redemption/cancel";
    assert_eq!(admin.ask(Method::POST, redemption, order("a")).0, StatusCode::OK);
    assert_eq!(
        admin.ask(Method::POST, cancel, Some(json!({ "orderId": "a" }))).0,
        StatusCode::OK
    );
    assert_eq!(admin.ask(Method::POST, redemption, order("b")).0, StatusCode::OK);
    assert_eq!(
        admin
            .ask(Method::POST, "/v1/admin/issued-coupons/1-2/revoke", None)
            .0,
        StatusCode::OK
    );
    server.kill();
    // What the killed server has answered is told all the same: the next one brings it to the store.
    assert!(scratch.serve_with(&refs(&settings)).stop().0.success());

    // Nobody takes anything.
    receiver.conduct(HttpConduct::status(500));
    mail.fail(MailStage::Data, MailFault::Reply(451));
    run("deliver", "+1s");
    assert!(!receiver.requests().is_empty() && mail.connections() > 0);
    assert_eq!(mail.received().len(), 0);

    // A worker is killed while it waits for the receiver.
    receiver.conduct(HttpConduct::Stall);
    mail.fail(MailStage::Greeting, MailFault::Stall);
    let before = receiver.requests().len();
    let mut worker = scratch
        .command(&refs(&job(&settings, "deliver", "+1h")))
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while receiver.requests().len() == before {
        assert!(begun.elapsed() < PATIENCE, "the worker tells nobody");
        std::thread::yield_now();
    }
    worker.kill().unwrap();
    worker.wait().unwrap();

    // Its lease goes by the true clock.
    let next = job(&settings, "deliver", "+2h");
    let begun = Instant::now();
    while !scratch.run(&refs(&next)).status.success() {
        assert!(begun.elapsed() < LEASE + PATIENCE, "nobody takes over");
        converse(async { tokio::time::sleep(Duration::from_millis(500)).await });
    }

    // Everybody listens again.
    receiver.conduct(HttpConduct::status(204));
    mail.mend();
    let mended = receiver.requests().len();
    for (name, at) in [
        ("deliver", "+2h"),
        ("remind", "+24d"),
        ("expire", "+31d"),
        ("deliver", "+31d"),
        ("remind", "+31d"),
        ("expire", "+32d"),
        ("deliver", "+32d"),
    ] {
        run(name, at);
    }
    let once: BTreeMap<String, usize> = [
        "issued-1-1",
        "issued-1-2",
        "issued-1-3",
        "sold-out-1-3",
        "redeemed-1-1-1",
        "redemption-cancelled-1-1-2",
        "redeemed-1-1-3",
        "revoked-1-2",
        "expiring-1-3-7",
        "expired-1-3",
    ]
    .map(|id| (id.to_owned(), 1))
    .into();
    assert_eq!(told(&receiver, mended), once);
    let mut letters: Vec<(String, usize)> = Vec::new();
    for letter in mail.received() {
        let to = letter.to.join(",");
        match letters.iter_mut().find(|(known, _)| *known == to) {
            Some((_, count)) => *count += 1,
            None => letters.push((to, 1)),
        }
    }
    letters.sort();
    let expected = [("boss@example.com", 1), ("kim@example.com", 4)];
    assert_eq!(letters, expected.map(|(to, count)| (to.to_owned(), count)));

    let listed = scratch.must(&["--data-dir", "data", "--json", "jobs", "list"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let left = &listed["notifications"];
    assert_eq!(
        (
            &left["new"],
            &left["waiting"],
            &left["dead"],
            &left["undeliverable"]
        ),
        (&json!(0), &json!(0), &json!(0), &json!(5)),
        "lee and park have no address, and nobody has dismissed it: {left}"
    );
    scratch.must(&["verify", "--data-dir", "data"]);
}
