//! How often a client may ask.

use crate::house::{House, token};
use coupon_http::Rate;
use serde_json::json;
use std::num::NonZeroU32;
use std::time::Duration;

/// So slow that nothing comes back during a test.
fn rate(requests: u32) -> Option<Rate> {
    Some(Rate {
        requests: NonZeroU32::new(requests).unwrap(),
        per: Duration::from_secs(36_000),
    })
}

#[test]
fn a_user_over_the_limit_is_told_when_to_come_back_and_nothing_happens() {
    let house = House::with(|settings| settings.rates.issue_per_user = rate(3));
    let id = house.publish(json!(9));
    let path = format!("/v1/coupons/{id}/issues");
    for left in (0..3).rev() {
        let answer = house.ask("POST", &path, &token("a"), json!({}));
        assert_ne!(answer.status, 429);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"issue\";q=3;w=36000"));
        let state = answer.header("ratelimit").unwrap();
        assert!(state.starts_with(&format!("\"issue\";r={left};t=")), "{state}");
    }
    let answer = house.ask("POST", &path, &token("a"), json!({}));
    assert_eq!(answer.refusal(), (429, "rate-limited".to_owned()));
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((11_900..=12_000).contains(&seconds), "{seconds}");
    assert!(
        answer
            .header("ratelimit")
            .unwrap()
            .starts_with("\"issue\";r=0;t=")
    );
    // Others are not concerned: another user, and services even for the same user.
    assert_eq!(house.ask("POST", &path, &token("b"), json!({})).status, 201);
    for user in 0..20 {
        let answer = house.issue(id, &format!("user-{user}"));
        assert_ne!(answer.status, 429);
        assert_eq!(answer.header("ratelimit"), None);
    }
}

#[test]
fn ten_a_second_is_the_default_for_users_and_none_for_keys_and_addresses() {
    let rates = coupon_http::Rates::default();
    let ten = |per| {
        Some(Rate {
            requests: NonZeroU32::new(10).unwrap(),
            per: Duration::from_secs(per),
        })
    };
    assert_eq!(
        (rates.issue_per_user, rates.wrong_codes_per_user),
        (ten(1), ten(60))
    );
    assert_eq!(
        (
            rates.issue_per_key,
            rates.issue_per_address,
            rates.wrong_codes_per_key
        ),
        (None, None, None)
    );
}

#[test]
fn keys_and_addresses_are_limited_where_configured() {
    let house = House::with(|settings| settings.rates.issue_per_key = rate(2));
    let id = house.publish(json!(9));
    let statuses = [(); 3].map(|()| house.issue(id, "a").status);
    assert_eq!(statuses, [201, 409, 429]);
    let path = format!("/v1/coupons/{id}/issues");
    assert_eq!(
        house
            .ask("POST", &path, &house.admin, json!({ "userId": "b" }))
            .status,
        201,
        "another key"
    );

    let house = House::with(|settings| {
        settings.rates.issue_per_address = rate(1);
        settings.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    });
    let id = house.publish(json!(9));
    let path = format!("/v1/coupons/{id}/issues");
    let from = |address: &str, user: &str| {
        let headers = [("x-forwarded-for", address)];
        house
            .ask_with("POST", &path, &house.service, &headers, json!({ "userId": user }))
            .status
    };
    assert_eq!(
        [
            from("198.51.100.1", "a"),
            from("198.51.100.1", "b"),
            from("198.51.100.2", "c")
        ],
        [201, 429, 201]
    );
}

#[test]
fn a_forwarded_address_from_anybody_else_does_not_help() {
    let house = House::with(|settings| settings.rates.issue_per_address = rate(1));
    let id = house.publish(json!(9));
    let path = format!("/v1/coupons/{id}/issues");
    let statuses = ["198.51.100.1", "198.51.100.2"].map(|address| {
        let headers = [("x-forwarded-for", address)];
        house
            .ask_with(
                "POST",
                &path,
                &house.service,
                &headers,
                json!({ "userId": address }),
            )
            .status
    });
    assert_eq!(statuses, [201, 429]);
}

