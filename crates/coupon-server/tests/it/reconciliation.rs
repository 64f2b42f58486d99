//! Ledger and store are compared in both directions, differences are named, and what can be mended is.

use crate::fleet::{Fleet, admin, publish, wait_for};
use crate::harness::{Caller, Server, told};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

fn compared(caller: &Caller) -> Value {
    let (status, compared) = caller.ask(Method::GET, "/v1/admin/reconciliation", None);
    assert_eq!(status, StatusCode::OK, "{compared}");
    compared["data"][0].clone()
}

/// Runs `firstcome verify` at a server: whether everything was sound, and what was said.
fn verify(fleet: &Fleet, server: &Server, more: &[&str]) -> (Option<i32>, String) {
    let all = [&["verify", "--server", &server.url][..], more].concat();
    let output = fleet.command(&all).output().unwrap();
    (output.status.code(), told(&output))
}

fn issue(caller: &Caller, coupon: &str, user: &str) -> u64 {
    let (status, issued) = caller.issue(coupon, user);
    assert_eq!(status, StatusCode::CREATED, "{issued}");
    issued["position"].as_u64().unwrap()
}

fn id(coupon: &str) -> &str {
    coupon.rsplit('/').next().unwrap()
}

#[test]
fn differences_are_named_in_both_directions_and_mended() {
    let Some(fleet) = Fleet::open() else { return };
    let (server, _worker) = (fleet.serve(&[]), fleet.work());
    let caller = admin(&server);
    let coupon = publish(&caller, 10, &json!({ "strategy": "redis-script" }));
    for n in 1..=6 {
        issue(&caller, &coupon, &format!("user-{n}"));
    }
    let before = fleet.await_stored(&coupon, 6);
    let (code, said) = verify(&fleet, &server, &[]);
    assert_eq!(code, Some(0), "{said}");
    let one = compared(&caller);
    assert_eq!(one["ledger"], one["store"], "{one}");
    assert_eq!(one["ledger"]["count"], 6);
    // The store forgets one, the ledger another.
    let sql = |text: &str| fleet.database.query(&text.replace("ID", id(&coupon))).unwrap();
    sql("DELETE FROM issued_coupons WHERE coupon_id = ID AND position = 3");
    sql("UPDATE coupons SET issued = issued - 1 WHERE id = ID");
    let users = format!("firstcome:{{{}}}:users", id(&coupon));
    fleet.redis.command(&["HDEL", &users, "user-5"]).unwrap();
    let one = compared(&caller);
    let named = |kind: &str, position: u32| {
        let differences = one["differences"].as_array().unwrap();
        differences.iter().any(|it| {
            it["kind"] == kind
                && it["id"] == format!("{}-{position}", id(&coupon))
                && it["userId"] == format!("user-{position}")
        })
    };
    assert!(named("not-in-store", 3) && named("not-in-ledger", 5), "{one}");
    let (code, said) = verify(&fleet, &server, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("user-3") && said.contains("user-5"), "{said}");
    let (code, said) = verify(&fleet, &server, &["--repair"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fleet.stored(&coupon), before);
    let again = wait_for(|| {
        let (status, answer) = caller.issue(&coupon, "user-5");
        (status != StatusCode::SERVICE_UNAVAILABLE).then_some((status, answer))
    });
    assert_eq!(again.0, StatusCode::CONFLICT, "{}", again.1);
    assert_eq!(again.1["issuedCoupon"]["position"], 5);
    assert_eq!(issue(&caller, &coupon, "user-7"), 7);
}

#[test]
fn what_a_lost_state_still_sends_goes_to_quarantine() {
    let Some(fleet) = Fleet::open() else { return };
    let server = fleet.serve(&[]);
    let caller = admin(&server);
    let coupon = publish(&caller, 20, &json!({ "strategy": "redis-script" }));
    for n in 1..=10 {
        issue(&caller, &coupon, &format!("user-{n}"));
    }
    let key = |what: &str| format!("firstcome:{{{}}}:{what}", id(&coupon));
    let redis = |words: &[&str]| fleet.redis.command(words).unwrap().text();
    redis(&["COPY", &key("stream"), &key("kept")]);
    redis(&["DEL", &key("state"), &key("users"), &key("stream")]);
    // One of those whose issue was lost asks again and is given another position, above all that were ever answered.
    let position = wait_for(|| {
        let (status, answer) = caller.issue(&coupon, "user-1");
        (status == StatusCode::CREATED).then(|| answer["position"].as_u64().unwrap())
    });
    assert_eq!(position, 11, "a lost position is never used again");
    let one = compared(&caller);
    assert_eq!(one["lost"], 10, "{one}");
    assert_eq!(one["lostPositions"], json!([{ "first": 1, "last": 10 }]), "{one}");
    for n in 11..=19 {
        issue(&caller, &coupon, &format!("user-{n}"));
    }
    let _worker = fleet.work();
    fleet.await_stored(&coupon, 10);
    // Now the lost state's entries come after all, as from a topic.
    let late = "for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do \
        redis.call('XADD', KEYS[2], '*', unpack(entry[2])) end return 'ok'";
    wait_for(|| (redis(&["XLEN", &key("stream")]) == "0").then_some(()));
    redis(&["EVAL", late, "2", &key("kept"), &key("stream")]);
    wait_for(|| (redis(&["XLEN", &key("stream")]) == "0").then_some(()));
    let stored = fleet.stored(&coupon);
    assert_eq!(stored.len(), 10, "not one too many: {stored:?}");
    assert!(stored.values().all(|position| *position > 10), "{stored:?}");
    let reasons = fleet
        .database
        .query("SELECT DISTINCT reason FROM quarantine")
        .unwrap();
    let reasons: Vec<String> = reasons.into_iter().map(|row| row[0].clone().unwrap()).collect();
    assert!(reasons.contains(&"other-epoch".to_owned()), "{reasons:?}");
    let (status, stats) = caller.ask(
        Method::GET,
        &format!("/v1/admin/coupons/{}/stats", id(&coupon)),
        None,
    );
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (&stats["issued"], &stats["remaining"]),
        (&json!(10), &json!(10)),
        "{stats}"
    );
    dead_letters_tell_of_quarantine(&fleet, &server, id(&coupon));
    assert_eq!(compared(&caller)["quarantined"], 10, "dismissed is not forgotten");
    assert_eq!(fleet.stored(&coupon), stored);
    let (code, said) = verify(&fleet, &server, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("10 positions were lost") && said.contains("1-10"),
        "{said}"
    );
}

