//! What is kept of redemptions: histories, idempotency keys, what a second issue is told, and what an error promises.

use crate::house::{House, token};
use crate::redeeming::{cancel, quote, redeem, refused, replayed, revoke, shop, state, stocked};
use async_trait::async_trait;
use coupon_app::{
    LedgerError, Reason, Redeemable, RedemptionOutcome, RedemptionRequest, RedemptionStore, StoreError,
};
use coupon_core::{CouponId, HistoryEntry, IssuedCouponId, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;

#[test]
fn the_history_has_every_step_in_order_and_pages() {
    let house = shop(&["kim", "lee"]);
    let kim = token("kim");
    redeem(&house, "1-1", &kim, "a", 30_000);
    redeem(&house, "1-1", &kim, "a", 30_000);
    house.clock.shift(1);
    cancel(&house, "1-1", "a");
    cancel(&house, "1-1", "a");
    house.clock.shift(1);
    redeem(&house, "1-1", &house.redeemer, "b", 20_001);
    redeem(&house, "1-1", &house.redeemer, "c", 20_001);
    house.clock.shift(1);
    revoke(&house, "1-1");
    let history = house.get("/v1/issued-coupons/1-1/history", &house.admin).json();
    let steps = history["data"].as_array().unwrap();
    let of = |name: &str| -> Vec<Value> { steps.iter().map(|step| step[name].clone()).collect() };
    assert_eq!(json!(of("number")), json!([0, 1, 2, 3, 4]));
    assert_eq!(
        json!(of("step")),
        json!(["issued", "redeemed", "redemptionCancelled", "redeemed", "revoked"])
    );
    let second = "2026-06-01T00:00:00.00000";
    let times = ["0Z", "0Z", "1Z", "2Z", "3Z"].map(|micros| format!("{second}{micros}"));
    assert_eq!(json!(of("at")), json!(times));
    assert_eq!(json!(of("by")), json!([null, "holder", "key", "key", "key"]));
    assert_eq!(json!(of("orderId")), json!([null, "a", "a", "b", null]));
    assert_eq!(
        json!(of("orderAmount")),
        json!([null, 30_000, null, 20_001, null])
    );
    assert_eq!(
        json!(of("discountAmount")),
        json!([null, 3_000, null, 2_001, null])
    );
    assert!(of("keyId")[2].is_string() && of("keyId")[1].is_null());
    assert_eq!(history["nextCursor"], json!(null));

    let own = house.get("/v1/issued-coupons/1-1/history", &kim).json();
    assert!(
        own["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|step| step["keyId"].is_null())
    );

    let mut numbers = Vec::new();
    let mut path = "/v1/issued-coupons/1-1/history?limit=2".to_owned();
    loop {
        let page = house.get(&path, &kim).json();
        let data = page["data"].as_array().unwrap();
        assert!((1..=2).contains(&data.len()));
        numbers.extend(data.iter().map(|step| step["number"].as_u64().unwrap()));
        let Some(cursor) = page["nextCursor"].as_str() else {
            break;
        };
        path = format!("/v1/issued-coupons/1-1/history?limit=2&cursor={cursor}");
    }
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    let other = house.get(&path.replace("/1-1/", "/1-2/"), &house.redeemer);
    assert_eq!(
        other.refusal(),
        refused(400, "invalid-cursor"),
        "of another's history"
    );
    for query in ["?limit=0", "?limit=1001", "?state=issued", "?cursor=00"] {
        assert_eq!(
            house
                .get(&format!("/v1/issued-coupons/1-1/history{query}"), &kim)
                .status,
            400
        );
    }
}

#[test]
fn a_refused_second_issue_shows_what_became_of_the_first() {
    let house = shop(&["kim", "lee"]);
    let again = |user: &str| {
        let answer = house.issue(1, user);
        assert_eq!(answer.refusal(), refused(409, "already-issued"));
        answer.json()["issuedCoupon"].clone()
    };
    let fresh = again("kim");
    assert_eq!(
        (&fresh["state"], &fresh["orderId"]),
        (&json!("issued"), &json!(null))
    );
    redeem(&house, "1-1", &token("kim"), "a", 20_000);
    let used = again("kim");
    assert_eq!(
        (&used["state"], &used["orderId"]),
        (&json!("redeemed"), &json!("a"))
    );
    assert_eq!(used, house.get("/v1/issued-coupons/1-1", &token("kim")).json());
    assert_eq!(again("lee")["state"], "issued");
    cancel(&house, "1-1", "a");
    assert_eq!(again("kim"), fresh);
}

#[test]
fn the_same_key_gives_the_same_answer_whatever_has_happened_since() {
    let house = shop(&["kim", "lee"]);
    let ask = |path: &str, credential: &str, key: &str, body: Value| {
        house.ask_with("POST", path, credential, &[("idempotency-key", key)], body)
    };
    let order = |id: &str, amount: u64| json!({ "orderId": id, "orderAmount": amount });
    let path = "/v1/issued-coupons/1-1/redemption";
    let back = "/v1/issued-coupons/1-1/redemption/cancel";
    let revoke = "/v1/admin/issued-coupons/1-1/revoke";
    let small = ask(path, &house.redeemer, "k", order("a", 1));
    assert_eq!(small.refusal(), refused(422, "below-minimum"));
    let first = ask(path, &house.redeemer, "k", order("a", 20_000));
    assert_eq!(
        (first.status, replayed(&first)),
        (200, false),
        "a refusal is not kept"
    );
    let given_back = ask(back, &house.redeemer, "k", json!({ "orderId": "a" }));
    assert_eq!(
        (given_back.status, replayed(&given_back)),
        (200, false),
        "another path is another key"
    );
    let second = ask(path, &house.redeemer, "l", order("a", 30_000));
    assert_eq!((second.status, replayed(&second)), (200, false));
    let taken = ask(revoke, &house.admin, "k", Value::Null);
    house.clock.shift(3_600_000_000);
    for (answer, expected) in [
        (ask(path, &house.redeemer, "k", order("a", 20_000)), &first),
        (
            ask(back, &house.redeemer, "k", json!({ "orderId": "a" })),
            &given_back,
        ),
        (ask(path, &house.redeemer, "\"l\"", order("a", 30_000)), &second),
        (ask(revoke, &house.admin, "k", Value::Null), &taken),
    ] {
        assert_eq!(
            (answer.status, replayed(&answer), answer.json()),
            (200, true, expected.json())
        );
    }
    assert_eq!(state(&house, "1-1"), "revoked");
    for other in [order("a", 20_001), order("b", 20_000)] {
        let answer = ask(path, &house.redeemer, "k", other);
        assert_eq!(answer.refusal(), refused(422, "idempotency-key-reused"));
    }
    // Another caller's key is their own, and a user whose id looks like a key's is another caller.
    assert_eq!(
        ask(path, &token("kim"), "k", order("z", 20_000)).refusal(),
        refused(410, "revoked")
    );
    assert_eq!(
        ask(path, &house.redeemer, "é", order("a", 20_000)).refusal(),
        refused(400, "invalid-header")
    );
    house.clock.shift(24 * 3_600_000_000);
    let next_day = ask(path, &house.redeemer, "k", order("a", 20_000));
    assert_eq!(
        next_day.refusal(),
        refused(409, "order-mismatch"),
        "after a day the key is forgotten"
    );
}

/// A store that fails with the same error whatever it is asked to do.
struct Broken(Arc<dyn RedemptionStore>, LedgerError);

#[async_trait]
impl RedemptionStore for Broken {
    async fn decide(
        &self,
        _: &[RedemptionRequest],
        _: Timestamp,
    ) -> Result<Vec<RedemptionOutcome>, LedgerError> {
        Err(self.1.clone())
    }

    async fn redeemable(&self, _: IssuedCouponId) -> Result<Option<Redeemable>, StoreError> {
        Err(StoreError::lasting("broken"))
    }

    async fn history(
        &self,
        id: IssuedCouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        self.0.history(id, after, limit).await
    }

    async fn with_history(&self, take: &mut (dyn FnMut(IssuedCouponId) + Send)) -> Result<(), StoreError> {
        self.0.with_history(take).await
    }

    async fn used_coupons(&self) -> Result<Vec<CouponId>, StoreError> {
        self.0.used_coupons().await
    }
}

#[test]
fn an_error_says_whether_something_may_have_happened() {
    for (error, expected) in [
        (
            LedgerError::Unavailable(Reason::QueueFull),
            refused(503, "unavailable"),
        ),
        (
            LedgerError::Unavailable(Reason::StoreBehind),
            refused(503, "unavailable"),
        ),
        (
            LedgerError::Indeterminate(Reason::Poisoned),
            refused(500, "indeterminate"),
        ),
    ] {
        let house = House::redeeming(|store| Arc::new(Broken(store, error)));
        let house = stocked(house, &["kim"]);
        let answer = redeem(&house, "1-1", &house.redeemer, "a", 20_000);
        assert_eq!(answer.refusal(), expected);
        assert_eq!(answer.header("retry-after").is_some(), expected.0 == 503);
        assert_eq!(
            quote(&house, "1-1", &house.redeemer, 20_000).refusal(),
            refused(503, "unavailable")
        );
        // A step that may have been taken is looked for, and found not to have been.
        assert_eq!(house.issue(1, "kim").json()["issuedCoupon"]["state"], "issued");
        assert_eq!(
            house.get("/v1/issued-coupons/1-1/history", &house.admin).json()["data"][1],
            json!(null)
        );
    }
}
