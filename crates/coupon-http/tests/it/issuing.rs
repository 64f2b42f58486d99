//! `POST /v1/coupons/{couponId}/issues`: every outcome.

use crate::house::{FIXED_KEY, House, coupon, token};
use serde_json::{Value, json};

#[test]
fn a_user_gets_the_coupon_as_the_interface_says() {
    let house = House::open();
    let id = house.publish(json!(2));
    let answer = house.ask(
        "POST",
        &format!("/v1/coupons/{id}/issues"),
        &token("홍길동"),
        json!({}),
    );
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.header("x-request-id").is_some());
    let body = answer.json();
    let code = body["code"].as_str().unwrap();
    assert_eq!((code.len(), &code[4..5], &code[9..10]), (14, "-", "-"));
    assert_eq!(
        body,
        json!({
            "id": format!("{id}-1"),
            "couponId": id,
            "userId": "홍길동",
            "position": 1,
            "code": code,
            "state": "issued",
            "issuedAt": "2026-06-01T00:00:00.000000Z",
            "expiresAt": "2026-07-01T00:00:00.000000Z",
            "redeemedAt": null,
            "orderId": null,
        })
    );
}

#[test]
fn a_service_and_an_administrator_issue_for_the_user_they_name() {
    let house = House::open();
    let id = house.publish(Value::Null);
    for (position, credential) in [(1, house.service.as_str()), (2, &house.admin), (3, FIXED_KEY)] {
        let user = format!("user-{position}");
        let path = format!("/v1/coupons/{id}/issues");
        let answer = house.ask("POST", &path, credential, json!({ "userId": user }));
        assert_eq!(
            (answer.status, answer.json()["position"].as_u64()),
            (201, Some(position))
        );
    }
}

#[test]
fn an_empty_body_is_an_empty_object() {
    let house = House::open();
    let id = house.publish(json!(1));
    let answer = house.ask(
        "POST",
        &format!("/v1/coupons/{id}/issues"),
        &token("a"),
        Value::Null,
    );
    assert_eq!(answer.status, 201);
}

#[test]
fn whoever_asks_again_is_shown_what_they_have_even_after_the_end() {
    let house = House::open();
    let id = house.publish(json!(1));
    let first = house.issue(id, "a").json();
    let again = house.issue(id, "a");
    assert_eq!(again.refusal(), (409, "already-issued".to_owned()));
    assert_eq!(again.json()["issuedCoupon"], first);
    house.clock.shift(7_200_000_000);
    assert_eq!(house.issue(id, "a").json()["issuedCoupon"], first);
    house.clock.shift(30 * 86_400_000_000);
    assert_eq!(house.issue(id, "a").json()["issuedCoupon"]["state"], "expired");
}

#[test]
fn every_refusal_has_its_status_code_and_facts() {
    let house = House::open();
    let sold_out = house.publish(json!(1));
    house.issue(sold_out, "first");
    let mut later = coupon(json!(1));
    later["opensAt"] = json!("2026-06-01T00:00:01.500000Z");
    let later = house.ask("POST", "/v1/admin/coupons", &house.admin, later).json()["id"]
        .as_u64()
        .unwrap();
    let paused = house.publish(json!(1));
    house.ask(
        "POST",
        &format!("/v1/admin/coupons/{paused}/pause"),
        &house.admin,
        Value::Null,
    );
    let closed = house.publish(json!(1));
    house.ask(
        "POST",
        &format!("/v1/admin/coupons/{closed}/close"),
        &house.admin,
        Value::Null,
    );
    let deleted = house.publish(json!(1));
    house.ask(
        "DELETE",
        &format!("/v1/admin/coupons/{deleted}"),
        &house.admin,
        Value::Null,
    );
    for (id, status, code) in [
        (sold_out, 410, "sold-out"),
        (later, 403, "not-yet-open"),
        (paused, 403, "paused"),
        (closed, 410, "closed"),
        (deleted, 404, "unknown-coupon"),
        (999, 404, "unknown-coupon"),
    ] {
        let answer = house.issue(id, "second");
        assert_eq!(answer.refusal(), (status, code.to_owned()));
        let body = answer.json();
        match code {
            "not-yet-open" => {
                assert_eq!(body["opensAt"], "2026-06-01T00:00:01.500000Z");
                assert_eq!(
                    answer.header("retry-after"),
                    Some("2"),
                    "rounded up, or it would be too early again"
                );
            }
            "closed" => assert_eq!(body["closedAt"], "2026-06-01T00:00:00.000000Z"),
            _ => assert_eq!(answer.header("retry-after"), None),
        }
    }
}

#[test]
fn ids_that_are_not_numbers_are_coupons_that_do_not_exist() {
    let house = House::open();
    house.publish(json!(9));
    for id in [
        "0",
        "01",
        "-1",
        "+1",
        "1.0",
        "x",
        "268435456",
        "99999999999999999999",
        "%20",
        "1%20",
        "%C3%28",
        "a%2Fb",
    ] {
        for (method, path) in [
            ("POST", format!("/v1/coupons/{id}/issues")),
            ("GET", format!("/v1/coupons/{id}")),
            ("GET", format!("/v1/coupons/{id}/time")),
            ("GET", format!("/v1/admin/coupons/{id}")),
            ("GET", format!("/v1/admin/coupons/{id}/stats")),
            ("GET", format!("/v1/admin/coupons/{id}/issued-coupons")),
            ("GET", format!("/v1/admin/coupons/{id}/issued-coupons.csv")),
            ("POST", format!("/v1/admin/coupons/{id}/pause")),
        ] {
            let body = if path.ends_with("issues") {
                json!({ "userId": "a" })
            } else {
                Value::Null
            };
            let answer = house.ask(method, &path, &house.admin, body);
            assert_eq!(
                answer.refusal(),
                (404, "unknown-coupon".to_owned()),
                "{method} {path}"
            );
        }
    }
    // The same coupon, spelt with an escape.
    let answer = house.ask(
        "POST",
        "/v1/coupons/%31/issues",
        &house.admin,
        json!({ "userId": "a" }),
    );
    assert_eq!(answer.status, 201);
}

#[test]
fn many_requests_on_one_connection_are_answered_in_order() {
    let house = House::open();
    let id = house.publish(json!(100));
    let mut client = house.client();
    let mut requests = Vec::new();
    for user in 0..50 {
        let body = format!("{{\"userId\":\"user-{user}\"}}");
        requests.extend_from_slice(
            format!(
                "POST /v1/coupons/{id}/issues HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                house.service,
                body.len()
            )
            .as_bytes(),
        );
    }
    client.write(&requests);
    for user in 0..50 {
        let body = client.answer(false).json();
        assert_eq!(
            (body["userId"].as_str(), body["position"].as_u64()),
            (Some(format!("user-{user}").as_str()), Some(user + 1))
        );
    }
}
