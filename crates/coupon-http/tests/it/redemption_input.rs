//! Bad input to redemption: each has a clear answer, and nothing is lost or changed.

use crate::client::Answer;
use crate::house::{House, token};
use crate::redeeming::{cancel, redeem, shop};
use serde_json::{Value, json};

fn send(house: &House, path: &str, body: &[u8], content_type: &str) -> Answer {
    let bearer = format!("Bearer {}", house.redeemer);
    let headers = [("authorization", bearer.as_str()), ("content-type", content_type)];
    house.client().send("POST", path, &headers, body)
}

fn steps(house: &House) -> usize {
    let history = house.get("/v1/issued-coupons/1-1/history", &house.admin).json();
    history["data"].as_array().unwrap().len()
}

const REDEMPTION: &str = "/v1/issued-coupons/1-1/redemption";
const CANCEL: &str = "/v1/issued-coupons/1-1/redemption/cancel";
const QUOTE: &str = "/v1/issued-coupons/1-1/quote";
const REVOKE: &str = "/v1/admin/issued-coupons/1-1/revoke";

#[test]
fn ids_that_are_none_or_nobodys_are_404() {
    let house = shop(&["kim"]);
    let long = "1".repeat(5_000);
    for id in [
        "1-2",
        "2-1",
        "1-4294967295",
        "1-4294967296",
        "1-0",
        "0-1",
        "1-01",
        "1",
        "x",
        "1-1-1",
        "-1",
        "1-%00",
        "1%2D9",
        &long,
    ] {
        for answer in [
            redeem(&house, id, &house.redeemer, "a", 20_000),
            redeem(&house, id, &token("kim"), "a", 20_000),
            cancel(&house, id, "a"),
            house.ask(
                "POST",
                &format!("/v1/issued-coupons/{id}/quote"),
                &house.redeemer,
                json!({ "orderAmount": 1 }),
            ),
            house.ask(
                "POST",
                &format!("/v1/admin/issued-coupons/{id}/revoke"),
                &house.admin,
                Value::Null,
            ),
            house.get(&format!("/v1/issued-coupons/{id}/history"), &house.redeemer),
        ] {
            assert_eq!(
                answer.refusal(),
                (404, "unknown-issued-coupon".to_owned()),
                "{id}"
            );
        }
    }
    assert_eq!(steps(&house), 1);
}

#[test]
fn another_users_is_as_one_that_is_not_there() {
    let house = shop(&["kim", "lee"]);
    redeem(&house, "1-2", &house.redeemer, "a", 20_000);
    let of_another = redeem(&house, "1-2", &token("kim"), "a", 20_000);
    let of_nobody = redeem(&house, "1-3", &token("kim"), "a", 20_000);
    assert_eq!(of_another.status, 404);
    assert_eq!(of_another.body, of_nobody.body);
}

