//! Redemption on the real binary: right after the issue, through kills, stops, backups and audits.

use crate::harness::{Caller, Scratch, Server, converse};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const CALLERS: usize = 8;
const ANSWERS_BEFORE_THE_KILL: usize = 60;

fn redeem(admin: &Caller, id: &str, order: &str) -> (StatusCode, Value) {
    let body = json!({ "orderId": order, "orderAmount": 50_000 });
    admin.ask(
        Method::POST,
        &format!("/v1/issued-coupons/{id}/redemption"),
        Some(body),
    )
}

fn cancel(admin: &Caller, id: &str, order: &str) -> (StatusCode, Value) {
    let path = format!("/v1/issued-coupons/{id}/redemption/cancel");
    admin.ask(Method::POST, &path, Some(json!({ "orderId": order })))
}

fn shown(admin: &Caller, id: &str) -> Value {
    let (status, shown) = admin.ask(Method::GET, &format!("/v1/issued-coupons/{id}"), None);
    assert_eq!(status, StatusCode::OK, "{shown}");
    shown
}

fn sound(scratch: &Scratch) {
    scratch.must(&["verify", "--data-dir", "data"]);
}

#[test]
fn what_was_just_issued_can_be_redeemed_at_once() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    let admin = Caller::admin(&scratch, &server);
    let coupon = admin.publish(100);
    for number in 1..=30 {
        let (status, issued) = admin.issue(&coupon, &format!("user-{number}"));
        assert_eq!(status, StatusCode::CREATED);
        let (status, redeemed) = redeem(&admin, issued["id"].as_str().unwrap(), "order");
        assert_eq!(
            (status, &redeemed["state"]),
            (StatusCode::OK, &json!("redeemed")),
            "{redeemed}"
        );
    }
    let (_, stats) = admin.ask(Method::GET, "/v1/admin/coupons/1/stats", None);
    assert_eq!((&stats["issued"], &stats["redeemed"]), (&json!(30), &json!(30)));
    assert!(server.stop().0.success());
    sound(&scratch);
}

/// Every caller redeems and gives back all of the issued coupons, each on orders of its own, until the server is killed
/// in their midst. Returns how the last answers left each issued coupon, as far as one caller alone can know.
fn use_until_killed(admin: &Caller, ids: &[String], server: Server, round: usize) -> BTreeMap<String, Value> {
    let answered = Arc::new(Mutex::new((0, BTreeMap::new())));
    converse(async {
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..CALLERS {
            let (admin, answered, ids) = (admin.clone(), Arc::clone(&answered), ids.to_vec());
            callers.spawn(async move {
                for ask in 0.. {
                    // One issued coupon that is this caller's alone, and one that all fight for.
                    for id in [&ids[caller + 1], &ids[0]] {
                        let order = format!("order-{round}-{caller}-{ask}");
                        let redemption = format!("/v1/issued-coupons/{id}/redemption");
                        let body = json!({ "orderId": order, "orderAmount": 50_000 });
                        let Ok((status, told)) = admin.try_ask(Method::POST, &redemption, Some(body)).await
                        else {
                            answered.lock().unwrap().1.remove(id);
                            return;
                        };
                        assert!(
                            status == StatusCode::OK || status == StatusCode::CONFLICT,
                            "{status}: {told}"
                        );
                        {
                            let mut answered = answered.lock().unwrap();
                            answered.0 += 1;
                            answered.1.insert(id.clone(), told["orderId"].clone());
                        }
                        let body = json!({ "orderId": order });
                        let back = format!("{redemption}/cancel");
                        let Ok((status, told)) = admin.try_ask(Method::POST, &back, Some(body)).await else {
                            answered.lock().unwrap().1.remove(id);
                            return;
                        };
                        assert!(
                            status == StatusCode::OK || status == StatusCode::CONFLICT,
                            "{status}: {told}"
                        );
                        answered
                            .lock()
                            .unwrap()
                            .1
                            .insert(id.clone(), told["orderId"].clone());
                    }
                }
            });
        }
        while answered.lock().unwrap().0 < ANSWERS_BEFORE_THE_KILL {
            tokio::task::yield_now().await;
        }
        server.kill();
        while let Some(caller) = callers.join_next().await {
            caller.unwrap();
        }
    });
    let (_, mut last) = Arc::into_inner(answered).unwrap().into_inner().unwrap();
    last.remove(&ids[0]);
    last
}

