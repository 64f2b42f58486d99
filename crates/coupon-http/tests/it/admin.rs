//! `/v1/admin/coupons`: create, read, change, delete, and the life cycle.

use crate::house::{House, coupon, token};
use serde_json::{Value, json};

#[test]
fn a_coupon_is_created_with_everything_and_read_back() {
    let house = House::open();
    let body = json!({
        "name": "개점 쿠폰",
        "opensAt": "2026-06-01T10:00:00+09:00",
        "closesAt": "2026-06-02T10:00:00+09:00",
        "quantity": 4_294_967_295u32,
        "expiresAt": "2026-06-02T01:00:00Z",
        "discount": { "type": "percent", "value": 10, "maxAmount": 5000 },
        "minOrderAmount": 20000,
        "currency": "USD",
        "timeZone": "Europe/Berlin",
        "strategy": "journal",
        "ack": "ledger",
        "showRemaining": false,
        "labels": { "campaign": "open" },
    });
    let answer = house.ask("POST", "/v1/admin/coupons", &house.admin, body);
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("location"), Some("/v1/admin/coupons/1"));
    assert_eq!(answer.header("etag"), Some("\"1\""));
    let expected = json!({
        "id": 1,
        "name": "개점 쿠폰",
        "state": "scheduled",
        "opensAt": "2026-06-01T01:00:00.000000Z",
        "closesAt": "2026-06-02T01:00:00.000000Z",
        "quantity": 4_294_967_295u32,
        "issued": 0,
        "remaining": 4_294_967_295u32,
        "expiresAt": "2026-06-02T01:00:00.000000Z",
        "validFor": null,
        "discount": { "type": "percent", "value": 10, "maxAmount": 5000 },
        "minOrderAmount": 20000,
        "currency": "USD",
        "timeZone": "Europe/Berlin",
        "strategy": "journal",
        "ack": "ledger",
        "showRemaining": false,
        "labels": { "campaign": "open" },
        "paused": false,
        "closedAt": null,
        "createdAt": "2026-06-01T00:00:00.000000Z",
        "revisedAt": "2026-06-01T00:00:00.000000Z",
        "revision": 1,
    });
    assert_eq!(answer.json(), expected);
    let read = house.get("/v1/admin/coupons/1", &house.admin);
    assert_eq!((read.json(), read.header("etag")), (expected, Some("\"1\"")));
    let public = house.get("/v1/coupons/1", "");
    assert_eq!(
        public.json(),
        json!({
            "id": 1, "name": "개점 쿠폰", "state": "scheduled",
            "opensAt": "2026-06-01T01:00:00.000000Z", "closesAt": "2026-06-02T01:00:00.000000Z",
            "discount": { "type": "percent", "value": 10, "maxAmount": 5000 },
            "minOrderAmount": 20000, "currency": "USD",
        })
    );
}

#[test]
fn what_is_left_out_has_the_default_of_the_interface() {
    let house = House::open();
    let created = house
        .ask("POST", "/v1/admin/coupons", &house.admin, coupon(Value::Null))
        .json();
    for (field, value) in [
        ("quantity", Value::Null),
        ("remaining", Value::Null),
        ("validFor", json!("P30D")),
        ("discount", Value::Null),
        ("minOrderAmount", json!(0)),
        ("currency", json!("KRW")),
        ("timeZone", json!("Asia/Seoul")),
        ("strategy", json!("journal")),
        ("ack", json!("ledger")),
        ("showRemaining", json!(true)),
        ("labels", json!({})),
        ("state", json!("open")),
    ] {
        assert_eq!(created[field], value, "{field}");
    }
    let public = house.get("/v1/coupons/1", "").json();
    assert_eq!(
        (&public["quantity"], &public["remaining"]),
        (&Value::Null, &Value::Null)
    );
    assert!(public.as_object().unwrap().contains_key("remaining"));
}

#[test]
fn the_public_face_and_the_clock_need_no_credential() {
    let house = House::open();
    let id = house.publish(json!(2));
    house.issue(id, "a");
    let public = house.get(&format!("/v1/coupons/{id}"), "").json();
    assert_eq!(
        (&public["quantity"], &public["remaining"]),
        (&json!(2), &json!(1))
    );
    let time = house.get(&format!("/v1/coupons/{id}/time"), "");
    assert_eq!(time.header("cache-control"), Some("no-store"));
    assert_eq!(
        time.json(),
        json!({
            "couponId": id, "now": "2026-06-01T00:00:00.000000Z", "opensAt": "2026-05-31T23:00:00.000000Z",
            "closesAt": "2026-06-01T01:00:00.000000Z", "state": "open",
        })
    );
}

