//! What users hold, one issued coupon, and look-up by code.

use crate::house::{House, token};
use serde_json::{Value, json};

#[test]
fn a_user_sees_an_issue_as_soon_as_it_was_answered_and_only_their_own() {
    let house = House::open();
    let id = house.publish(json!(9));
    let mine = house.issue(id, "a").json();
    house.issue(id, "b");
    let of_a = |path: &str| house.get(path, &token("a"));
    for _ in 0..2 {
        assert_eq!(
            of_a("/v1/me/coupons").json(),
            json!({ "data": [mine], "nextCursor": null })
        );
        assert_eq!(of_a(&format!("/v1/issued-coupons/{id}-1")).json(), mine);
        let other = of_a(&format!("/v1/issued-coupons/{id}-2"));
        assert_eq!(other.refusal(), (404, "unknown-issued-coupon".to_owned()));
        house.catch_up(); // and once more from the store
    }
    assert_eq!(
        house.get("/v1/users/a/coupons", &token("a")).refusal(),
        (403, "wrong-scope".to_owned())
    );
}

#[test]
fn the_wallet_is_filtered_by_state_as_the_clock_says() {
    let house = House::open();
    let id = house.publish(json!(9));
    house.issue(id, "a");
    house.catch_up();
    let count = |state: &str| {
        let page = house
            .get(&format!("/v1/users/a/coupons?state={state}"), &house.service)
            .json();
        page["data"].as_array().unwrap().len()
    };
    assert_eq!(
        [
            count("issued"),
            count("redeemed"),
            count("expired"),
            count("revoked")
        ],
        [1, 0, 0, 0]
    );
    house.clock.shift(30 * 86_400_000_000);
    assert_eq!(
        [
            count("issued"),
            count("redeemed"),
            count("expired"),
            count("revoked")
        ],
        [0, 0, 1, 0]
    );
    let answer = house.get("/v1/users/a/coupons?state=used", &house.service);
    assert_eq!(answer.refusal(), (400, "invalid-parameter".to_owned()));
}

#[test]
fn a_service_names_the_user_in_the_path_whatever_the_characters() {
    let house = House::open();
    let id = house.publish(json!(9));
    house.issue(id, "홍/길 동?");
    let answer = house.get(
        "/v1/users/%ED%99%8D%2F%EA%B8%B8%20%EB%8F%99%3F/coupons",
        &house.service,
    );
    assert_eq!(answer.json()["data"][0]["userId"], "홍/길 동?");
    for bad in ["%00", "%C3%28", "a%0A", &"x".repeat(129)] {
        let answer = house.get(&format!("/v1/users/{bad}/coupons"), &house.service);
        assert_eq!(answer.refusal(), (404, "unknown-user".to_owned()), "{bad}");
    }
    assert_eq!(
        house.get("/v1/users/nobody/coupons", &house.service).json()["data"],
        json!([])
    );
}

#[test]
fn ids_that_are_none_are_issued_coupons_that_do_not_exist() {
    let house = House::open();
    house.publish(json!(9));
    house.issue(1, "a");
    for id in [
        "1-2",
        "2-1",
        "1-0",
        "0-1",
        "1",
        "1-",
        "-1",
        "1-01",
        "01-1",
        "1-1-1",
        "x",
        "1-4294967296",
        "%00",
    ] {
        let answer = house.get(&format!("/v1/issued-coupons/{id}"), &house.service);
        assert_eq!(
            answer.refusal(),
            (404, "unknown-issued-coupon".to_owned()),
            "{id}"
        );
    }
}

#[test]
fn a_code_leads_to_its_issued_coupon_for_its_holder_and_services() {
    let house = House::open();
    let id = house.publish(json!(9));
    let mine = house.issue(id, "a").json();
    let code = mine["code"].as_str().unwrap();
    let look_up = |credential: &str, code: &str| {
        house.ask(
            "POST",
            "/v1/issued-coupons/lookup",
            credential,
            json!({ "code": code }),
        )
    };
    for spelling in [code.to_owned(), code.to_lowercase(), code.replace('-', "")] {
        assert_eq!(look_up(&token("a"), &spelling).json(), mine);
        assert_eq!(look_up(&house.redeemer, &spelling).json(), mine);
    }
    assert_eq!(
        look_up(&token("b"), code).refusal(),
        (404, "unknown-issued-coupon".to_owned())
    );
    assert_eq!(
        look_up(&house.service, "0000-0000-0000").refusal(),
        (404, "unknown-issued-coupon".to_owned())
    );
    for bad in ["", "x", "0000-0000-000U", &"0".repeat(5_000)] {
        let answer = look_up(&house.service, bad);
        assert_eq!(answer.refusal(), (422, "invalid-values".to_owned()), "{bad}");
        assert_eq!(answer.json()["errors"][0]["code"], "not-a-code");
    }
    let nobody = house.ask("POST", "/v1/issued-coupons/lookup", "", json!({ "code": code }));
    assert_eq!(nobody.refusal(), (401, "authentication-required".to_owned()));
    let nothing = house.ask("POST", "/v1/issued-coupons/lookup", &house.service, Value::Null);
    assert_eq!(nothing.refusal(), (400, "missing-field".to_owned()));
}
