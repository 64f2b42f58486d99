//! `Idempotency-Key`: the same request again gives the same answer and changes nothing.

use crate::client::Answer;
use crate::house::{House, coupon, token};
use serde_json::{Value, json};

fn with_key(house: &House, method: &str, path: &str, credential: &str, key: &str, body: Value) -> Answer {
    house.ask_with(method, path, credential, &[("idempotency-key", key)], body)
}

fn replayed(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

#[test]
fn an_issue_with_the_same_key_is_the_same_201_for_ever() {
    let house = House::open();
    let id = house.publish(json!(2));
    let path = format!("/v1/coupons/{id}/issues");
    let user = token("a");
    let first = with_key(&house, "POST", &path, &user, "k-1", json!({}));
    assert_eq!((first.status, replayed(&first)), (201, false));
    for key in ["k-1", "\"k-1\""] {
        let again = with_key(&house, "POST", &path, &user, key, json!({}));
        assert_eq!(
            (again.status, replayed(&again), again.json()),
            (201, true, first.json())
        );
    }
    // Another key, or none, is another request.
    for other in [
        with_key(&house, "POST", &path, &user, "k-2", json!({})),
        house.ask("POST", &path, &user, json!({})),
    ] {
        assert_eq!(other.refusal(), (409, "already-issued".to_owned()));
        assert_eq!(other.json()["issuedCoupon"], first.json());
    }
    // The key belongs to coupon and user: another user's is their own.
    let second = with_key(&house, "POST", &path, &token("b"), "k-1", json!({}));
    assert_eq!(
        (second.status, replayed(&second), &second.json()["position"]),
        (201, false, &json!(2))
    );
    house.clock.shift(100 * 86_400_000_000);
    let late = with_key(&house, "POST", &path, &token_at(&house, "a"), "k-1", json!({}));
    assert_eq!(
        (late.status, replayed(&late), late.json()),
        (201, true, first.json()),
        "even after the end"
    );
}

fn token_at(house: &House, user: &str) -> String {
    use coupon_app::Clock;
    let now = house.clock.now().as_micros() / 1_000_000;
    crate::house::token_of(&json!({ "sub": user, "exp": now + 60 }))
}

#[test]
fn a_refusal_is_not_kept() {
    let house = House::open();
    let mut later = coupon(json!(1));
    later["opensAt"] = json!("2026-06-01T00:00:01Z");
    house.ask("POST", "/v1/admin/coupons", &house.admin, later);
    let ask = || {
        with_key(
            &house,
            "POST",
            "/v1/coupons/1/issues",
            &token("a"),
            "k",
            json!({}),
        )
    };
    assert_eq!(ask().status, 403);
    house.clock.shift(1_000_000);
    let answer = ask();
    assert_eq!((answer.status, replayed(&answer)), (201, false));
}

#[test]
fn malformed_keys_are_400() {
    let house = House::open();
    house.publish(json!(9));
    let long = "k".repeat(256);
    for key in ["", " ", "\"\"", "\"k", "a b", &long, "é"] {
        for (path, body) in [
            ("/v1/coupons/1/issues", json!({ "userId": "a" })),
            ("/v1/admin/coupons/1/pause", Value::Null),
            ("/v1/admin/keys", json!({"name":"n","scopes":["issue"]})),
        ] {
            let answer = with_key(&house, "POST", path, &house.admin, key, body);
            assert_eq!(
                answer.refusal(),
                (400, "invalid-header".to_owned()),
                "{key:?} {path}"
            );
            assert_eq!(answer.json()["header"], "Idempotency-Key");
        }
    }
    let longest = "k".repeat(255);
    assert_eq!(
        with_key(
            &house,
            "POST",
            "/v1/coupons/1/issues",
            &house.admin,
            &longest,
            json!({ "userId": "a" })
        )
        .status,
        201
    );
}

#[test]
fn a_command_with_the_same_key_is_carried_out_once() {
    let house = House::open();
    let body = coupon(json!(3));
    let first = with_key(
        &house,
        "POST",
        "/v1/admin/coupons",
        &house.admin,
        "create",
        body.clone(),
    );
    let again = with_key(
        &house,
        "POST",
        "/v1/admin/coupons",
        &house.admin,
        "create",
        body.clone(),
    );
    assert_eq!(
        (again.status, replayed(&first), replayed(&again)),
        (201, false, true)
    );
    assert_eq!(
        (again.json(), again.header("etag")),
        (first.json(), Some("\"1\""))
    );
    assert_eq!(
        house.get("/v1/admin/coupons", &house.admin).json()["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let other = with_key(
        &house,
        "POST",
        "/v1/admin/coupons",
        &house.admin,
        "create",
        coupon(json!(4)),
    );
    assert_eq!(other.refusal(), (422, "idempotency-key-reused".to_owned()));

    // The answer is that of then, whatever has happened since.
    let pause = || {
        with_key(
            &house,
            "POST",
            "/v1/admin/coupons/1/pause",
            &house.admin,
            "p",
            Value::Null,
        )
    };
    let paused = pause().json();
    house.ask("POST", "/v1/admin/coupons/1/resume", &house.admin, Value::Null);
    assert_eq!((pause().json(), replayed(&pause())), (paused, true));
    assert_eq!(
        house.get("/v1/admin/coupons/1", &house.admin).json()["state"],
        "open"
    );

    // The same key on another path or from another caller is another key.
    let resumed = with_key(
        &house,
        "POST",
        "/v1/admin/coupons/1/close",
        &house.admin,
        "p",
        Value::Null,
    );
    assert_eq!((resumed.status, replayed(&resumed)), (200, false));
    let by_another = with_key(
        &house,
        "POST",
        "/v1/admin/coupons",
        crate::house::FIXED_KEY,
        "create",
        coupon(json!(4)),
    );
    assert_eq!(
        (by_another.status, replayed(&by_another), &by_another.json()["id"]),
        (201, false, &json!(2))
    );

    // If-Match is part of what was asked.
    let matched = |tag: &str| {
        let headers = [("idempotency-key", "m"), ("if-match", tag)];
        house.ask_with(
            "PATCH",
            "/v1/admin/coupons/2",
            &house.admin,
            &headers,
            json!({ "name": "x" }),
        )
    };
    assert_eq!(matched("\"1\"").status, 200);
    let again = matched("\"1\"");
    assert_eq!(
        (again.status, replayed(&again)),
        (200, true),
        "not stale: it is the same request"
    );
    assert_eq!(
        matched("\"2\"").refusal(),
        (422, "idempotency-key-reused".to_owned())
    );
}

#[test]
fn a_key_made_with_the_same_key_is_the_same_with_its_secret() {
    let house = House::open();
    let make = |body| with_key(&house, "POST", "/v1/admin/keys", &house.admin, "k", body);
    let body = || json!({ "name": "n", "scopes": ["issue"] });
    let first = make(body());
    let again = make(body());
    assert_eq!((first.status, replayed(&first)), (201, false));
    assert_eq!(
        (again.status, replayed(&again), again.json()),
        (201, true, first.json())
    );
    assert_eq!(
        make(json!({ "name": "n", "scopes": ["admin"] })).refusal(),
        (422, "idempotency-key-reused".to_owned())
    );
    assert_eq!(
        house.get("/v1/admin/keys", &house.admin).json()["data"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
    let by_another = with_key(
        &house,
        "POST",
        "/v1/admin/keys",
        crate::house::FIXED_KEY,
        "k",
        body(),
    );
    assert_ne!(by_another.json()["key"], first.json()["key"]);
    house.clock.shift(24 * 3_600_000_000);
    let next_day = make(body());
    assert_eq!((next_day.status, replayed(&next_day)), (201, false));
    assert_ne!(next_day.json()["key"], first.json()["key"]);
    assert!(replayed(&make(body())));
    let without_key = || house.ask("POST", "/v1/admin/keys", &house.admin, body()).json()["key"].clone();
    assert_ne!(without_key(), without_key());
}