#[test]
fn every_redemption_that_was_answered_survives_a_kill_and_none_happens_twice() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    let admin = Caller::admin(&scratch, &server);
    let coupon = admin.publish(100);
    let issue = |number: usize| {
        let (status, issued) = admin.issue(&coupon, &format!("user-{number}"));
        assert_eq!(status, StatusCode::CREATED);
        issued["id"].as_str().unwrap().to_owned()
    };
    let ids: Vec<String> = (0..=CALLERS).map(issue).collect();
    let mut last = use_until_killed(&admin, &ids, server, 1);
    sound(&scratch);
    for round in 2..=3 {
        let server = scratch.serve();
        let admin = Caller::admin(&scratch, &server);
        for (id, order) in &last {
            assert_eq!(shown(&admin, id)["orderId"], *order, "{id}");
        }
        // Whatever stands is given back, so that the next round can begin.
        for id in &ids {
            if let Some(order) = shown(&admin, id)["orderId"].as_str() {
                assert_eq!(cancel(&admin, id, order).0, StatusCode::OK);
            }
        }
        last = use_until_killed(&admin, &ids, server, round);
        // Verifying goes through every history: used once at a time, given back once.
        sound(&scratch);
    }
}

#[test]
fn redemptions_come_back_with_a_backup_and_last_through_a_stop() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    let admin = Caller::admin(&scratch, &server);
    let coupon = admin.publish(100);
    for number in 1..=4 {
        admin.issue(&coupon, &format!("user-{number}"));
    }
    redeem(&admin, "1-1", "a");
    redeem(&admin, "1-2", "a");
    cancel(&admin, "1-2", "a");
    let (status, _) = admin.ask(Method::POST, "/v1/admin/issued-coupons/1-3/revoke", None);
    assert_eq!(status, StatusCode::OK);
    let history =
        |admin: &Caller, id: &str| admin.ask(Method::GET, &format!("/v1/issued-coupons/{id}/history"), None);
    let before: Vec<_> = ["1-1", "1-2", "1-3", "1-4"]
        .map(|id| (shown(&admin, id), history(&admin, id)))
        .into();
    scratch.must(&["backup", "--to", "backup.sqlite3"]);
    assert_eq!(redeem(&admin, "1-4", "later").0, StatusCode::OK);
    assert!(server.stop().0.success());

    let server = scratch.serve();
    let admin = Caller::admin(&scratch, &server);
    assert_eq!(shown(&admin, "1-4")["orderId"], "later");
    let (_, refused) = admin.issue(&coupon, "user-4");
    assert_eq!(
        refused["issuedCoupon"]["state"], "redeemed",
        "known after a restart too"
    );
    let (_, refused) = admin.issue(&coupon, "user-3");
    assert_eq!(refused["issuedCoupon"]["state"], "revoked");
    assert!(server.stop().0.success());

    scratch.must(&["restore", "--from", "backup.sqlite3", "--data-dir", "restored"]);
    let server = scratch.serve_with(&["--data-dir", "restored"]);
    let key = std::fs::read_to_string(scratch.path().join("restored/admin-key")).unwrap();
    let admin = Caller::new(&server, &key);
    let after: Vec<_> = ["1-1", "1-2", "1-3", "1-4"]
        .map(|id| (shown(&admin, id), history(&admin, id)))
        .into();
    assert_eq!(after, before);
    assert_eq!(redeem(&admin, "1-1", "b").0, StatusCode::CONFLICT);
    assert!(server.stop().0.success());
    scratch.must(&["verify", "--data-dir", "restored"]);
}
