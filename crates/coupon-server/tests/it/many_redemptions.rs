//! Redemption where several servers share a database: whichever of them is asked, there is one truth.

use crate::fleet::{Fleet, admin, publish, wait_for};
use crate::harness::{Caller, converse};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const STRATEGIES: [&str; 3] = ["redis-script", "database", "redis-lock"];

fn redemption(id: &str) -> String {
    format!("/v1/issued-coupons/{id}/redemption")
}

fn order(name: &str) -> Value {
    json!({ "orderId": name, "orderAmount": 50_000 })
}

fn redeem(caller: &Caller, id: &str, name: &str) -> (StatusCode, Value) {
    caller.ask(Method::POST, &redemption(id), Some(order(name)))
}

fn cancel(caller: &Caller, id: &str, name: &str) -> (StatusCode, Value) {
    let path = format!("{}/cancel", redemption(id));
    caller.ask(Method::POST, &path, Some(json!({ "orderId": name })))
}

fn revoke(caller: &Caller, id: &str) -> StatusCode {
    let path = format!("/v1/admin/issued-coupons/{id}/revoke");
    caller.ask(Method::POST, &path, None).0
}

/// Issues to a user; the id of what they got.
fn issue(caller: &Caller, coupon: &str, user: &str) -> String {
    let (status, issued) = caller.issue(coupon, user);
    assert_eq!(status, StatusCode::CREATED, "{issued}");
    issued["id"].as_str().unwrap().to_owned()
}

/// Status, and why not. The `code` of a success is the issued coupon's.
fn code(answer: &(StatusCode, Value)) -> (u16, &str) {
    let refused = !answer.0.is_success();
    let why = answer.1["code"].as_str().filter(|_| refused);
    (answer.0.as_u16(), why.unwrap_or_default())
}

fn ok(path: &str, answer: (StatusCode, Value)) -> Value {
    assert_eq!(answer.0, StatusCode::OK, "{path}: {}", answer.1);
    answer.1
}

fn read(caller: &Caller, path: &str) -> Value {
    ok(path, caller.ask(Method::GET, path, None))
}

/// The same answer from both servers.
fn agreed(servers: &[Caller; 2], path: &str) -> Value {
    let [here, there] = servers.each_ref().map(|caller| read(caller, path));
    assert_eq!(here, there, "{path}");
    here
}

/// What both servers count of a coupon: issued, redeemed, cancelled, revoked, expired.
fn counted(servers: &[Caller; 2], coupon: &str) -> [u64; 5] {
    let path = format!("{}/stats", coupon.replace("/v1/", "/v1/admin/"));
    let [here, there] = servers.each_ref().map(|caller| {
        let stats = read(caller, &path);
        ["issued", "redeemed", "cancelled", "revoked", "expired"].map(|name| stats[name].as_u64().unwrap())
    });
    assert_eq!(here, there);
    here
}