#[test]
fn only_administrators_administer() {
    let house = House::open();
    let id = house.publish(json!(2));
    let user = token("a");
    for (method, path) in [
        ("POST", "/v1/admin/coupons".to_owned()),
        ("GET", "/v1/admin/coupons".to_owned()),
        ("GET", format!("/v1/admin/coupons/{id}")),
        ("PATCH", format!("/v1/admin/coupons/{id}")),
        ("DELETE", format!("/v1/admin/coupons/{id}")),
        ("POST", format!("/v1/admin/coupons/{id}/pause")),
        ("POST", format!("/v1/admin/coupons/{id}/resume")),
        ("POST", format!("/v1/admin/coupons/{id}/close")),
        ("GET", format!("/v1/admin/coupons/{id}/stats")),
        ("GET", format!("/v1/admin/coupons/{id}/issued-coupons")),
        ("GET", format!("/v1/admin/coupons/{id}/issued-coupons.csv")),
        ("POST", "/v1/admin/keys".to_owned()),
        ("GET", "/v1/admin/keys".to_owned()),
        ("POST", "/v1/admin/keys/x/revoke".to_owned()),
    ] {
        for credential in [house.service.as_str(), &house.redeemer, &user] {
            let answer = house.ask(method, &path, credential, Value::Null);
            assert_eq!(
                answer.refusal(),
                (403, "wrong-scope".to_owned()),
                "{method} {path}"
            );
        }
        let answer = house.ask(method, &path, "", Value::Null);
        assert_eq!(
            answer.refusal(),
            (401, "authentication-required".to_owned()),
            "{method} {path}"
        );
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer realm=\"firstcome\"")
        );
    }
    assert_eq!(
        house.get(&format!("/v1/admin/coupons/{id}"), &house.admin).json()["revision"],
        1
    );
}