#[test]
fn amounts_and_orders_that_may_not_be_are_422_and_every_field_is_named() {
    let house = shop(&["kim"]);
    let (long, longest) = ("o".repeat(10_000), "o".repeat(128));
    let amount = |text: &str| format!("{{\"orderId\":\"a\",\"orderAmount\":{text}}}");
    let order = |text: &str| json!({ "orderId": text, "orderAmount": 20_000 }).to_string();
    for (body, field, code) in [
        (amount("-1"), "orderAmount", "range"),
        (amount("-9007199254740993"), "orderAmount", "range"),
        (amount("1.5"), "orderAmount", "range"),
        (amount("1e3"), "orderAmount", "range"),
        (amount("9007199254740992"), "orderAmount", "range"),
        (amount("18446744073709551615"), "orderAmount", "range"),
        (amount("1e308"), "orderAmount", "range"),
        (order(""), "orderId", "length"),
        (order(&long), "orderId", "length"),
        (order(&"주".repeat(43)), "orderId", "length"),
        (order("a\u{0}"), "orderId", "forbidden-character"),
        (order("a\r\nSet-Cookie: x"), "orderId", "forbidden-character"),
        (order("a\u{202e}b"), "orderId", "forbidden-character"),
    ] {
        let answer = send(&house, REDEMPTION, body.as_bytes(), "application/json");
        assert_eq!(
            answer.refusal(),
            (422, "invalid-values".to_owned()),
            "{field} {code}"
        );
        let errors = answer.json()["errors"].clone();
        assert_eq!(
            (&errors[0]["field"], &errors[0]["code"], &errors[1]),
            (&json!(field), &json!(code), &json!(null))
        );
    }
    let both = send(
        &house,
        REDEMPTION,
        br#"{"orderId":"","orderAmount":-1}"#,
        "application/json",
    )
    .json();
    assert_eq!(
        (&both["errors"][0]["field"], &both["errors"][1]["field"]),
        (&json!("orderId"), &json!("orderAmount"))
    );
    let quoted = send(&house, QUOTE, br#"{"orderAmount":-1}"#, "application/json");
    assert_eq!(quoted.refusal().0, 422);
    let back = send(
        &house,
        CANCEL,
        json!({ "orderId": long }).to_string().as_bytes(),
        "application/json",
    );
    assert_eq!(back.refusal().0, 422);
    assert_eq!(steps(&house), 1);
    for order in ["'; DROP TABLE coupons; --", "\"\\", "한", longest.as_str()] {
        let redeemed = redeem(&house, "1-1", &house.redeemer, order, 20_000);
        assert_eq!(
            (redeemed.status, &redeemed.json()["orderId"]),
            (200, &json!(order))
        );
        assert_eq!(cancel(&house, "1-1", order).status, 200);
    }
}

#[test]
fn bodies_are_read_strictly() {
    let house = shop(&["kim"]);
    let cases: &[(&str, &str, &str, Option<&str>)] = &[
        (REDEMPTION, "", "missing-field", Some("orderId")),
        (REDEMPTION, "{}", "missing-field", Some("orderId")),
        (
            REDEMPTION,
            r#"{"orderId":"a"}"#,
            "missing-field",
            Some("orderAmount"),
        ),
        (
            REDEMPTION,
            r#"{"orderId":"a","orderAmount":null}"#,
            "wrong-type",
            Some("orderAmount"),
        ),
        (
            REDEMPTION,
            r#"{"orderId":"a","orderAmount":"20000"}"#,
            "wrong-type",
            Some("orderAmount"),
        ),
        (
            REDEMPTION,
            r#"{"orderId":7,"orderAmount":20000}"#,
            "wrong-type",
            Some("orderId"),
        ),
        (
            REDEMPTION,
            r#"{"orderId":"a","orderAmount":20000,"userId":null}"#,
            "wrong-type",
            Some("userId"),
        ),
        (
            REDEMPTION,
            r#"{"orderId":"a","orderAmount":20000,"discountAmount":20000}"#,
            "unknown-field",
            Some("discountAmount"),
        ),
        (
            REDEMPTION,
            r#"{"orderId":"a","orderAmount":1,"orderAmount":20000}"#,
            "repeated-field",
            Some("orderAmount"),
        ),
        (
            REDEMPTION,
            r#"{"orderId":"a","orderAmount":NaN}"#,
            "malformed-json",
            None,
        ),
        (REDEMPTION, r#"["a",20000]"#, "not-an-object", None),
        (CANCEL, "{}", "missing-field", Some("orderId")),
        (
            CANCEL,
            r#"{"orderId":"a","orderAmount":1}"#,
            "unknown-field",
            Some("orderAmount"),
        ),
        (QUOTE, "{}", "missing-field", Some("orderAmount")),
        (
            QUOTE,
            r#"{"orderAmount":1,"orderId":"a"}"#,
            "unknown-field",
            Some("orderId"),
        ),
    ];
    for (path, body, code, field) in cases {
        let answer = send(&house, path, body.as_bytes(), "application/json");
        assert_eq!(answer.refusal(), (400, (*code).to_owned()), "{body}");
        assert_eq!(answer.json()["field"].as_str(), *field, "{body}");
    }
    let revoked = house.ask("POST", REVOKE, &house.admin, json!({ "reason": "x" }));
    assert_eq!(revoked.refusal(), (400, "unknown-field".to_owned()));
    let good = br#"{"orderId":"a","orderAmount":20000}"#;
    assert_eq!(send(&house, REDEMPTION, good, "text/plain").refusal().0, 415);
    assert_eq!(
        send(&house, REDEMPTION, &[b' '; 20_000], "application/json")
            .refusal()
            .0,
        413
    );
    let query = format!("{REDEMPTION}?dryRun=true");
    assert_eq!(
        send(&house, &query, good, "application/json").refusal(),
        (400, "invalid-parameter".to_owned())
    );
    assert_eq!(steps(&house), 1, "nothing happened");
}

#[test]
fn a_service_may_name_the_holder_and_a_user_names_nobody() {
    let house = shop(&["kim", "lee"]);
    let body = |user: &str| json!({ "orderId": "a", "orderAmount": 20_000, "userId": user });
    let quote = |user: &str| json!({ "orderAmount": 20_000, "userId": user });
    let back = |user: &str| json!({ "orderId": "a", "userId": user });
    let by_user = house.ask("POST", REDEMPTION, &token("kim"), body("kim"));
    assert_eq!(by_user.refusal(), (400, "unknown-field".to_owned()));
    for (path, of_another, own) in [
        (QUOTE, quote("lee"), quote("kim")),
        (REDEMPTION, body("lee"), body("kim")),
        (CANCEL, back("lee"), back("kim")),
    ] {
        let answer = house.ask("POST", path, &house.redeemer, of_another);
        assert_eq!(
            answer.refusal(),
            (404, "unknown-issued-coupon".to_owned()),
            "{path}"
        );
        assert_eq!(
            house.ask("POST", path, &house.redeemer, own).status,
            200,
            "{path}"
        );
        let mut nobody = back("");
        if path != CANCEL {
            nobody = quote("");
        }
        if path == REDEMPTION {
            nobody = body("");
        }
        let answer = house.ask("POST", path, &house.redeemer, nobody);
        assert_eq!(answer.refusal(), (422, "invalid-values".to_owned()), "{path}");
        assert_eq!(answer.json()["errors"][0]["field"], "userId");
    }
    assert_eq!(steps(&house), 3);
}

#[test]
fn guessing_codes_stays_throttled_and_leads_to_no_redemption() {
    let house = shop(&["kim"]);
    let ask = || {
        house.ask(
            "POST",
            "/v1/issued-coupons/lookup",
            &token("lee"),
            json!({ "code": "0000-0000-0000" }),
        )
    };
    for _ in 0..10 {
        assert_eq!(ask().refusal(), (404, "unknown-issued-coupon".to_owned()));
    }
    assert_eq!(ask().refusal(), (429, "rate-limited".to_owned()));
    // A code is no id.
    let answer = redeem(&house, "0000-0000-0000", &token("lee"), "a", 20_000);
    assert_eq!(answer.refusal(), (404, "unknown-issued-coupon".to_owned()));
}
