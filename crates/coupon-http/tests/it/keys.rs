//! `/v1/admin/keys`, and what becomes of requests with keys that are not good.

use crate::house::{FIXED_KEY, House};
use coupon_app::KeyStore;
use serde_json::{Value, json};

fn make(house: &House, scopes: Value) -> Value {
    let answer = house.ask(
        "POST",
        "/v1/admin/keys",
        &house.admin,
        json!({ "name": "n", "scopes": scopes }),
    );
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

#[test]
fn a_key_is_shown_once_and_kept_as_a_hash() {
    let house = House::open();
    let made = make(&house, json!(["redeem", "issue"]));
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert!(key.starts_with(&format!("fck_{id}_")));
    let secret = key.rsplit('_').next().unwrap();
    assert_eq!(secret.len() * 4, 192, "bits");
    assert_eq!(made["scopes"], json!(["issue", "redeem"]));
    let list = house.get("/v1/admin/keys", &house.admin);
    assert!(!list.text().contains(secret));
    let listed = list.json()["data"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        listed,
        json!({ "id": id, "name": "n", "scopes": ["issue", "redeem"], "createdAt": made["createdAt"],
                "expiresAt": null, "revokedAt": null, "lastUsedAt": null })
    );
    let stored = futures_util::FutureExt::now_or_never(house.store.keys())
        .unwrap()
        .unwrap();
    assert!(!format!("{stored:?}").contains(secret));
    let id = house.publish(json!(1));
    let path = format!("/v1/coupons/{id}/issues");
    assert_eq!(
        house.ask("POST", &path, key, json!({ "userId": "a" })).status,
        201
    );
}

#[test]
fn a_revoked_key_is_refused_at_once() {
    let house = House::open();
    let made = make(&house, json!(["admin"]));
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert_eq!(house.get("/v1/admin/coupons", key).status, 200);
    let path = format!("/v1/admin/keys/{id}/revoke");
    let revoked = house.ask("POST", &path, &house.admin, Value::Null);
    assert_eq!(
        (revoked.status, &revoked.json()["revokedAt"]),
        (200, &json!("2026-06-01T00:00:00.000000Z"))
    );
    for _ in 0..8 {
        // Each on a connection of its own, and so on either loop.
        let answer = house.get("/v1/admin/coupons", key);
        assert_eq!(answer.refusal(), (401, "invalid-credentials".to_owned()));
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer realm=\"firstcome\", error=\"invalid_token\"")
        );
    }
    house.clock.shift(1_000_000);
    let again = house.ask("POST", &path, &house.admin, Value::Null);
    assert_eq!(again.json(), revoked.json(), "the first time stays");
    for unknown in ["0000000000000000", "x", "configured", "%C3%28"] {
        let answer = house.ask(
            "POST",
            &format!("/v1/admin/keys/{unknown}/revoke"),
            &house.admin,
            Value::Null,
        );
        assert_eq!(answer.refusal(), (404, "unknown-key".to_owned()), "{unknown}");
    }
}

#[test]
fn credentials_that_are_none_are_401() {
    let house = House::open();
    let (whole, other) = (house.service.clone(), make(&house, json!(["issue"])));
    let other = other["key"].as_str().unwrap();
    let mixed = format!(
        "{}_{}",
        whole.rsplit_once('_').unwrap().0,
        other.rsplit('_').next().unwrap()
    );
    let last = if whole.ends_with('0') { "1" } else { "0" };
    let altered = format!("{}{last}", &whole[..whole.len() - 1]);
    let fixed_altered = FIXED_KEY.replace('a', "b");
    for authorization in [
        format!("Bearer {mixed}"),
        format!("Bearer {altered}"),
        format!("Bearer {}", whole.to_uppercase()),
        format!("Bearer {whole}x"),
        format!("Bearer  {whole}"),
        format!("Bearer {fixed_altered}"),
        format!("Basic {whole}"),
        whole.clone(),
        "Bearer".to_owned(),
        "Bearer fck__".to_owned(),
        "Bearer é".to_owned(),
    ] {
        let headers = [("authorization", authorization.as_str())];
        let answer = house
            .client()
            .send("GET", "/v1/issued-coupons/1-1", &headers, b"");
        assert_eq!(
            answer.refusal(),
            (401, "invalid-credentials".to_owned()),
            "{authorization}"
        );
    }
    let good = format!("Bearer {whole}");
    let twice = [("authorization", good.as_str()), ("authorization", good.as_str())];
    let answer = house.client().send("GET", "/v1/issued-coupons/1-1", &twice, b"");
    assert_eq!(answer.refusal(), (401, "invalid-credentials".to_owned()));
    let odd_case = [("authorization", &*good.replace("Bearer", "bEARER"))];
    assert_eq!(
        house
            .client()
            .send("GET", "/v1/issued-coupons/1-1", &odd_case, b"")
            .status,
        404
    );
}

#[test]
fn a_key_may_what_its_scope_says() {
    let house = House::open();
    let id = house.publish(json!(9));
    let issue = format!("/v1/coupons/{id}/issues");
    let body = || json!({ "userId": "a" });
    assert_eq!(
        house.ask("POST", &issue, &house.redeemer, body()).refusal(),
        (403, "wrong-scope".to_owned())
    );
    assert_eq!(house.ask("POST", &issue, &house.service, body()).status, 201);
    for credential in [&house.redeemer, &house.service, &house.admin] {
        assert_eq!(
            house
                .get(&format!("/v1/issued-coupons/{id}-1"), credential)
                .status,
            200
        );
        assert_eq!(house.get("/v1/users/a/coupons", credential).status, 200);
        assert_eq!(
            house.get("/v1/me/coupons", credential).refusal(),
            (403, "wrong-scope".to_owned())
        );
    }
}

