//! Redemption over HTTP: quote, redeem, give back, take back.

use crate::client::Answer;
use crate::house::{House, NOW_US, coupon, token, token_of};
use coupon_app::Clock;
use serde_json::{Value, json};

/// A house with a coupon of ten per cent, at most 5,000, on orders of 20,000 and more, issued to these users and
/// arrived in the store.
pub(crate) fn shop(users: &[&str]) -> House {
    stocked(House::open(), users)
}

pub(crate) fn stocked(house: House, users: &[&str]) -> House {
    let mut body = coupon(json!(null));
    body["discount"] = json!({ "type": "percent", "value": 10, "maxAmount": 5_000 });
    body["minOrderAmount"] = json!(20_000);
    let made = house.ask("POST", "/v1/admin/coupons", &house.admin, body);
    assert_eq!(made.status, 201, "{made:?}");
    for user in users {
        assert_eq!(house.issue(1, user).status, 201);
    }
    house.catch_up();
    house
}

pub(crate) fn redeem(house: &House, id: &str, credential: &str, order: &str, amount: u64) -> Answer {
    let path = format!("/v1/issued-coupons/{id}/redemption");
    house.ask(
        "POST",
        &path,
        credential,
        json!({ "orderId": order, "orderAmount": amount }),
    )
}

pub(crate) fn cancel(house: &House, id: &str, order: &str) -> Answer {
    let path = format!("/v1/issued-coupons/{id}/redemption/cancel");
    house.ask("POST", &path, &house.redeemer, json!({ "orderId": order }))
}

pub(crate) fn quote(house: &House, id: &str, credential: &str, amount: u64) -> Answer {
    let path = format!("/v1/issued-coupons/{id}/quote");
    house.ask("POST", &path, credential, json!({ "orderAmount": amount }))
}

pub(crate) fn revoke(house: &House, id: &str) -> Answer {
    house.ask(
        "POST",
        &format!("/v1/admin/issued-coupons/{id}/revoke"),
        &house.admin,
        Value::Null,
    )
}

pub(crate) fn state(house: &House, id: &str) -> Value {
    house
        .get(&format!("/v1/issued-coupons/{id}"), &house.redeemer)
        .json()["state"]
        .clone()
}

