//! Coupons copied, labelled and found again.

use crate::house::{House, coupon};
use serde_json::{Value, json};

fn publish(house: &House, more: Value) -> u64 {
    let mut body = coupon(json!(1));
    let members = body.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    let answer = house.ask("POST", "/v1/admin/coupons", &house.admin, body);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_u64().unwrap()
}

fn found(house: &House, query: &str) -> Vec<u64> {
    let answer = house.get(&format!("/v1/admin/coupons?{query}"), &house.admin);
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    let body = answer.json();
    let ids = body["data"].as_array().unwrap().iter();
    ids.map(|coupon| coupon["id"].as_u64().unwrap()).collect()
}

#[test]
fn coupons_are_found_by_name_state_label_and_window() {
    let house = House::open();
    let spring = json!({ "name": "Spring 봄 쿠폰", "labels": { "campaign": "spring", "team": "a" } });
    assert_eq!(publish(&house, spring), 1);
    let later = json!({
        "name": "SPRING later", "opensAt": "2026-06-02T00:00:00Z", "closesAt": "2026-06-03T00:00:00Z",
        "labels": { "campaign": "spring" },
    });
    assert_eq!(publish(&house, later), 2);
    assert_eq!(
        publish(&house, json!({ "name": "gone", "labels": { "team": "a=b" } })),
        3
    );
    assert_eq!(publish(&house, json!({ "name": "halted" })), 4);
    assert_eq!(house.issue(3, "a").status, 201);
    assert_eq!(
        house
            .ask("POST", "/v1/admin/coupons/4/pause", &house.admin, Value::Null)
            .status,
        200
    );
    assert_eq!(publish(&house, json!({ "name": "deleted spring" })), 5);
    assert_eq!(
        house
            .ask("DELETE", "/v1/admin/coupons/5", &house.admin, Value::Null)
            .status,
        204
    );
    for (query, expected) in [
        ("", vec![1, 2, 3, 4]),
        ("name=spring", vec![1, 2]),
        ("name=%EB%B4%84", vec![1]),
        ("name=winter", vec![]),
        ("state=open", vec![1]),
        ("state=scheduled", vec![2]),
        ("state=soldOut", vec![3]),
        ("state=paused", vec![4]),
        ("state=closed", vec![]),
        ("label=campaign", vec![1, 2]),
        ("label=campaign=spring&label=team", vec![1]),
        ("label=team=a", vec![1]),
        ("label=team=a%3Db", vec![3]),
        ("label=team=", vec![]),
        ("opensFrom=2026-06-02T00:00:00Z", vec![2]),
        ("opensUntil=2026-06-02T00:00:00Z", vec![1, 3, 4]),
        (
            "closesFrom=2026-06-01T01:00:00Z&closesUntil=2026-06-01T01:00:00.000001Z",
            vec![1, 3, 4],
        ),
        ("closesUntil=2026-06-01T01:00:00Z", vec![]),
        ("name=spring&state=open", vec![1]),
    ] {
        assert_eq!(found(&house, query), expected, "{query}");
    }
    house.clock.shift(3_600_000_000);
    assert_eq!(found(&house, "state=closed"), [1, 3, 4]);
    for (query, parameter) in [
        ("state=sold-out", "state"),
        ("name=", "name"),
        ("label=", "label"),
        ("label==a", "label"),
        ("opensFrom=today", "opensFrom"),
        (
            "closesUntil=2026-06-01T00:00:00Z&closesUntil=2026-06-01T00:00:00Z",
            "closesUntil",
        ),
        ("labels=a", "labels"),
    ] {
        let answer = house.get(&format!("/v1/admin/coupons?{query}"), &house.admin);
        assert_eq!(answer.refusal(), (400, "invalid-parameter".to_owned()), "{query}");
        assert_eq!(answer.json()["parameter"], parameter, "{query}");
    }
}

