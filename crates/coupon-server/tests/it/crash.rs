//! SIGKILL in the middle: every issue that was answered is there afterwards. (What the kernel has cached survives a
//! kill, so this proves nothing about syncs; the ledger's own tests do.)

use crate::harness::{Caller, Scratch, Server, converse};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

const CALLERS: usize = 16;
const ANSWERS_BEFORE_THE_KILL: usize = 200;

/// Issues from many callers at once until the server is killed in their midst; returns who was told which position.
fn issue_until_killed(admin: &Caller, coupon: &str, server: Server, round: usize) -> BTreeMap<String, u64> {
    let answered = Arc::new(Mutex::new(BTreeMap::new()));
    converse(async {
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..CALLERS {
            let (admin, answered) = (admin.clone(), Arc::clone(&answered));
            let path = format!("{coupon}/issues");
            callers.spawn(async move {
                for ask in 0.. {
                    let user = format!("user-{round}-{caller}-{ask}");
                    let body = json!({ "userId": user });
                    match admin.try_ask(Method::POST, &path, Some(body)).await {
                        Ok((StatusCode::CREATED, issued)) => {
                            answered
                                .lock()
                                .unwrap()
                                .insert(user, issued["position"].as_u64().unwrap());
                        }
                        Ok((status, body)) => panic!("{status}: {body}"),
                        Err(_killed) => return,
                    }
                    tokio::task::yield_now().await;
                }
            });
        }
        while answered.lock().unwrap().len() < ANSWERS_BEFORE_THE_KILL {
            tokio::task::yield_now().await;
        }
        server.kill();
        while let Some(caller) = callers.join_next().await {
            caller.unwrap();
        }
    });
    Arc::into_inner(answered).unwrap().into_inner().unwrap()
}

/// Everybody who holds one, by the administrator's list.
fn holders(admin: &Caller, coupon: &str) -> BTreeMap<String, u64> {
    let path = coupon.replace("/v1/", "/v1/admin/");
    let mut holders = BTreeMap::new();
    let mut query = format!("{path}/issued-coupons?limit=1000");
    loop {
        let (status, page) = admin.ask(Method::GET, &query, None);
        assert_eq!(status, StatusCode::OK, "{page}");
        for one in page["data"].as_array().unwrap() {
            let before = holders.insert(
                one["userId"].as_str().unwrap().to_owned(),
                one["position"].as_u64().unwrap(),
            );
            assert_eq!(before, None, "one per user");
        }
        let Value::String(cursor) = &page["nextCursor"] else {
            return holders;
        };
        query = format!("{path}/issued-coupons?limit=1000&cursor={cursor}");
    }
}

#[test]
fn every_issue_that_was_answered_survives_a_kill_with_its_position() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    let coupon = Caller::admin(&scratch, &server).publish(1_000_000);
    let admin = Caller::admin(&scratch, &server);
    let mut answered = issue_until_killed(&admin, &coupon, server, 1);
    // Twice, so that the second life begins with a store and a journal's tail.
    let server = scratch.serve();
    let admin = Caller::admin(&scratch, &server);
    answered.extend(issue_until_killed(&admin, &coupon, server, 2));

    let server = scratch.serve();
    let admin = Caller::admin(&scratch, &server);
    let held = holders(&admin, &coupon);
    for (user, position) in &answered {
        assert_eq!(held.get(user), Some(position), "{user}");
    }
    let positions: BTreeSet<u64> = held.values().copied().collect();
    let issued = u64::try_from(held.len()).unwrap();
    assert!(
        positions.iter().copied().eq(1..=issued),
        "positions are 1..{issued}"
    );
    let user = answered.keys().next().unwrap();
    let (status, refused) = admin.issue(&coupon, user);
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(
        refused["issuedCoupon"]["position"].as_u64(),
        answered.get(user).copied()
    );
    let (status, next) = admin.issue(&coupon, "somebody new");
    assert_eq!(
        (status, next["position"].as_u64()),
        (StatusCode::CREATED, Some(issued + 1))
    );
}