#[test]
fn what_one_server_has_issued_is_redeemed_at_the_other_at_once() {
    // No worker runs: nothing is in the database but what the servers bring there.
    let Some(fleet) = Fleet::open() else { return };
    let running = [fleet.serve(&[]), fleet.serve(&[])];
    let servers = running.each_ref().map(admin);
    let [here, there] = &servers;
    for strategy in STRATEGIES {
        let offer = json!({ "strategy": strategy, "discount": { "type": "percent", "value": 10 } });
        let coupon = publish(here, 100, &offer);
        let ids: Vec<String> = (1..=5)
            .map(|n| issue(here, &coupon, &format!("{strategy}-{n}")))
            .collect();
        let quote = format!("/v1/issued-coupons/{}/quote", ids[0]);
        let asked = there.ask(Method::POST, &quote, Some(json!({ "orderAmount": 50_000 })));
        assert_eq!(ok(&quote, asked)["discountAmount"], 5_000, "{strategy}");

        let redeemed = ok(strategy, redeem(there, &ids[0], "a"));
        assert_eq!(
            (&redeemed["state"], &redeemed["discountAmount"]),
            (&json!("redeemed"), &json!(5_000))
        );
        assert_eq!(
            ok(strategy, redeem(here, &ids[0], "a")),
            redeemed,
            "a replay, anywhere"
        );
        assert_eq!(code(&redeem(here, &ids[0], "b")), (409, "already-redeemed"));
        assert_eq!(code(&cancel(here, &ids[0], "b")), (409, "order-mismatch"));

        ok(strategy, redeem(there, &ids[1], "c"));
        ok(strategy, cancel(here, &ids[1], "c"));
        ok(strategy, cancel(there, &ids[1], "c"));
        assert_eq!(revoke(there, &ids[2]), StatusCode::OK);
        assert_eq!(code(&redeem(here, &ids[2], "d")), (410, "revoked"));

        for (id, steps) in ids.iter().zip([2, 3, 2, 1, 1]) {
            let history = agreed(&servers, &format!("/v1/issued-coupons/{id}/history"));
            assert_eq!(history["data"].as_array().unwrap().len(), steps, "{history}");
        }
        for (n, state) in (1..).zip(["redeemed", "issued", "revoked", "issued", "issued"]) {
            let wallet = agreed(&servers, &format!("/v1/users/{strategy}-{n}/coupons"));
            assert_eq!(wallet["data"][0]["state"], state, "{wallet}");
            let one = agreed(&servers, &format!("/v1/issued-coupons/{}", ids[n - 1]));
            assert_eq!(one["state"], state);
        }
        assert_eq!(counted(&servers, &coupon), [5, 1, 1, 1, 0], "{strategy}");
        // What was never issued is not there, and another's is as little.
        let id = coupon.rsplit('/').next().unwrap();
        for made_up in [format!("{id}-6"), format!("{id}-4000000000"), "99-1".to_owned()] {
            assert_eq!(
                code(&redeem(there, &made_up, "a")),
                (404, "unknown-issued-coupon")
            );
        }
        let as_another = json!({ "orderId": "e", "orderAmount": 50_000, "userId": "somebody else" });
        let refused = there.ask(Method::POST, &redemption(&ids[4]), Some(as_another));
        assert_eq!(code(&refused), (404, "unknown-issued-coupon"));
        // A server that tries again for the user learns of the use within a moment.
        wait_for(|| {
            let (_, refused) = here.issue(&coupon, &format!("{strategy}-1"));
            (refused["issuedCoupon"]["state"] == "redeemed").then_some(())
        });
    }
    for server in running {
        let (status, log) = server.stop();
        assert!(status.success(), "{log}");
    }
}

#[test]
fn what_was_brought_by_a_redemption_is_a_redelivery_when_a_worker_brings_it() {
    let Some(fleet) = Fleet::open() else { return };
    let running = [fleet.serve(&[]), fleet.serve(&[])];
    let servers = running.each_ref().map(admin);
    let coupon = publish(&servers[0], 100, &json!({ "strategy": "redis-script" }));
    let ids: Vec<String> = (0..20)
        .map(|n| issue(&servers[n % 2], &coupon, &format!("user-{n}")))
        .collect();
    for (n, id) in ids.iter().enumerate().skip(5).step_by(2) {
        ok(id, redeem(&servers[(n + 1) % 2], id, "a"));
    }
    let before = fleet.stored(&coupon).len();
    assert!(
        (8..20).contains(&before),
        "{before} were brought, and not all of them"
    );
    let worker = fleet.work();
    let stored = fleet.await_stored(&coupon, 20);
    crate::fleet::assert_exact(&stored, 20);
    assert_eq!(counted(&servers, &coupon), [20, 8, 0, 0, 0]);
    let quarantined = fleet.database.query("SELECT COUNT(*) FROM quarantine").unwrap();
    assert_eq!(quarantined[0][0].as_deref(), Some("0"));
    assert!(worker.stop().0.success());
}