#[test]
fn what_is_found_is_paged_without_gap_or_overlap() {
    let house = House::open();
    for n in 0..9 {
        publish(&house, json!({ "name": if n % 2 == 0 { "even" } else { "odd" } }));
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/admin/coupons?name=even&limit=2{cursor}");
        let page = house.get(&path, &house.admin).json();
        for coupon in page["data"].as_array().unwrap() {
            seen.push(coupon["id"].as_u64().unwrap());
        }
        let Some(next) = page["nextCursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, [1, 3, 5, 7, 9]);
}

#[test]
fn labels_are_changed_as_a_whole_and_taken_away() {
    let house = House::open();
    let id = publish(&house, json!({ "labels": { "a": "1", "b": "2" } }));
    let path = format!("/v1/admin/coupons/{id}");
    let patch = |labels: Value| house.ask("PATCH", &path, &house.admin, json!({ "labels": labels }));
    assert_eq!(patch(json!({ "c": "3" })).json()["labels"], json!({ "c": "3" }));
    assert_eq!(found(&house, "label=a"), [] as [u64; 0]);
    assert_eq!(found(&house, "label=c=3"), [id]);
    assert_eq!(patch(json!({})).json()["labels"], json!({}));
    assert_eq!(
        patch(json!({ "": "x" })).refusal(),
        (422, "invalid-values".to_owned())
    );
}

#[test]
fn a_copy_has_the_terms_of_the_other_but_for_what_is_said() {
    let house = House::open();
    let id = publish(
        &house,
        json!({
            "name": "first", "quantity": 5, "discount": { "type": "percent", "value": 10, "maxAmount": 50 },
            "minOrderAmount": 7, "currency": "USD", "timeZone": "Europe/Berlin", "showRemaining": false,
            "labels": { "a": "1" },
        }),
    );
    assert_eq!(house.issue(id, "a").status, 201);
    let pause = format!("/v1/admin/coupons/{id}/pause");
    let first = house.ask("POST", &pause, &house.admin, Value::Null).json();
    let path = format!("/v1/admin/coupons/{id}/clone");
    let clone = |body: Value| house.ask("POST", &path, &house.admin, body);

    let same = clone(Value::Null);
    assert_eq!(
        (same.status, same.header("location")),
        (201, Some("/v1/admin/coupons/2"))
    );
    let mut expected = first.clone();
    for (field, value) in [
        ("id", json!(2)),
        ("state", json!("open")),
        ("paused", json!(false)),
        ("issued", json!(0)),
        ("remaining", json!(5)),
        ("revision", json!(1)),
    ] {
        expected[field] = value;
    }
    assert_eq!(same.json(), expected);

    let over = json!({
        "name": "second", "opensAt": "2026-07-01T00:00:00Z", "closesAt": "2026-07-02T00:00:00Z", "quantity": null,
        "expiresAt": "2026-08-01T00:00:00Z", "discount": null, "minOrderAmount": 0, "labels": {},
        "showRemaining": true, "currency": "KRW", "timeZone": "Asia/Seoul",
    });
    let other = clone(over.clone()).json();
    for (field, value) in over.as_object().unwrap() {
        let shown = &other[field];
        let same = match value.as_str().filter(|text| text.ends_with('Z')) {
            Some(text) => shown.as_str().unwrap().starts_with(&text[..text.len() - 1]),
            None => shown == value,
        };
        assert!(same, "{field}: {shown}");
    }
    assert_eq!(other["validFor"], Value::Null);

    for (body, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "closesAt": "2026-05-01T00:00:00Z" }), "closesAt"),
        (json!({ "expiresAt": "2026-06-01T00:30:00Z" }), "expiresAt"),
        (
            json!({ "expiresAt": "2026-09-01T00:00:00Z", "validFor": "P1D" }),
            "expiresAt",
        ),
        (json!({ "strategy": "redis-script" }), "strategy"),
        (json!({ "timeZone": "Mars/Base" }), "timeZone"),
    ] {
        let answer = clone(body.clone());
        assert_eq!(answer.refusal(), (422, "invalid-values".to_owned()), "{body}");
        assert_eq!(answer.json()["errors"][0]["field"], field, "{body}");
    }
    house.clock.shift(3_600_000_000);
    let answer = clone(json!({}));
    assert_eq!(
        answer.json()["errors"][0]["field"],
        "closesAt",
        "its window is over"
    );
    assert_eq!(
        house
            .ask("POST", "/v1/admin/coupons/99/clone", &house.admin, Value::Null)
            .refusal(),
        (404, "unknown-coupon".to_owned())
    );
}

#[test]
fn the_same_copy_asked_for_twice_with_one_key_is_made_once() {
    let house = House::open();
    let id = house.publish(json!(1));
    let path = format!("/v1/admin/coupons/{id}/clone");
    let twice = [(); 2].map(|()| {
        let key = [("idempotency-key", "k")];
        house.ask_with("POST", &path, &house.admin, &key, json!({}))
    });
    assert_eq!(twice[0].json(), twice[1].json());
    assert_eq!(twice[1].header("idempotent-replayed"), Some("true"));
    assert_eq!(found(&house, ""), [1, 2]);
}