pub(crate) fn replayed(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

pub(crate) fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn a_user_redeems_their_own_once_and_a_service_anybodys() {
    let house = shop(&["kim", "lee"]);
    let kim = token("kim");
    let quoted = quote(&house, "1-1", &kim, 49_991);
    assert_eq!(quoted.status, 200);
    let expected = json!({
        "id": "1-1", "orderAmount": 49_991, "discountAmount": 5_000, "payableAmount": 44_991, "currency": "KRW",
        "expiresAt": "2026-07-01T00:00:00.000000Z",
    });
    assert_eq!(quoted.json(), expected);

    house.clock.shift(1_000_000);
    let first = redeem(&house, "1-1", &kim, "order-1", 49_991);
    assert_eq!((first.status, replayed(&first)), (200, false), "{first:?}");
    let shown = house.get("/v1/issued-coupons/1-1", &kim).json();
    assert_eq!(
        (&shown["state"], &shown["orderId"], &shown["redeemedAt"]),
        (
            &json!("redeemed"),
            &json!("order-1"),
            &json!("2026-06-01T00:00:01.000000Z")
        )
    );
    let mut expected = shown;
    for (name, value) in [
        ("orderAmount", json!(49_991)),
        ("discountAmount", json!(5_000)),
        ("payableAmount", json!(44_991)),
        ("currency", json!("KRW")),
    ] {
        expected[name] = value;
    }
    assert_eq!(first.json(), expected);

    house.clock.shift(1_000_000);
    let again = redeem(&house, "1-1", &kim, "order-1", 49_991);
    assert_eq!(
        (again.status, replayed(&again), again.json()),
        (200, true, first.json())
    );
    let by_service = redeem(&house, "1-1", &house.redeemer, "order-1", 49_991);
    assert_eq!((by_service.status, replayed(&by_service)), (200, true));
    assert_eq!(
        redeem(&house, "1-1", &kim, "order-1", 49_990).refusal(),
        refused(409, "order-mismatch")
    );
    let other = redeem(&house, "1-1", &kim, "order-2", 49_991);
    assert_eq!(other.refusal(), refused(409, "already-redeemed"));
    assert_eq!(other.json()["redeemedAt"], "2026-06-01T00:00:01.000000Z");
    let quoted = quote(&house, "1-1", &kim, 49_991);
    assert_eq!(quoted.refusal(), refused(409, "already-redeemed"));
    assert_eq!(
        quoted.json()["detail"],
        "This coupon was used already, at 2026-06-01 00:00:01 (UTC).",
        "a quote names no order"
    );

    for answer in [
        redeem(&house, "1-2", &kim, "order-2", 50_000),
        quote(&house, "1-2", &kim, 50_000),
        redeem(&house, "1-3", &kim, "order-2", 50_000),
        house.get("/v1/issued-coupons/1-2/history", &kim),
    ] {
        assert_eq!(answer.refusal(), refused(404, "unknown-issued-coupon"));
    }
    assert_eq!(
        redeem(&house, "1-2", &house.redeemer, "order-2", 50_000).status,
        200
    );
    let wallet = house.get("/v1/me/coupons?state=redeemed", &kim).json();
    assert_eq!(wallet["data"][0]["orderId"], "order-1");
    assert_eq!(
        house.get("/v1/me/coupons?state=issued", &kim).json()["data"],
        json!([])
    );
}

#[test]
fn who_may_do_what_is_what_the_interface_says() {
    let house = shop(&["kim"]);
    let kim = token("kim");
    let cases = [
        (
            "POST",
            "/v1/issued-coupons/1-1/quote",
            json!({ "orderAmount": 1 }),
            [true, false, true, true],
        ),
        (
            "POST",
            "/v1/issued-coupons/1-1/redemption",
            json!({ "orderId": "a", "orderAmount": 1 }),
            [true, false, true, true],
        ),
        (
            "POST",
            "/v1/issued-coupons/1-1/redemption/cancel",
            json!({ "orderId": "a" }),
            [false, false, true, true],
        ),
        (
            "GET",
            "/v1/issued-coupons/1-1/history",
            Value::Null,
            [true, true, true, true],
        ),
        (
            "POST",
            "/v1/admin/issued-coupons/1-1/revoke",
            Value::Null,
            [false, false, false, true],
        ),
    ];
    for (method, path, body, may) in cases {
        let callers = [&kim, &house.service, &house.redeemer, &house.admin];
        for (caller, may) in callers.into_iter().zip(may) {
            let answer = house.ask(method, path, caller, body.clone());
            let permitted = answer.status != 403;
            assert_eq!(permitted, may, "{path}: {answer:?}");
            if !may {
                assert_eq!(answer.refusal().1, "wrong-scope");
            }
        }
        assert_eq!(
            house.ask(method, path, "", body.clone()).refusal(),
            refused(401, "authentication-required")
        );
        assert_eq!(
            house.ask(method, path, "nonsense", body).refusal(),
            refused(401, "invalid-credentials")
        );
    }
}

#[test]
fn a_use_is_given_back_once_and_only_to_its_order_and_can_be_taken_again() {
    let house = shop(&["kim"]);
    assert_eq!(cancel(&house, "1-1", "a").refusal(), refused(409, "not-redeemed"));
    redeem(&house, "1-1", &house.redeemer, "a", 20_000);
    assert_eq!(
        cancel(&house, "1-1", "b").refusal(),
        refused(409, "order-mismatch")
    );
    let back = cancel(&house, "1-1", "a");
    assert_eq!((back.status, replayed(&back)), (200, false));
    assert_eq!(
        (
            &back.json()["state"],
            &back.json()["orderId"],
            &back.json()["redeemedAt"]
        ),
        (&json!("issued"), &json!(null), &json!(null))
    );
    let again = cancel(&house, "1-1", "a");
    assert_eq!(
        (again.status, replayed(&again), again.json()),
        (200, true, back.json())
    );
    assert_eq!(redeem(&house, "1-1", &token("kim"), "b", 30_000).status, 200);
    // Somebody's late repetition does not give the other order's use back.
    let late = cancel(&house, "1-1", "a");
    assert_eq!(
        (late.status, replayed(&late), &late.json()["orderId"]),
        (200, true, &json!("b"))
    );
    assert_eq!(state(&house, "1-1"), "redeemed");
    let stats = house.get("/v1/admin/coupons/1/stats", &house.admin).json();
    assert_eq!((&stats["redeemed"], &stats["cancelled"]), (&json!(1), &json!(1)));
}

/// Moves the house's clock to the end of the validity of what it issued, less so many microseconds.
fn wait_until_before_the_end(house: &House, micros: i64) {
    let end = NOW_US + 30 * 86_400_000_000;
    house.clock.shift(end - micros - house.clock.now().as_micros());
}

#[test]
fn the_last_microsecond_is_in_time_and_the_first_after_is_not() {
    let house = shop(&["kim", "lee", "park"]);
    wait_until_before_the_end(&house, 1);
    let in_time = redeem(&house, "1-1", &house.redeemer, "a", 20_000);
    assert_eq!(
        (in_time.status, &in_time.json()["state"]),
        (200, &json!("redeemed"))
    );
    wait_until_before_the_end(&house, 0);
    for answer in [
        redeem(&house, "1-2", &house.redeemer, "a", 20_000),
        quote(&house, "1-2", &house.redeemer, 20_000),
    ] {
        assert_eq!(answer.refusal(), refused(410, "expired"));
        assert_eq!(answer.json()["expiresAt"], "2026-07-01T00:00:00.000000Z");
    }
    // Whoever lost the answer still learns it, and an order that is returned late is returned.
    assert!(replayed(&redeem(&house, "1-1", &house.redeemer, "a", 20_000)));
    let back = cancel(&house, "1-1", "a");
    assert_eq!((back.status, &back.json()["state"]), (200, &json!("expired")));
    assert!(replayed(&cancel(&house, "1-1", "a")));
    assert_eq!(
        redeem(&house, "1-1", &house.redeemer, "a", 20_000).refusal(),
        refused(410, "expired")
    );
    let stats = house.get("/v1/admin/coupons/1/stats", &house.admin).json();
    assert_eq!((&stats["expired"], &stats["redeemed"]), (&json!(3), &json!(0)));
}

#[test]
fn what_is_taken_back_is_not_used_again_and_makes_no_room() {
    let house = shop(&["kim", "lee"]);
    let revoked = revoke(&house, "1-1");
    assert_eq!(
        (revoked.status, &revoked.json()["state"]),
        (200, &json!("revoked"))
    );
    assert!(replayed(&revoke(&house, "1-1")));
    let refusal = redeem(&house, "1-1", &token("kim"), "a", 20_000);
    assert_eq!(refusal.refusal(), refused(410, "revoked"));
    assert_eq!(refusal.json()["revokedAt"], "2026-06-01T00:00:00.000000Z");
    assert_eq!(
        quote(&house, "1-1", &token("kim"), 1).refusal(),
        refused(410, "revoked")
    );
    let again = house.issue(1, "kim");
    assert_eq!(again.refusal(), refused(409, "already-issued"));
    assert_eq!(again.json()["issuedCoupon"]["state"], "revoked");

    redeem(&house, "1-2", &house.redeemer, "a", 20_000);
    assert_eq!(revoke(&house, "1-2").json()["orderId"], "a");
    assert!(replayed(&redeem(&house, "1-2", &house.redeemer, "a", 20_000)));
    assert_eq!(cancel(&house, "1-2", "a").json()["state"], "revoked");
    assert_eq!(
        redeem(&house, "1-2", &house.redeemer, "a", 20_000).refusal(),
        refused(410, "revoked")
    );
    let stats = house.get("/v1/admin/coupons/1/stats", &house.admin).json();
    assert_eq!(
        (
            &stats["revoked"],
            &stats["redeemed"],
            &stats["cancelled"],
            &stats["issued"]
        ),
        (&json!(2), &json!(0), &json!(1), &json!(2))
    );
    for unknown in ["1-3", "9-1", "x", "1-0"] {
        assert_eq!(
            revoke(&house, unknown).refusal(),
            refused(404, "unknown-issued-coupon")
        );
    }
}

#[test]
fn an_order_below_the_minimum_is_told_the_minimum() {
    let house = shop(&["kim"]);
    for amount in [0, 19_999] {
        for answer in [
            redeem(&house, "1-1", &house.redeemer, "a", amount),
            quote(&house, "1-1", &house.redeemer, amount),
        ] {
            assert_eq!(answer.refusal(), refused(422, "below-minimum"));
            assert_eq!(answer.json()["minOrderAmount"], 20_000);
        }
    }
    assert_eq!(
        redeem(&house, "1-1", &house.redeemer, "a", 20_000).json()["discountAmount"],
        2_000
    );
}

#[test]
fn a_coupon_that_does_not_say_what_it_gives_says_so() {
    let house = House::open();
    house.publish(json!(null));
    house.issue(1, "kim");
    house.catch_up();
    let quoted = quote(&house, "1-1", &house.redeemer, 0).json();
    assert_eq!(
        (&quoted["discountAmount"], &quoted["payableAmount"]),
        (&json!(null), &json!(null))
    );
    let redeemed = redeem(&house, "1-1", &house.redeemer, "a", (1 << 53) - 1).json();
    assert_eq!(
        (&redeemed["orderAmount"], &redeemed["discountAmount"]),
        (&json!(9_007_199_254_740_991_u64), &json!(null))
    );
}

#[test]
fn a_change_of_the_discount_concerns_only_what_is_not_yet_issued() {
    let house = shop(&["kim"]);
    let change = json!({ "discount": { "type": "amount", "value": 1 }, "minOrderAmount": 0 });
    assert_eq!(
        house
            .ask("PATCH", "/v1/admin/coupons/1", &house.admin, change)
            .status,
        200
    );
    house.issue(1, "lee");
    house.catch_up();
    assert_eq!(
        quote(&house, "1-1", &house.redeemer, 30_000).json()["discountAmount"],
        3_000
    );
    assert_eq!(
        quote(&house, "1-1", &house.redeemer, 1).refusal().1,
        "below-minimum"
    );
    assert_eq!(
        quote(&house, "1-2", &house.redeemer, 30_000).json()["discountAmount"],
        1
    );
    assert_eq!(
        redeem(&house, "1-2", &house.redeemer, "a", 0).json()["discountAmount"],
        0
    );
}

#[test]
fn of_many_who_redeem_at_once_one_succeeds() {
    let house = shop(&["kim"]);
    let statuses: Vec<(u16, bool)> = std::thread::scope(|scope| {
        let runners: Vec<_> = (0..8)
            .map(|runner| {
                let house = &house;
                scope.spawn(move || {
                    let mut client = house.client();
                    let bearer = format!("Bearer {}", house.redeemer);
                    let headers = [
                        ("authorization", bearer.as_str()),
                        ("content-type", "application/json"),
                    ];
                    let ask = |number: usize| {
                        let body =
                            json!({ "orderId": format!("order-{runner}-{number}"), "orderAmount": 20_000 });
                        let body = body.to_string().into_bytes();
                        let answer =
                            client.send("POST", "/v1/issued-coupons/1-1/redemption", &headers, &body);
                        (answer.status, replayed(&answer))
                    };
                    (0..125).map(ask).collect::<Vec<_>>()
                })
            })
            .collect();
        runners
            .into_iter()
            .flat_map(|runner| runner.join().unwrap())
            .collect()
    });
    assert_eq!(statuses.len(), 1_000);
    let won = statuses.iter().filter(|answer| **answer == (200, false)).count();
    let lost = statuses.iter().filter(|answer| **answer == (409, false)).count();
    assert_eq!((won, lost), (1, 999));
}

#[test]
fn refusals_speak_korean_too() {
    let house = shop(&["kim", "lee"]);
    redeem(&house, "1-1", &house.redeemer, "a", 20_000);
    revoke(&house, "1-2");
    let ask = |path: &str, body: Value| {
        house
            .ask_with("POST", path, &house.redeemer, &[("accept-language", "ko")], body)
            .json()
    };
    let order = |id: &str, amount: u64| json!({ "orderId": id, "orderAmount": amount });
    for (answer, title) in [
        (
            ask("/v1/issued-coupons/1-1/redemption", order("b", 20_000)),
            "이미 사용됨",
        ),
        (
            ask("/v1/issued-coupons/1-1/redemption", order("a", 1)),
            "다른 주문",
        ),
        (
            ask("/v1/issued-coupons/1-2/redemption", order("a", 20_000)),
            "회수됨",
        ),
        (
            ask(
                "/v1/issued-coupons/1-2/redemption/cancel",
                json!({ "orderId": "a" }),
            ),
            "사용 내역 없음",
        ),
    ] {
        assert_eq!(answer["title"], title);
    }
    cancel(&house, "1-1", "a");
    let small = ask("/v1/issued-coupons/1-1/redemption", order("b", 19_999));
    assert_eq!(small["detail"], "주문 금액이 20000 이상이어야 합니다.");
    house.clock.shift(31 * 86_400_000_000);
    let late = ask("/v1/issued-coupons/1-1/redemption", order("b", 20_000));
    assert_eq!(
        late["detail"],
        "유효기간이 끝난 쿠폰입니다. 만료 시각: 2026-07-01 00:00:00 (UTC)."
    );
}

#[test]
fn a_token_that_has_run_out_redeems_nothing() {
    let house = shop(&["kim"]);
    let old = token_of(&json!({ "sub": "kim", "exp": NOW_US / 1_000_000 - 3_600 }));
    assert_eq!(
        redeem(&house, "1-1", &old, "a", 20_000).refusal(),
        refused(401, "token-expired")
    );
    assert_eq!(state(&house, "1-1"), "issued");
}
