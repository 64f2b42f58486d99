//! `/v1/admin/audit-log`: what administrators did, and nothing else.

use crate::house::{House, coupon};
use serde_json::{Value, json};

/// What the log says, each as action, subject and request.
fn told(house: &House, query: &str) -> Vec<(String, Value, Value)> {
    let answer = house.get(&format!("/v1/admin/audit-log?{query}"), &house.admin);
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    let told = |entry: &Value| {
        let on = [&entry["issuedCouponId"], &entry["couponId"], &entry["keyId"]];
        let on = on.into_iter().find(|id| !id.is_null()).unwrap().clone();
        (
            entry["action"].as_str().unwrap().to_owned(),
            on,
            entry["requestId"].clone(),
        )
    };
    answer.json()["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(told)
        .collect()
}

fn entry(action: &str, on: Value, request: &str) -> (String, Value, Value) {
    (action.to_owned(), on, json!(request))
}

#[test]
fn every_action_on_a_coupon_is_logged_once_with_who_when_before_and_after() {
    let house = House::open();
    let ask = |request: &str, method: &str, path: &str, body: Value| {
        house.clock.shift(1_000);
        let id = [("x-request-id", request)];
        house.ask_with(
            method,
            &format!("/v1/admin/coupons{path}"),
            &house.admin,
            &id,
            body,
        )
    };
    for (request, method, path, body, status) in [
        ("r-1", "POST", "", coupon(json!(9)), 201),
        ("r-2", "POST", "", json!({ "name": "" }), 400),
        ("r-3", "PATCH", "/1", json!({ "quantity": 12 }), 200),
        ("r-4", "PATCH", "/1", json!({ "quantity": 12 }), 200),
        ("r-5", "POST", "/1/pause", Value::Null, 200),
        ("r-6", "POST", "/1/pause", Value::Null, 200),
        ("r-7", "POST", "/1/resume", Value::Null, 200),
        ("r-8", "POST", "/1/clone", json!({ "name": "again" }), 201),
        ("r-9", "POST", "/7/clone", json!({}), 404),
        ("r-10", "DELETE", "/2", Value::Null, 204),
        ("r-11", "POST", "/1/close", Value::Null, 200),
        ("r-12", "POST", "/1/resume", Value::Null, 409),
    ] {
        let answer = ask(request, method, path, body);
        assert_eq!(answer.status, status, "{request}: {answer:?}");
    }
    house.catch_up();
    let expected = [
        entry("coupon.closed", json!(1), "r-11"),
        entry("coupon.deleted", json!(2), "r-10"),
        entry("coupon.cloned", json!(2), "r-8"),
        entry("coupon.resumed", json!(1), "r-7"),
        entry("coupon.paused", json!(1), "r-5"),
        entry("coupon.changed", json!(1), "r-3"),
        entry("coupon.created", json!(1), "r-1"),
    ];
    assert_eq!(told(&house, "limit=7"), expected);
    let log = house.get("/v1/admin/audit-log?action=coupon.changed", &house.admin);
    let log = log.json();
    let changed = &log["data"][0];
    assert_eq!(changed["at"], "2026-06-01T00:00:00.003000Z");
    assert_eq!(changed["before"]["quantity"], 9);
    assert_eq!(
        (&changed["after"]["quantity"], &changed["after"]["revision"]),
        (&json!(12), &json!(2))
    );
    let shown = house.get("/v1/admin/coupons/1", &house.admin).json();
    assert_eq!(
        changed["after"].as_object().unwrap().len(),
        shown.as_object().unwrap().len()
    );
    let cloned = house.get("/v1/admin/audit-log?couponId=2", &house.admin).json();
    let [deleted, cloned] = [&cloned["data"][0], &cloned["data"][1]];
    assert_eq!(
        (&cloned["clonedFrom"], &cloned["before"]),
        (&json!(1), &Value::Null)
    );
    assert_eq!(
        (&deleted["before"]["name"], &deleted["after"]),
        (&json!("again"), &Value::Null)
    );
    // Who: the id of the key, and nothing of its secret.
    let id = house.admin.split('_').nth(1).unwrap();
    assert_eq!(cloned["actor"], id);
    assert_eq!(told(&house, &format!("actor={id}")).len(), 7);
    assert!(!log.to_string().contains(house.admin.rsplit('_').next().unwrap()));
}

#[test]
fn a_request_without_an_id_is_logged_under_the_one_it_was_told() {
    let house = House::open();
    let answer = house.ask("POST", "/v1/admin/coupons", &house.admin, coupon(json!(1)));
    house.catch_up();
    let id = answer.header("x-request-id").unwrap();
    assert_eq!(
        told(&house, "couponId=1"),
        [entry("coupon.created", json!(1), id)]
    );
}

#[test]
fn a_repeated_command_is_logged_once() {
    let house = House::open();
    for request in ["r-1", "r-2"] {
        let headers = [("x-request-id", request), ("idempotency-key", "k")];
        let answer = house.ask_with(
            "POST",
            "/v1/admin/coupons",
            &house.admin,
            &headers,
            coupon(json!(1)),
        );
        assert_eq!(answer.status, 201);
    }
    house.catch_up();
    assert_eq!(
        told(&house, "couponId=1"),
        [entry("coupon.created", json!(1), "r-1")]
    );
}

#[test]
fn keys_and_what_administrators_do_to_issued_coupons_are_logged() {
    let house = House::open();
    let coupon = house.publish(json!(9));
    for user in ["a", "b"] {
        assert_eq!(house.issue(coupon, user).status, 201);
    }
    house.catch_up();
    let order = json!({ "orderId": "o-1", "orderAmount": 1 });
    let cancel = json!({ "orderId": "o-1" });
    for (request, key, path, body, status) in [
        (
            "r-1",
            &house.redeemer,
            "/v1/issued-coupons/1-1/redemption",
            order,
            200,
        ),
        (
            "r-2",
            &house.admin,
            "/v1/issued-coupons/1-1/redemption/cancel",
            cancel.clone(),
            200,
        ),
        (
            "r-3",
            &house.admin,
            "/v1/issued-coupons/1-1/redemption/cancel",
            cancel,
            200,
        ),
        (
            "r-4",
            &house.admin,
            "/v1/admin/issued-coupons/1-2/revoke",
            Value::Null,
            200,
        ),
        (
            "r-5",
            &house.admin,
            "/v1/admin/issued-coupons/1-9/revoke",
            Value::Null,
            404,
        ),
        (
            "r-6",
            &house.service,
            "/v1/admin/issued-coupons/1-1/revoke",
            Value::Null,
            403,
        ),
    ] {
        let id = [("x-request-id", request)];
        let answer = house.ask_with("POST", path, key, &id, body);
        assert_eq!(answer.status, status, "{request}: {answer:?}");
    }
    house.clock.shift(1);
    let made = json!({ "name": "n", "scopes": ["issue"], "expiresAt": "2026-07-01T00:00:00Z" });
    let id = [("x-request-id", "r-7")];
    let made = house
        .ask_with("POST", "/v1/admin/keys", &house.admin, &id, made)
        .json();
    let key = made["id"].as_str().unwrap();
    house.clock.shift(1);
    for request in ["r-8", "r-9"] {
        let id = [("x-request-id", request)];
        let path = format!("/v1/admin/keys/{key}/revoke");
        assert_eq!(
            house
                .ask_with("POST", &path, &house.admin, &id, Value::Null)
                .status,
            200
        );
    }
    let expected = [
        entry("key.revoked", json!(key), "r-8"),
        entry("key.created", json!(key), "r-7"),
        entry("issued_coupon.revoked", json!("1-2"), "r-4"),
        entry("issued_coupon.redemption_cancelled", json!("1-1"), "r-2"),
    ];
    assert_eq!(told(&house, "limit=4"), expected);
    let log = house.get("/v1/admin/audit-log?limit=4", &house.admin);
    assert!(
        !log.text()
            .contains(made["key"].as_str().unwrap().rsplit('_').next().unwrap())
    );
    let log = log.json();
    let state = |n: usize| (log["data"][n]["before"].clone(), log["data"][n]["after"].clone());
    let key = |revoked: Value| json!({ "name": "n", "scopes": ["issue"], "expiresAt": "2026-07-01T00:00:00.000000Z", "revokedAt": revoked });
    let (before, after) = state(0);
    assert_eq!(before, key(Value::Null));
    assert_eq!(after, key(json!("2026-06-01T00:00:00.000002Z")));
    assert_eq!(state(1), (Value::Null, key(Value::Null)));
    let used = |order: Value, redeemed: Value, revoked: Value| json!({ "redeemedAt": redeemed, "orderId": order, "revokedAt": revoked });
    let now = json!("2026-06-01T00:00:00.000000Z");
    let unused = used(Value::Null, Value::Null, Value::Null);
    assert_eq!(
        state(2),
        (unused.clone(), used(Value::Null, Value::Null, now.clone()))
    );
    assert_eq!(state(3), (used(json!("o-1"), now, Value::Null), unused));
}

#[test]
fn the_log_is_paged_and_filtered_and_refuses_what_it_does_not_know() {
    let house = House::open();
    for _ in 0..5 {
        house.publish(json!(1));
        house.clock.shift(60_000_000);
    }
    house.catch_up();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/admin/audit-log?action=coupon.created&limit=2{cursor}");
        let page = house.get(&path, &house.admin).json();
        for entry in page["data"].as_array().unwrap() {
            seen.push(entry["couponId"].as_u64().unwrap());
        }
        let Some(next) = page["nextCursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
    let between = "from=2026-06-01T00:01:00Z&until=2026-06-01T09:03:00%2B09:00";
    let between: Vec<Value> = told(&house, between).into_iter().map(|(_, on, _)| on).collect();
    assert_eq!(between, [3, 2].map(|id| json!(id)));
    for (query, parameter) in [
        ("couponId=0", "couponId"),
        ("couponId=x", "couponId"),
        ("action=coupon.eaten", "action"),
        ("from=yesterday", "from"),
        ("until=2026-06-01", "until"),
        ("actor=a&actor=b", "actor"),
        ("who=a", "who"),
        ("limit=0", "limit"),
    ] {
        let answer = house.get(&format!("/v1/admin/audit-log?{query}"), &house.admin);
        assert_eq!(answer.refusal(), (400, "invalid-parameter".to_owned()), "{query}");
        assert_eq!(answer.json()["parameter"], parameter, "{query}");
    }
    let answer = house.get("/v1/admin/audit-log?cursor=00", &house.admin);
    assert_eq!(answer.refusal(), (400, "invalid-cursor".to_owned()));
    for key in [&house.service, &house.redeemer] {
        let answer = house.get("/v1/admin/audit-log", key);
        assert_eq!(answer.refusal(), (403, "wrong-scope".to_owned()));
    }
    let answer = house.get("/v1/admin/audit-log", "");
    assert_eq!(answer.refusal(), (401, "authentication-required".to_owned()));
}
