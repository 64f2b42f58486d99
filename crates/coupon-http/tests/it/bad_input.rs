//! Bad input: each has a clear answer, and nothing is lost or changed.

use crate::client::Answer;
use crate::house::{House, coupon};
use serde_json::{Value, json};

/// An issue request with this body and these headers beside the credential.
pub(crate) fn issue_raw(house: &House, body: &[u8], headers: &[(&str, &str)]) -> Answer {
    let bearer = format!("Bearer {}", house.service);
    let mut all = vec![("authorization", bearer.as_str())];
    all.extend_from_slice(headers);
    house.client().send("POST", "/v1/coupons/1/issues", &all, body)
}

pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");

pub(crate) fn issued(house: &House) -> Value {
    house.get("/v1/admin/coupons/1", &house.admin).json()["issued"].clone()
}

#[test]
fn bodies_that_are_wrong_in_themselves_are_400_and_name_the_first_mistake() {
    let house = House::open();
    house.publish(json!(10));
    let deep = format!("{}{}", "[".repeat(8_000), "]".repeat(8_000));
    let deep_field = format!("{{\"userId\":{}1{}}}", "{\"a\":".repeat(60), "}".repeat(60));
    let cases: Vec<(&[u8], &str, Option<&str>)> = vec![
        (b"", "missing-field", Some("userId")),
        (b"{}", "missing-field", Some("userId")),
        (b"{", "malformed-json", None),
        (b"{\"userId\":\"a\"", "malformed-json", None),
        (b"{\"userId\":\"a", "malformed-json", None),
        (b"not json", "malformed-json", None),
        (b"{\"userId\":\"a\"}x", "malformed-json", None),
        (b"{\"userId\":\"a\"}{}", "malformed-json", None),
        (b"{\"userId\":\"\xc3\x28\"}", "malformed-json", None),
        (b"{\"userId\":\"\\ud800\"}", "malformed-json", None),
        (b"[]", "not-an-object", None),
        (b"[\"a\"]", "not-an-object", None),
        (b"null", "not-an-object", None),
        (b"\"a\"", "not-an-object", None),
        (deep.as_bytes(), "too-deep", None),
        (deep_field.as_bytes(), "too-deep", None),
        (b"{\"userId\":1e400}", "number-too-large", None),
        (b"{\"userId\":null}", "wrong-type", Some("userId")),
        (b"{\"userId\":7}", "wrong-type", Some("userId")),
        (b"{\"userId\":[\"a\"]}", "wrong-type", Some("userId")),
        (b"{\"userId\":{\"a\":1}}", "wrong-type", Some("userId")),
        (b"{\"userid\":\"a\"}", "unknown-field", Some("userid")),
        (
            b"{\"userId\":\"a\",\"admin\":true}",
            "unknown-field",
            Some("admin"),
        ),
        (b"{\"x\":1,\"userId\":7}", "unknown-field", Some("x")),
        (
            b"{\"userId\":\"a\",\"userId\":\"b\"}",
            "repeated-field",
            Some("userId"),
        ),
        (
            b"{\"userId\":\"a\",\"user\\u0049d\":\"b\"}",
            "repeated-field",
            Some("userId"),
        ),
    ];
    for (body, code, field) in cases {
        let answer = issue_raw(&house, body, &[JSON]);
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        assert_eq!(answer.refusal(), (400, code.to_owned()), "{shown}");
        assert_eq!(answer.json()["field"].as_str(), field, "{shown}");
    }
    assert_eq!(issued(&house), 0);
}

#[test]
fn a_user_cannot_name_another_user() {
    let house = House::open();
    house.publish(json!(10));
    let answer = house.ask(
        "POST",
        "/v1/coupons/1/issues",
        &crate::house::token("a"),
        json!({ "userId": "b" }),
    );
    assert_eq!(answer.refusal(), (400, "unknown-field".to_owned()));
    assert_eq!(issued(&house), 0);
}