#[test]
fn of_a_thousand_redeems_at_two_servers_exactly_one_succeeds() {
    let Some(fleet) = Fleet::open() else { return };
    let running = [fleet.serve(&[]), fleet.serve(&[])];
    let servers = running.each_ref().map(admin);
    for strategy in ["database", "redis-script"] {
        let coupon = publish(&servers[0], 10, &json!({ "strategy": strategy }));
        let id = issue(&servers[0], &coupon, "alice");
        let answers = converse(async {
            let mut asking = tokio::task::JoinSet::new();
            for n in 0..1_000 {
                let (caller, path) = (servers[n % 2].clone(), redemption(&id));
                asking.spawn(async move {
                    let body = Some(order(&format!("order-{n}")));
                    (n, caller.try_ask(Method::POST, &path, body).await.unwrap())
                });
            }
            asking.join_all().await
        });
        let mut told: BTreeMap<(u16, String), Vec<usize>> = BTreeMap::new();
        for (n, answer) in &answers {
            let (status, code) = code(answer);
            told.entry((status, code.to_owned())).or_default().push(*n);
        }
        let counts: Vec<(u16, &str, usize)> = told
            .iter()
            .map(|((status, code), who)| (*status, code.as_str(), who.len()))
            .collect();
        assert_eq!(
            counts,
            [(200, "", 1), (409, "already-redeemed", 999)],
            "{strategy}"
        );
        let winner = format!("order-{}", told[&(200, String::new())][0]);
        let shown = agreed(&servers, &format!("/v1/issued-coupons/{id}"));
        assert_eq!(shown["orderId"], json!(winner));
        let history = agreed(&servers, &format!("/v1/issued-coupons/{id}/history"));
        assert_eq!(history["data"].as_array().unwrap().len(), 2, "{history}");
        assert_eq!(counted(&servers, &coupon), [1, 1, 0, 0, 0]);
        // The use is given back once, to its order, by whichever server.
        assert_eq!(
            code(&cancel(&servers[0], &id, "order-x")),
            (409, "order-mismatch")
        );
        ok(&winner, cancel(&servers[1], &id, &winner));
        ok(&winner, cancel(&servers[0], &id, &winner));
        ok(&winner, redeem(&servers[0], &id, "order-x"));
        assert_eq!(counted(&servers, &coupon), [1, 1, 1, 0, 0]);
    }
}

#[test]
fn both_servers_see_the_end_of_a_validity() {
    let Some(fleet) = Fleet::open() else { return };
    let running = [fleet.serve(&[]), fleet.serve(&[])];
    let servers = running.each_ref().map(admin);
    for strategy in STRATEGIES {
        let coupon = publish(
            &servers[0],
            10,
            &json!({ "strategy": strategy, "validFor": "PT1S" }),
        );
        let ids = ["kim", "lee"].map(|user| issue(&servers[0], &coupon, user));
        for id in &ids {
            // Brings what is not in the store, where it is counted; in time or not.
            let quote = format!("/v1/issued-coupons/{id}/quote");
            servers[1].ask(Method::POST, &quote, Some(json!({ "orderAmount": 1 })));
        }
        for caller in &servers {
            for id in &ids {
                let path = format!("/v1/issued-coupons/{id}");
                wait_for(|| (read(caller, &path)["state"] == "expired").then_some(()));
                assert_eq!(code(&redeem(caller, id, "too late")), (410, "expired"));
            }
        }
        assert_eq!(counted(&servers, &coupon), [2, 0, 0, 0, 2], "{strategy}");
    }
}

#[test]
fn redemptions_that_were_answered_survive_the_kill_of_their_server() {
    let Some(fleet) = Fleet::open() else { return };
    let [doomed, other] = [fleet.serve(&[]), fleet.serve(&[])];
    let survivor = admin(&other);
    let coupon = publish(&survivor, 1_000, &json!({ "strategy": "redis-script" }));
    let ids: Vec<String> = (0..400)
        .map(|n| issue(&survivor, &coupon, &format!("user-{n}")))
        .collect();
    let (killed, asked) = (admin(&doomed), ids.clone());
    let asking = std::thread::spawn(move || {
        let mut told = Vec::new();
        for id in asked {
            let body = Some(order("before"));
            match converse(killed.try_ask(Method::POST, &redemption(&id), body)) {
                Ok((StatusCode::OK, _)) => told.push(id),
                // The server is gone.
                Ok(_) | Err(_) => break,
            }
        }
        told
    });
    let redeemed = || {
        let sql = "SELECT COUNT(*) FROM redemption_history";
        fleet.database.query(sql).unwrap()[0][0]
            .as_deref()
            .unwrap()
            .parse::<usize>()
            .unwrap()
    };
    wait_for(|| (redeemed() > 20).then_some(()));
    doomed.kill();
    let told = asking.join().unwrap();
    assert!((20..400).contains(&told.len()), "it was killed in the middle");
    let mut stand = 0;
    for (n, id) in ids.iter().enumerate() {
        let (status, answer) = redeem(&survivor, id, "after");
        match status {
            StatusCode::OK => assert!(!told.contains(id), "{id} was answered before"),
            _ => {
                assert_eq!(answer["code"], "already-redeemed", "{answer}");
                assert_eq!(ok(id, redeem(&survivor, id, "before"))["orderId"], "before");
                stand += 1;
            }
        }
        if n > told.len() + 5 {
            break;
        }
    }
    // At most the one that was under way.
    assert!(
        stand == told.len() || stand == told.len() + 1,
        "{stand} of {}",
        told.len()
    );
}