#[test]
fn wrong_codes_are_counted_and_right_ones_are_not() {
    let house = House::with(|settings| settings.rates.wrong_codes_per_user = rate(3));
    let id = house.publish(json!(9));
    let code = house.issue(id, "a").json()["code"].clone();
    let look_up = |user: &str, code: &serde_json::Value| {
        house
            .ask(
                "POST",
                "/v1/issued-coupons/lookup",
                &token(user),
                json!({ "code": code }),
            )
            .status
    };
    for _ in 0..10 {
        assert_eq!(look_up("a", &code), 200);
    }
    assert_eq!(
        [look_up("a", &json!("x")), look_up("a", &json!("0000-0000-0000"))],
        [422, 404]
    );
    assert_eq!(look_up("a", &code), 200);
    assert_eq!(look_up("a", &json!("0000-0000-0001")), 404);
    assert_eq!(look_up("a", &json!("0000-0000-0002")), 429);
    assert_eq!(
        look_up("a", &code),
        429,
        "or guessing would go on for who also knows a right one"
    );
    assert_eq!(look_up("b", &code), 404, "another user's code is a wrong one");
    for _ in 0..20 {
        let answer = house.ask(
            "POST",
            "/v1/issued-coupons/lookup",
            &house.redeemer,
            json!({ "code": "x" }),
        );
        assert_eq!(answer.status, 422, "services are not limited unless configured");
    }
}

#[test]
fn every_look_up_says_how_many_wrong_codes_are_left() {
    let house = House::with(|settings| {
        settings.rates.wrong_codes_per_user = rate(2);
        settings.rates.wrong_codes_per_key = None;
    });
    let id = house.publish(json!(9));
    let code = house.issue(id, "a").json()["code"].clone();
    let wrong = json!("0000-0000-0000");
    for (code, status, left) in [
        (&code, 200, 2),
        (&wrong, 404, 1),
        (&code, 200, 1),
        (&json!("x"), 422, 0),
        (&wrong, 429, 0),
        (&code, 429, 0),
    ] {
        let body = json!({ "code": code });
        let answer = house.ask("POST", "/v1/issued-coupons/lookup", &token("a"), body);
        assert_eq!(answer.status, status, "{code}");
        let policy = answer.header("ratelimit-policy");
        assert_eq!(policy, Some("\"wrong-codes\";q=2;w=36000"), "{code}");
        let state = answer.header("ratelimit").unwrap();
        let expected = format!("\"wrong-codes\";r={left};t=");
        assert!(state.starts_with(&expected), "{code}: {state}");
        assert_eq!(answer.header("retry-after").is_some(), status == 429, "{code}");
    }
    let body = json!({ "code": wrong });
    let answer = house.ask("POST", "/v1/issued-coupons/lookup", &house.service, body);
    assert_eq!(
        (answer.status, answer.header("ratelimit")),
        (404, None),
        "no limit, nothing to say"
    );
}

#[test]
fn every_wrong_code_gets_one_answer_in_time_and_text() {
    let house = House::open();
    let id = house.publish(json!(9));
    let stored = house.issue(id, "b").json()["code"].clone();
    house.catch_up();
    let pending = house.issue(id, "c").json()["code"].clone();
    let codes = coupon_app::CodeKey::new([9; 16]);
    let of = |coupon: u32, position: u32| {
        let coupon = coupon_core::CouponId::new(coupon).unwrap();
        let position = coupon_core::Position::new(position).unwrap();
        json!(
            codes
                .code(coupon_core::IssuedCouponId { coupon, position })
                .to_string()
        )
    };
    let mut told = Vec::new();
    for code in [
        stored,
        pending,
        of(1, 9),
        of(1, u32::MAX),
        of(77, 1),
        json!("0000-0000-0000"),
    ] {
        let (body, began) = (json!({ "code": code }), std::time::Instant::now());
        let answer = house.ask("POST", "/v1/issued-coupons/lookup", &token("a"), body);
        // Never sooner; how much later is the machine's affair, and the same for all.
        assert!(began.elapsed() >= Duration::from_millis(25), "{code}");
        let mut headers = answer.headers.clone();
        // What is left falls by one with each, whosever the code is.
        headers.retain(|(name, _)| !["x-request-id", "date", "ratelimit"].contains(&name.as_str()));
        told.push((answer.status, headers, answer.text()));
    }
    assert_eq!(told[0].0, 404);
    for other in &told {
        assert_eq!(*other, told[0]);
    }
}