#[test]
fn user_ids_that_may_not_be_are_422_and_those_that_may_are_kept_apart() {
    let house = House::open();
    house.publish(json!(100));
    let long = "x".repeat(129);
    let longest = "x".repeat(128);
    let many_bytes = "한".repeat(43);
    for (user, rule) in [
        ("", "length"),
        (long.as_str(), "length"),
        (many_bytes.as_str(), "length"),
        ("a\u{0}", "forbidden-character"),
        ("a\n", "forbidden-character"),
        ("\u{7f}", "forbidden-character"),
        ("\u{85}", "forbidden-character"),
        ("a\u{202e}b", "forbidden-character"),
        ("\u{2066}", "forbidden-character"),
        ("\u{200f}", "forbidden-character"),
    ] {
        let answer = house.issue(1, user);
        assert_eq!(answer.refusal(), (422, "invalid-values".to_owned()), "{user:?}");
        let errors = &answer.json()["errors"];
        assert_eq!(
            (&errors[0]["field"], &errors[0]["code"]),
            (&json!("userId"), &json!(rule)),
            "{user:?}"
        );
    }
    assert_eq!(issued(&house), 0);
    let users = [
        "kim", "Kim", "KIM", "é", "e\u{301}", "ａ", "a", " ", "a ", "\"", "\\", "🙂", &longest,
    ];
    for (position, user) in users.iter().enumerate() {
        let body = house.issue(1, user).json();
        assert_eq!(body["userId"], *user);
        assert_eq!(body["position"], position + 1, "{user:?} is a user of its own");
    }
}

#[test]
fn only_json_under_its_own_name_is_read() {
    let house = House::open();
    house.publish(json!(10));
    let body = br#"{"userId":"a"}"#;
    for headers in [
        vec![],
        vec![("content-type", "text/plain")],
        vec![("content-type", "application/x-www-form-urlencoded")],
        vec![("content-type", "application/json; charset=latin1")],
        vec![JSON, JSON],
        vec![("content-type", "")],
    ] {
        let answer = issue_raw(&house, body, &headers);
        assert_eq!(
            answer.refusal(),
            (415, "unsupported-media-type".to_owned()),
            "{headers:?}"
        );
    }
    assert_eq!(issued(&house), 0);
    assert_eq!(
        issue_raw(
            &house,
            body,
            &[("Content-Type", "application/json; charset=utf-8")]
        )
        .status,
        201
    );
}

