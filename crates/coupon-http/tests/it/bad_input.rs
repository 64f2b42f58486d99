//! Bad input: each has a clear answer, and nothing is lost or changed.

use crate::client::Answer;
use crate::house::{House, coupon};
use serde_json::{Value, json};

/// An issue request with this body and these headers beside the credential.
fn issue_raw(house: &House, body: &[u8], headers: &[(&str, &str)]) -> Answer {
    let bearer = format!("Bearer {}", house.service);
    let mut all = vec![("authorization", bearer.as_str())];
    all.extend_from_slice(headers);
    house.client().send("POST", "/v1/coupons/1/issues", &all, body)
}

const JSON: (&str, &str) = ("content-type", "application/json");

fn issued(house: &House) -> Value {
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
        (b"[]", "malformed-json", None),
        (b"[\"a\"]", "malformed-json", None),
        (b"null", "malformed-json", None),
        (b"\"a\"", "malformed-json", None),
        (deep.as_bytes(), "malformed-json", None),
        (deep_field.as_bytes(), "malformed-json", None),
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
fn bodies_over_the_limit_are_413_however_they_are_framed() {
    let house = House::open();
    house.publish(json!(10));
    let huge = format!("{{\"userId\":\"a\"{}}}", " ".repeat(20_000));
    assert_eq!(
        issue_raw(&house, huge.as_bytes(), &[JSON]).refusal(),
        (413, "too-large".to_owned())
    );
    // Said to be huge, and never sent: the answer does not wait for it.
    let mut client = house.client();
    let head = format!(
        "POST /v1/coupons/1/issues HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\n",
        house.service
    );
    client.write(format!("{head}content-length: 99999999999\r\n\r\n").as_bytes());
    assert_eq!(client.answer(false).refusal(), (413, "too-large".to_owned()));
    // In chunks, without saying how many.
    let mut client = house.client();
    client.write(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes());
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    for _ in 0..5 {
        client.try_write(chunk.as_bytes());
    }
    assert_eq!(client.answer(false).refusal(), (413, "too-large".to_owned()));
    let admin = house.ask(
        "POST",
        "/v1/admin/coupons",
        &house.admin,
        json!({ "name": "x".repeat(70_000) }),
    );
    assert_eq!(admin.refusal(), (413, "too-large".to_owned()));
    assert_eq!(issued(&house), 0);
}

#[test]
fn a_small_body_in_chunks_is_as_good_as_any() {
    let house = House::open();
    house.publish(json!(10));
    let mut client = house.client();
    let head = format!(
        "POST /v1/coupons/1/issues HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
        house.service
    );
    client.write(head.as_bytes());
    for piece in ["{\"user", "Id\":", "\"a\"}"] {
        client.write(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes());
    }
    client.write(b"0\r\n\r\n");
    assert_eq!(client.answer(false).status, 201);
}

#[test]
fn what_is_not_http_is_refused_and_the_connection_closed() {
    let house = House::open();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/coupons/1/issues HTTP/1.1\r\nhost: t\r\ncontent-length: x\r\n\r\n",
        b"POST /v1/coupons/1/issues HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        b"POST /v1/coupons/1/issues HTTP/1.1\r\nhost: t\r\ntransfer-encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: t\r\nbad header\r\n\r\n",
    ] {
        let mut client = house.client();
        client.write(bytes);
        let said = client.until_closed();
        assert!(
            said.is_empty() || said.starts_with(b"HTTP/1.1 4"),
            "{}",
            String::from_utf8_lossy(&said)
        );
    }
}

#[test]
fn a_head_over_the_limit_is_refused() {
    let house = House::open();
    let mut client = house.client();
    client.write(b"GET /livez HTTP/1.1\r\nhost: t\r\n");
    for number in 0..40 {
        client.try_write(format!("x-{number}: {}\r\n", "y".repeat(1_000)).as_bytes());
    }
    client.try_write(b"\r\n");
    assert!(client.until_closed().starts_with(b"HTTP/1.1 431"));
    let mut client = house.client();
    client.write(b"GET /livez HTTP/1.1\r\nhost: t\r\n");
    for number in 0..200 {
        client.try_write(format!("x-{number}: y\r\n").as_bytes());
    }
    client.try_write(b"\r\n");
    assert!(client.until_closed().starts_with(b"HTTP/1.1 431"));
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
        assert_eq!(answer.refusal(), (422, "invalid-values".to_owned()), "{body}");
        let document = answer.json();
        let mut errors: Vec<(&str, &str)> = document["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| (error["field"].as_str().unwrap(), error["code"].as_str().unwrap()))
            .collect();
        let mut expected = expected;
        errors.sort_unstable();
        expected.sort_unstable();
        assert_eq!(errors, expected, "{body}");
        for error in document["errors"].as_array().unwrap() {
            let detail = error["detail"].as_str().unwrap();
            assert!(!detail.is_empty() && !detail.contains('{'), "{detail}");
        }
    }
    assert_eq!(
        house.get("/v1/admin/coupons", &house.admin).json()["data"],
        json!([])
    );
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