#[test]
fn a_change_sets_what_it_names_and_leaves_the_rest() {
    let house = House::open();
    let id = house.publish(json!(2));
    let path = format!("/v1/admin/coupons/{id}");
    let change = json!({
        "name": "New name", "quantity": 5, "closesAt": "2026-06-01T03:00:00Z", "validFor": "PT36H",
        "discount": { "type": "amount", "value": 1000 }, "minOrderAmount": 1, "showRemaining": false,
        "labels": { "a": "b" },
    });
    let answer = house.ask("PATCH", &path, &house.admin, change);
    assert_eq!((answer.status, answer.header("etag")), (200, Some("\"2\"")));
    let body = answer.json();
    for (field, value) in [
        ("name", json!("New name")),
        ("quantity", json!(5)),
        ("validFor", json!("P1DT12H")),
        ("discount", json!({ "type": "amount", "value": 1000 })),
        ("opensAt", json!("2026-05-31T23:00:00.000000Z")),
        ("revision", json!(2)),
    ] {
        assert_eq!(body[field], value, "{field}");
    }
    let merge = [
        ("content-type", "application/merge-patch+json"),
        ("authorization", &format!("Bearer {}", house.admin)),
    ];
    let answer = house
        .client()
        .send("PATCH", &path, &merge, br#"{"discount":null,"quantity":null}"#);
    assert_eq!(
        (&answer.json()["discount"], &answer.json()["quantity"]),
        (&Value::Null, &Value::Null)
    );
    let nothing = house.ask("PATCH", &path, &house.admin, json!({}));
    assert_eq!(
        (nothing.status, nothing.header("etag")),
        (200, Some("\"3\"")),
        "nothing changed"
    );
}

#[test]
fn changes_that_may_not_be_change_nothing() {
    let house = House::open();
    let id = house.publish(json!(3));
    house.issue(id, "a");
    house.issue(id, "b");
    let path = format!("/v1/admin/coupons/{id}");
    for (change, status, code) in [
        (json!({ "quantity": 1 }), 409, "below-issued"),
        (json!({ "quantity": 0 }), 422, "invalid-values"),
        (json!({ "quantity": 2.5 }), 422, "invalid-values"),
        (
            json!({ "opensAt": "2026-06-01T00:30:00Z" }),
            409,
            "already-opened",
        ),
        (
            json!({ "closesAt": "2026-05-31T23:30:00Z" }),
            422,
            "invalid-values",
        ),
        (
            json!({ "expiresAt": "2026-07-01T00:00:00Z", "validFor": "P1D" }),
            422,
            "invalid-values",
        ),
        (json!({ "name": "" }), 422, "invalid-values"),
        (json!({ "name": null }), 400, "wrong-type"),
        (json!({ "currency": "USD" }), 400, "unknown-field"),
        (json!({ "state": "closed" }), 400, "unknown-field"),
    ] {
        let answer = house.ask("PATCH", &path, &house.admin, change.clone());
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{change}");
    }
    assert_eq!(
        house.ask("DELETE", &path, &house.admin, Value::Null).refusal(),
        (409, "has-issues".to_owned())
    );
    assert_eq!(house.get(&path, &house.admin).json()["revision"], 1);
    let down_to_issued = house.ask("PATCH", &path, &house.admin, json!({ "quantity": 2 }));
    assert_eq!(down_to_issued.json()["state"], "soldOut");
}

#[test]
fn a_stale_tag_changes_nothing() {
    let house = House::open();
    let id = house.publish(json!(3));
    let path = format!("/v1/admin/coupons/{id}");
    let with_tag = |method: &str, path: &str, tag: &str, body: Value| {
        house.ask_with(method, path, &house.admin, &[("if-match", tag)], body)
    };
    for (method, path) in [
        ("PATCH", path.clone()),
        ("DELETE", path.clone()),
        ("POST", format!("{path}/pause")),
        ("POST", format!("{path}/resume")),
        ("POST", format!("{path}/close")),
    ] {
        for tag in ["\"0\"", "\"2\"", "W/\"1\"", "\"x\"", "\"4294967296\""] {
            let answer = with_tag(method, &path, tag, Value::Null);
            assert_eq!(
                answer.refusal(),
                (412, "stale-revision".to_owned()),
                "{method} {path} {tag}"
            );
            assert_eq!(answer.json()["revision"], 1);
        }
        assert_eq!(
            with_tag(method, &path, "1", Value::Null).refusal(),
            (400, "invalid-header".to_owned())
        );
    }
    assert_eq!(
        with_tag("PATCH", &path, "\"9\", \"1\"", json!({ "name": "x" })).json()["revision"],
        2
    );
    assert_eq!(
        with_tag("PATCH", &path, "*", json!({ "name": "y" })).json()["revision"],
        3
    );
    assert_eq!(with_tag("DELETE", &path, "\"3\"", Value::Null).status, 204);
}

#[test]
fn a_coupon_is_paused_resumed_and_closed_for_good() {
    let house = House::open();
    let id = house.publish(json!(3));
    let act = |verb: &str| {
        house.ask(
            "POST",
            &format!("/v1/admin/coupons/{id}/{verb}"),
            &house.admin,
            json!({}),
        )
    };
    assert_eq!(act("pause").json()["state"], "paused");
    let again = act("pause").json();
    assert_eq!(
        (&again["state"], &again["revision"]),
        (&json!("paused"), &json!(2))
    );
    assert_eq!(act("resume").json()["state"], "open");
    assert_eq!(house.issue(id, "a").status, 201);
    let closed = act("close").json();
    assert_eq!(
        (&closed["state"], &closed["closedAt"]),
        (&json!("closed"), &json!("2026-06-01T00:00:00.000000Z"))
    );
    assert_eq!(act("close").status, 200);
    assert_eq!(act("resume").refusal(), (409, "already-closed".to_owned()));
    assert_eq!(act("pause").refusal(), (409, "already-closed".to_owned()));
}

#[test]
fn a_deleted_coupon_is_gone_and_its_id_is_not_used_again() {
    let house = House::open();
    let id = house.publish(json!(3));
    let path = format!("/v1/admin/coupons/{id}");
    let deleted = house.ask("DELETE", &path, &house.admin, Value::Null);
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    assert_eq!(
        house.get(&path, &house.admin).refusal(),
        (404, "unknown-coupon".to_owned())
    );
    assert_eq!(
        house.ask("DELETE", &path, &house.admin, Value::Null).refusal(),
        (404, "unknown-coupon".to_owned())
    );
    assert_eq!(house.publish(json!(3)), id + 1);
}

#[test]
fn stats_are_exact_whatever_the_store_has_and_refusals_are_this_servers() {
    let house = House::open();
    let id = house.publish(json!(2));
    house.issue(id, "a");
    house.clock.shift(1_500_000);
    let path = format!("/v1/admin/coupons/{id}/stats");
    let half = house.get(&path, &house.admin).json();
    assert_eq!(
        (&half["issued"], &half["remaining"], &half["pending"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(half["timeToSellOut"], Value::Null);
    house.issue(id, "b");
    house.issue(id, "b");
    house.issue(id, "c");
    house.issue(id, "d");
    house.catch_up();
    assert_eq!(
        house.get(&path, &house.admin).json(),
        json!({
            "couponId": id, "state": "soldOut", "quantity": 2, "issued": 2, "remaining": 0, "pending": 0,
            "redeemed": 0, "cancelled": 0, "expired": 0, "revoked": 0,
            "timeToSellOut": "PT1.500000S",
            "firstIssuedAt": "2026-06-01T00:00:00.000000Z", "lastIssuedAt": "2026-06-01T00:00:01.500000Z",
            "refusalsByThisServer": {
                "since": "2026-06-01T00:00:00.000000Z",
                "alreadyIssued": 1, "soldOut": 2, "notYetOpen": 0, "closed": 0, "paused": 0,
            },
        })
    );
}