/// Ten issues of a lost state are listed one by one, cannot be brought again, and are dismissed.
fn dead_letters_tell_of_quarantine(fleet: &Fleet, server: &Server, coupon: &str) {
    let caller = admin(server);
    let listed = || {
        let (status, letters) = caller.ask(Method::GET, "/v1/admin/dead-letters", None);
        assert_eq!(status, StatusCode::OK, "{letters}");
        letters["data"].as_array().unwrap().clone()
    };
    let letters = listed();
    assert_eq!(letters.len(), 10, "{letters:?}");
    for (letter, position) in letters.iter().zip(1..) {
        assert_eq!(
            (&letter["place"], &letter["replayable"], &letter["epoch"]),
            (&json!("quarantine"), &json!(false), &json!(1)),
            "{letter}"
        );
        assert_eq!(letter["couponId"].to_string(), coupon, "{letter}");
        assert_eq!(letter["firstPosition"], position, "{letter}");
        let reason = letter["reason"].as_str().unwrap();
        assert!(
            reason.starts_with("other-epoch") || reason.starts_with("already-held"),
            "{letter}"
        );
    }
    let run = |arguments: &[&str]| {
        let all = [&["dead-letters"], arguments, &["--server", &server.url]].concat();
        let output = fleet.command(&all).output().unwrap();
        (output.status.code(), told(&output))
    };
    let first = letters[0]["id"].as_str().unwrap();
    let (code, said) = run(&["list"]);
    assert!(code == Some(0) && said.contains(first), "{said}");
    let (code, said) = run(&["replay", "--all"]);
    assert!(code == Some(1) && said.contains(first), "{said}");
    assert_eq!(listed(), letters);
    let (code, said) = run(&["dismiss", "--all"]);
    assert!(code == Some(0) && said.contains("dismissed 10"), "{said}");
    assert_eq!(listed(), Vec::<Value>::new());
}