#[test]
fn unknown_paths_methods_and_parameters_are_named() {
    let house = House::open();
    house.publish(json!(10));
    for path in [
        "/",
        "/v1",
        "/v2/coupons/1",
        "/v1/coupons",
        "/v1/coupons/1/",
        "/v1/coupons/1/issues/2",
        "/docs/no-such",
    ] {
        assert_eq!(
            house.get(path, "").refusal(),
            (404, "unknown-path".to_owned()),
            "{path}"
        );
    }
    for (method, path, allow) in [
        ("GET", "/v1/coupons/1/issues", "POST"),
        ("PUT", "/v1/coupons/1", "GET,HEAD"),
        ("DELETE", "/v1/coupons/1/issues", "POST"),
        ("POST", "/livez", "GET,HEAD"),
    ] {
        let answer = house.ask(method, path, &house.admin, Value::Null);
        assert_eq!(
            answer.refusal(),
            (405, "method-not-allowed".to_owned()),
            "{method} {path}"
        );
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
    for (method, path, parameter) in [
        ("POST", "/v1/coupons/1/issues?force=1", "force"),
        ("GET", "/v1/coupons/1?x=1", "x"),
        ("GET", "/v1/admin/coupons?offset=3", "offset"),
        ("GET", "/v1/admin/coupons?limit=0", "limit"),
        ("GET", "/v1/admin/coupons?limit=1001", "limit"),
        ("POST", "/v1/admin/coupons/1/pause?now", "now"),
        ("GET", "/v1/admin/coupons?name=%ff", "name"),
        ("GET", "/v1/admin/coupons?name=a%c3", "name"),
        ("GET", "/v1/admin/audit-log?actor=%80", "actor"),
        ("GET", "/v1/coupons/1?%ff=1", "\u{fffd}"),
    ] {
        let answer = house.ask(method, path, &house.admin, Value::Null);
        assert_eq!(answer.refusal(), (400, "invalid-parameter".to_owned()), "{path}");
        assert_eq!(answer.json()["parameter"], parameter);
    }
    assert_eq!(issued(&house), 0);
}

/// A coupon with one field set, or taken away when null stands for that.
fn with(field: &str, value: Value) -> Value {
    let mut body = coupon(json!(10));
    body[field] = value;
    body
}

fn assert_every_field(answer: &Answer, mut expected: Vec<(&str, &str)>, body: &Value) {
    assert_eq!(answer.refusal(), (422, "invalid-values".to_owned()), "{body}");
    let document = answer.json();
    let all = document["errors"].as_array().unwrap();
    let mut errors: Vec<(&str, &str)> = all
        .iter()
        .map(|error| (error["field"].as_str().unwrap(), error["code"].as_str().unwrap()))
        .collect();
    errors.sort_unstable();
    expected.sort_unstable();
    assert_eq!(errors, expected, "{body}");
    for error in all {
        let detail = error["detail"].as_str().unwrap();
        assert!(!detail.is_empty() && !detail.contains('{'), "{detail}");
    }
}

#[test]
fn terms_that_may_not_be_are_422_with_every_field() {
    let house = House::open();
    let name = "x".repeat(201);
    for (body, expected) in [
        (with("quantity", json!(0)), vec![("quantity", "range")]),
        (with("quantity", json!(-1)), vec![("quantity", "range")]),
        (with("quantity", json!(1.5)), vec![("quantity", "range")]),
        (
            with("quantity", json!(4_294_967_296u64)),
            vec![("quantity", "range")],
        ),
        (with("quantity", json!(1e30)), vec![("quantity", "range")]),
        (with("name", json!("")), vec![("name", "length")]),
        (with("name", json!("  ")), vec![("name", "length")]),
        (with("name", json!(name)), vec![("name", "length")]),
        (
            with("name", json!("a\u{0}b")),
            vec![("name", "forbidden-character")],
        ),
        (
            with("closesAt", json!("2026-05-31T23:30:00Z")),
            vec![("closesAt", "in-the-past")],
        ),
        (
            with("closesAt", json!("2026-06-01T00:00:00Z")),
            vec![("closesAt", "in-the-past")],
        ),
        (
            with("opensAt", json!("2026-06-01T01:00:00Z")),
            vec![("closesAt", "not-after-opening")],
        ),
        (
            with("opensAt", json!("2026-06-01T02:00:00Z")),
            vec![("closesAt", "not-after-opening")],
        ),
        (
            with("expiresAt", json!("2026-07-01T00:00:00Z")),
            vec![("expiresAt", "exactly-one-validity")],
        ),
        (
            with("validFor", Value::Null),
            vec![("expiresAt", "exactly-one-validity")],
        ),
        (with("validFor", json!("P99999D")), vec![("validFor", "range")]),
        (with("validFor", json!("P9999999D")), vec![("validFor", "range")]),
        (with("validFor", json!("P0D")), vec![("validFor", "range")]),
        (
            with("closesAt", json!("9999-12-31T23:59:59-01:00")),
            vec![("closesAt", "range")],
        ),
        (
            with("opensAt", json!("1969-12-31T23:59:59Z")),
            vec![("opensAt", "range")],
        ),
        (
            with("opensAt", json!("0001-01-01T00:00:00Z")),
            vec![("opensAt", "range")],
        ),
        (
            json!({
                "name": "", "opensAt": "0001-01-01T00:00:00Z", "closesAt": "1969-12-31T23:59:59Z", "quantity": 0,
                "expiresAt": "9999-12-31T23:59:59-01:00", "timeZone": "q", "strategy": "database",
            }),
            vec![
                ("name", "length"),
                ("opensAt", "range"),
                ("closesAt", "range"),
                ("quantity", "range"),
                ("expiresAt", "range"),
                ("timeZone", "not-a-time-zone"),
                ("strategy", "not-offered"),
            ],
        ),
        (
            json!({
                "name": "", "opensAt": "2026-06-01T00:00:00Z", "closesAt": "2026-06-01T01:00:00Z", "quantity": 1,
                "validFor": "P1D", "timeZone": "q",
            }),
            vec![("name", "length"), ("timeZone", "not-a-time-zone")],
        ),
        (
            with("currency", json!("won")),
            vec![("currency", "not-a-currency")],
        ),
        (
            with("timeZone", json!("Mars/Olympus")),
            vec![("timeZone", "not-a-time-zone")],
        ),
        (
            with("timeZone", json!("../etc/passwd")),
            vec![("timeZone", "not-a-time-zone")],
        ),
        (
            with("minOrderAmount", json!(-1)),
            vec![("minOrderAmount", "range")],
        ),
        (
            with("minOrderAmount", json!(9_007_199_254_740_992u64)),
            vec![("minOrderAmount", "range")],
        ),
        (
            with("discount", json!({ "type": "percent", "value": 101 })),
            vec![("discount.value", "range")],
        ),
        (
            with("discount", json!({ "type": "percent", "value": 0 })),
            vec![("discount.value", "range")],
        ),
        (
            with("discount", json!({ "type": "percent", "value": 356 })),
            vec![("discount.value", "range")],
        ),
        (
            with("discount", json!({ "type": "percent", "value": 5.5 })),
            vec![("discount.value", "range")],
        ),
        (
            with("discount", json!({ "type": "amount", "value": 0 })),
            vec![("discount.value", "range")],
        ),
        (
            with(
                "discount",
                json!({ "type": "percent", "value": 5, "maxAmount": 0 }),
            ),
            vec![("discount.maxAmount", "range")],
        ),
        (
            with("strategy", json!("database")),
            vec![("strategy", "not-offered")],
        ),
        (with("ack", json!("store")), vec![("ack", "not-offered")]),
        (with("labels", json!({ "": "x" })), vec![("labels", "length")]),
        (
            json!({
                "name": "", "opensAt": "2026-06-01T02:00:00Z", "closesAt": "2026-06-01T01:00:00Z", "quantity": 0,
                "discount": { "type": "percent", "value": 101 },
            }),
            vec![
                ("quantity", "range"),
                ("discount.value", "range"),
                ("closesAt", "not-after-opening"),
                ("expiresAt", "exactly-one-validity"),
                ("name", "length"),
            ],
        ),
    ] {
        let answer = house.ask("POST", "/v1/admin/coupons", &house.admin, body.clone());
        assert_every_field(&answer, expected, &body);
    }
    assert_eq!(
        house.get("/v1/admin/coupons", &house.admin).json()["data"],
        json!([])
    );
}

#[test]
fn changes_that_may_not_be_are_422_with_every_field_whoever_finds_it() {
    let house = House::open();
    house.publish(json!(10));
    for (body, expected) in [
        (
            json!({ "quantity": 0, "name": "", "closesAt": "2020-01-01T00:00:00Z" }),
            vec![
                ("quantity", "range"),
                ("name", "length"),
                ("closesAt", "in-the-past"),
            ],
        ),
        (
            json!({ "closesAt": "9999-12-31T23:59:59-01:00", "opensAt": "0001-01-01T00:00:00Z", "name": " " }),
            vec![("closesAt", "range"), ("opensAt", "range"), ("name", "length")],
        ),
        (
            json!({ "expiresAt": "2026-06-01T00:00:00Z", "validFor": "P9999999D", "labels": { "": "" } }),
            vec![("expiresAt", "exactly-one-validity"), ("labels", "length")],
        ),
        (
            json!({ "validFor": "P9999999D", "minOrderAmount": -1 }),
            vec![("validFor", "range"), ("minOrderAmount", "range")],
        ),
        (json!({ "validFor": "P0D" }), vec![("validFor", "range")]),
    ] {
        let answer = house.ask("PATCH", "/v1/admin/coupons/1", &house.admin, body.clone());
        assert_every_field(&answer, expected, &body);
    }
    assert_eq!(
        house.get("/v1/admin/coupons/1", &house.admin).json()["revision"],
        1
    );
}

#[test]
fn the_last_instant_and_the_shortest_duration_may_be() {
    let house = House::open();
    for (field, value, shown) in [
        ("closesAt", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000000Z"),
        ("opensAt", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"),
        ("validFor", "PT0.4S", "PT0.400000S"),
        ("validFor", "PT0.000001S", "PT0.000001S"),
        ("validFor", "P36525D", "P36525D"),
    ] {
        let body = with(field, json!(value));
        let answer = house.ask("POST", "/v1/admin/coupons", &house.admin, body);
        assert_eq!(
            (answer.status, &answer.json()[field]),
            (201, &json!(shown)),
            "{value}"
        );
        let issued = house.issue(answer.json()["id"].as_u64().unwrap(), "a");
        assert_eq!(issued.status, 201, "{value}");
    }
    let mut never = with("expiresAt", json!("9999-12-31T23:59:59Z"));
    never.as_object_mut().unwrap().remove("validFor");
    let answer = house.ask("POST", "/v1/admin/coupons", &house.admin, never);
    assert_eq!(answer.status, 201, "{answer:?}");
}

#[test]
fn what_a_duration_may_be_is_said_as_a_duration() {
    let house = House::open();
    for (language, detail) in [
        ("en", "Must be a duration longer than zero and at most P36525D."),
        ("ko", "0보다 길고 P36525D 이하인 기간이어야 합니다."),
    ] {
        for duration in ["P0D", "P40000D", "P9999999D"] {
            let headers = [("accept-language", language)];
            let body = with("validFor", json!(duration));
            let answer = house.ask_with("POST", "/v1/admin/coupons", &house.admin, &headers, body);
            assert_eq!(answer.json()["errors"][0]["detail"], detail, "{duration}");
        }
    }
}

#[test]
fn terms_of_a_wrong_type_are_400_and_name_the_field() {
    let house = House::open();
    for (body, code, field) in [
        (
            with("opensAt", json!("2026-06-01T00:00:00")),
            "wrong-type",
            "opensAt",
        ),
        (with("closesAt", json!("tomorrow")), "wrong-type", "closesAt"),
        (with("opensAt", json!(1_780_272_000)), "wrong-type", "opensAt"),
        (with("quantity", json!("10")), "wrong-type", "quantity"),
        (with("quantity", json!([])), "wrong-type", "quantity"),
        (with("name", json!(7)), "wrong-type", "name"),
        (with("validFor", json!("P1M")), "wrong-type", "validFor"),
        (with("validFor", json!(30)), "wrong-type", "validFor"),
        (with("discount", json!("10%")), "wrong-type", "discount"),
        (
            with("discount", json!({ "type": "gift", "value": 1 })),
            "wrong-type",
            "discount.type",
        ),
        (
            with(
                "discount",
                json!({ "type": "amount", "value": 1, "maxAmount": 1 }),
            ),
            "unknown-field",
            "discount.maxAmount",
        ),
        (
            with("discount", json!({ "type": "amount" })),
            "missing-field",
            "discount.value",
        ),
        (with("strategy", json!("paper")), "wrong-type", "strategy"),
        (
            with("showRemaining", json!("true")),
            "wrong-type",
            "showRemaining",
        ),
        (with("labels", json!({ "a": 1 })), "wrong-type", "labels.a"),
        (with("id", json!(1)), "unknown-field", "id"),
        (json!({}), "missing-field", "name"),
    ] {
        let answer = house.ask("POST", "/v1/admin/coupons", &house.admin, body.clone());
        assert_eq!(answer.refusal(), (400, code.to_owned()), "{body}");
        assert_eq!(answer.json()["field"], field, "{body}");
    }
}