#[test]
fn keys_that_may_not_be_are_refused() {
    let house = House::open();
    let long = "n".repeat(201);
    for (body, status, code) in [
        (json!({ "name": "n", "scopes": [] }), 422, "invalid-values"),
        (json!({ "name": "", "scopes": ["issue"] }), 422, "invalid-values"),
        (
            json!({ "name": long, "scopes": ["issue"] }),
            422,
            "invalid-values",
        ),
        (
            json!({ "name": "a\nb", "scopes": ["issue"] }),
            422,
            "invalid-values",
        ),
        (
            json!({ "name": "n", "scopes": ["issue", "issue"] }),
            422,
            "invalid-values",
        ),
        (json!({ "name": "n", "scopes": ["root"] }), 400, "wrong-type"),
        (json!({ "name": "n", "scopes": "admin" }), 400, "wrong-type"),
        (json!({ "name": "n" }), 400, "missing-field"),
        (
            json!({ "name": "n", "scopes": ["issue"], "secret": "x" }),
            400,
            "unknown-field",
        ),
    ] {
        let answer = house.ask("POST", "/v1/admin/keys", &house.admin, body.clone());
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{body}");
    }
    assert_eq!(
        house.get("/v1/admin/keys", &house.admin).json()["data"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn a_key_is_refused_from_the_instant_at_which_it_ends() {
    let house = House::open();
    let body = json!({ "name": "n", "scopes": ["admin", "issue"], "expiresAt": "2026-06-01T00:00:01Z" });
    let made = house.ask("POST", "/v1/admin/keys", &house.admin, body).json();
    assert_eq!(made["expiresAt"], "2026-06-01T00:00:01.000000Z");
    let key = made["key"].as_str().unwrap();
    let id = house.publish(json!(9));
    let path = format!("/v1/coupons/{id}/issues");
    house.clock.shift(999_999);
    assert_eq!(house.get("/v1/admin/coupons", key).status, 200);
    assert_eq!(
        house.ask("POST", &path, key, json!({ "userId": "a" })).status,
        201
    );
    house.clock.shift(1);
    for answer in [
        house.get("/v1/admin/coupons", key),
        house.ask("POST", &path, key, json!({ "userId": "b" })),
    ] {
        assert_eq!(answer.refusal(), (401, "invalid-credentials".to_owned()));
    }
    let stats = house.get(&format!("/v1/admin/coupons/{id}/stats"), &house.admin);
    assert_eq!(stats.json()["issued"], 1, "nothing happened");
    let listed = house.get("/v1/admin/keys", &house.admin).json();
    let listed = listed["data"].as_array().unwrap().last().unwrap();
    assert_eq!((&listed["id"], &listed["revokedAt"]), (&made["id"], &Value::Null));
}

#[test]
fn a_key_that_would_have_ended_already_is_not_made() {
    let house = House::open();
    for (expires, status, code) in [
        (json!("2026-06-01T00:00:00Z"), 422, "invalid-values"),
        (json!("2020-01-01T00:00:00Z"), 422, "invalid-values"),
        (json!("0001-01-01T00:00:00Z"), 422, "invalid-values"),
        (json!("9999-12-31T23:59:59-01:00"), 422, "invalid-values"),
        (json!("tomorrow"), 400, "wrong-type"),
        (json!(5), 400, "wrong-type"),
    ] {
        let body = json!({ "name": "n", "scopes": ["issue"], "expiresAt": expires });
        let answer = house.ask("POST", "/v1/admin/keys", &house.admin, body);
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{expires}");
    }
    let forever = json!({ "name": "n", "scopes": ["issue"], "expiresAt": null });
    assert_eq!(
        house.ask("POST", "/v1/admin/keys", &house.admin, forever).status,
        201
    );
}

#[test]
fn the_same_request_for_a_key_with_another_end_is_another_request() {
    let house = House::open();
    let ask = |expires: &str| {
        let body = json!({ "name": "n", "scopes": ["issue"], "expiresAt": expires });
        house.ask_with(
            "POST",
            "/v1/admin/keys",
            &house.admin,
            &[("idempotency-key", "k")],
            body,
        )
    };
    let first = ask("2026-07-01T00:00:00Z");
    let again = ask("2026-07-01T00:00:00Z");
    assert_eq!((first.status, first.json()), (again.status, again.json()));
    assert_eq!(
        ask("2026-08-01T00:00:00Z").refusal(),
        (422, "idempotency-key-reused".to_owned())
    );
}

#[test]
fn when_a_key_was_last_used_is_noted_and_shown() {
    let house = House::open();
    let last = |name: &str| {
        let listed = house.get("/v1/admin/keys", &house.admin).json();
        let listed = listed["data"].as_array().unwrap().clone();
        listed.iter().find(|key| key["name"] == name).unwrap()["lastUsedAt"].clone()
    };
    let id = house.publish(json!(9));
    assert_eq!(last("shop"), Value::Null);
    house.clock.shift(5_000_000);
    assert_eq!(house.issue(id, "a").status, 201);
    let note = || {
        futures_util::FutureExt::now_or_never(house.hall.note_used_keys())
            .unwrap()
            .unwrap()
    };
    note();
    assert_eq!(last("shop"), "2026-06-01T00:00:05.000000Z");
    assert_eq!(last("till"), Value::Null);
    // A wrong secret is no use of the key.
    house.clock.shift(5_000_000);
    let wrong = format!("{}0", &house.service[..house.service.len() - 1]);
    house.ask(
        "POST",
        &format!("/v1/coupons/{id}/issues"),
        &wrong,
        json!({ "userId": "b" }),
    );
    note();
    assert_eq!(last("shop"), "2026-06-01T00:00:05.000000Z");
}