#[test]
fn terms_changed_after_a_loss_are_not_those_of_what_was_issued_before() {
    let Some(fleet) = Fleet::open() else { return };
    let (server, worker) = (fleet.serve(&[]), fleet.work());
    let caller = admin(&server);
    let terms = json!({ "strategy": "redis-script", "discount": { "type": "amount", "value": 1000 } });
    let coupon = publish(&caller, 100, &terms);
    for n in 1..=6 {
        issue(&caller, &coupon, &format!("user-{n}"));
    }
    fleet.await_stored(&coupon, 6);
    // Nobody brings the next ones to the store, and then their state is gone.
    assert!(worker.stop().0.success());
    for n in 7..=10 {
        issue(&caller, &coupon, &format!("user-{n}"));
    }
    for what in ["state", "users", "stream"] {
        let key = format!("firstcome:{{{}}}:{what}", id(&coupon));
        fleet.redis.command(&["DEL", &key]).unwrap();
    }
    let next = wait_for(|| {
        let (status, answer) = caller.issue(&coupon, "user-11");
        (status == StatusCode::CREATED).then(|| answer["position"].as_u64().unwrap())
    });
    assert_eq!((next, issue(&caller, &coupon, "user-12")), (11, 12));
    let path = format!("/v1/admin/coupons/{}", id(&coupon));
    let more = json!({ "discount": { "type": "amount", "value": 7000 } });
    let (status, changed) = caller.ask(Method::PATCH, &path, Some(more));
    assert_eq!(status, StatusCode::OK, "{changed}");
    assert_eq!(issue(&caller, &coupon, "user-13"), 13);
    let _worker = fleet.work();
    fleet.await_stored(&coupon, 9);
    for (position, discount) in [(6, 1000), (11, 1000), (12, 1000), (13, 7000)] {
        let path = format!("/v1/issued-coupons/{}-{position}/quote", id(&coupon));
        let (status, quote) = caller.ask(Method::POST, &path, Some(json!({ "orderAmount": 50_000 })));
        assert_eq!(
            (status, quote["discountAmount"].as_u64()),
            (StatusCode::OK, Some(discount)),
            "{position}: {quote}"
        );
    }
}

#[test]
fn a_coupon_waits_for_a_permission_to_do_without_what_was_lost_where_that_is_asked_for() {
    let Some(fleet) = Fleet::open() else { return };
    let server = fleet.serve(&["--set", "redis.reopen_despite_loss=false"]);
    let caller = admin(&server);
    let coupon = publish(&caller, 20, &json!({ "strategy": "redis-script" }));
    let stored = publish(
        &caller,
        20,
        &json!({ "strategy": "redis-script", "ack": "store" }),
    );
    for user in ["alice", "bob"] {
        issue(&caller, &coupon, user);
        issue(&caller, &stored, user);
    }
    fleet.redis.command(&["FLUSHALL"]).unwrap();
    // Nothing that was answered is lost of this one, so it opens by itself.
    wait_for(|| (caller.issue(&stored, "carol").0 == StatusCode::CREATED).then_some(()));
    server.logs("a coupon stays closed");
    let (status, refused) = caller.issue(&coupon, "carol");
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{refused}");
    let (code, said) = verify(&fleet, &server, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("its state is gone"), "{said}");
    let (code, said) = verify(&fleet, &server, &["--repair"]);
    assert_eq!(code, Some(0), "{said}");
    let position = wait_for(|| {
        let (status, answer) = caller.issue(&coupon, "carol");
        (status == StatusCode::CREATED).then(|| answer["position"].as_u64().unwrap())
    });
    assert_eq!(position, 3);
    let metrics = crate::harness::converse(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let asked = client.get(format!("{}/metrics", server.url)).send();
        asked.await.unwrap().text().await.unwrap()
    });
    for line in [
        "firstcome_ledger_lost_positions_total 2",
        "firstcome_ledger_reopened_coupons_total 2",
        "firstcome_reconciliation_differences 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
}

#[test]
fn ledgers_that_decide_in_the_store_are_compared_too() {
    let Some(fleet) = Fleet::open() else { return };
    let server = fleet.serve(&[]);
    let caller = admin(&server);
    let coupon = publish(&caller, 5, &json!({ "strategy": "database" }));
    issue(&caller, &coupon, "alice");
    let one = compared(&caller);
    assert_eq!(
        (&one["sound"], &one["store"]["count"]),
        (&json!(true), &json!(1)),
        "{one}"
    );
    let scratch = crate::harness::Scratch::new();
    let alone = scratch.serve();
    let caller = Caller::admin(&scratch, &alone);
    let coupon = caller.publish(5);
    issue(&caller, &coupon, "alice");
    let one = compared(&caller);
    assert_eq!(
        (&one["sound"], &one["ledger"]["count"]),
        (&json!(true), &json!(1)),
        "{one}"
    );
}
