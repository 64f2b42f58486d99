//! `/v1/admin/webhooks`.

use crate::client::Answer;
use crate::house::House;
use async_trait::async_trait;
use coupon_app::limits::MAX_WEBHOOKS;
use coupon_app::{
    ChannelOutcome, DisabledReason, NotificationId, NotificationOutbox, Plan, Recipient, Report, Settled,
    Verdict, Webhook, WebhookPost, WebhookStore, WebhookUrl, WebhookUrlError,
};
use coupon_core::{Span, Timestamp};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use std::sync::Mutex;

const PATH: &str = "/v1/admin/webhooks";

/// Stands where webhooks are sent from: goes nowhere, refuses what begins with `https://10.`, and answers pings as it is
/// told.
#[derive(Debug, Default)]
pub(crate) struct Post {
    pub(crate) outcome: Mutex<Option<ChannelOutcome>>,
    pub(crate) pinged: Mutex<Vec<String>>,
}

#[async_trait]
impl WebhookPost for Post {
    fn accepts(&self, url: &WebhookUrl) -> Result<(), WebhookUrlError> {
        if url.as_str().starts_with("https://10.") {
            Err(WebhookUrlError::PrivateAddress)
        } else if url.as_str().starts_with("http:") {
            Err(WebhookUrlError::NotEncrypted)
        } else {
            Ok(())
        }
    }

    async fn ping(&self, webhook: &Webhook, id: &str, _now: Timestamp) -> ChannelOutcome {
        self.pinged.lock().unwrap().push(format!("{} {id}", webhook.id));
        let outcome = self.outcome.lock().unwrap().clone();
        outcome.unwrap_or_else(|| ChannelOutcome::Delivered(Report::new(Some(204), "accepted")))
    }
}

fn create(house: &House, body: Value) -> Answer {
    house.ask("POST", PATH, &house.admin, body)
}

fn made(house: &House) -> Value {
    let answer = create(house, json!({ "url": "https://shop.example/hook" }));
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

fn kept(house: &House) -> Vec<Webhook> {
    house.webhooks.webhooks().now_or_never().unwrap().unwrap()
}

#[test]
fn a_webhook_is_made_read_and_listed_and_its_secret_is_shown_once() {
    let house = House::open();
    let body = json!({
        "url": "https://shop.example/hook?a=b",
        "description": "창고",
        "events": ["issued_coupon.redeemed", "coupon.sold_out"],
    });
    let answer = create(&house, body);
    assert_eq!((answer.status, answer.header("etag")), (201, Some("\"1\"")));
    let mut shown = answer.json();
    let secret = shown.as_object_mut().unwrap().remove("secret").unwrap();
    let secret = secret.as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() == 6 + 44, "{secret}");
    let expected = json!({
        "id": 1,
        "url": "https://shop.example/hook?a=b",
        "description": "창고",
        "events": ["issued_coupon.redeemed", "coupon.sold_out"],
        "enabled": true,
        "disabledAt": null,
        "disabledReason": null,
        "previousSecretUntil": null,
        "createdAt": "2026-06-01T00:00:00.000000Z",
        "revision": 1,
    });
    assert_eq!(shown, expected);
    let read = house.get("/v1/admin/webhooks/1", &house.admin);
    assert_eq!((read.status, read.json()), (200, expected.clone()));
    let list = house.get(PATH, &house.admin);
    assert_eq!(list.json(), json!({ "data": [expected], "nextCursor": null }));
}

#[test]
fn what_may_not_be_is_named_field_by_field() {
    let house = House::open();
    let long = "x".repeat(201);
    for (body, errors) in [
        (
            json!({ "url": "shop.example" }),
            json!([["url", "not-a-webhook-url"]]),
        ),
        (
            json!({ "url": "http://shop.example/" }),
            json!([["url", "not-encrypted"]]),
        ),
        (
            json!({ "url": "https://10.0.0.1/" }),
            json!([["url", "private-address"]]),
        ),
        (
            json!({ "url": "https://a:b@shop.example/" }),
            json!([["url", "not-a-webhook-url"]]),
        ),
        (
            json!({ "url": "", "description": long, "events": [] }),
            json!([
                ["url", "not-a-webhook-url"],
                ["description", "length"],
                ["events", "empty"]
            ]),
        ),
        (
            json!({ "url": "https://a.example", "description": "a\nb", "events": ["coupon.sold_out", "coupon.sold_out"] }),
            json!([["description", "forbidden-character"], ["events", "repeated"]]),
        ),
    ] {
        let answer = create(&house, body.clone());
        assert_eq!(answer.refusal(), (422, "invalid-values".to_owned()), "{body}");
        let found: Vec<Value> = answer.json()["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| json!([error["field"], error["code"]]))
            .collect();
        assert_eq!(Value::Array(found), errors, "{body}");
    }
    for body in [
        json!({}),
        json!({ "url": 1 }),
        json!({ "url": "https://a.example", "events": ["lost"] }),
        json!({ "url": "https://a.example", "secret": "x" }),
    ] {
        assert_eq!(create(&house, body.clone()).status, 400, "{body}");
    }
    assert_eq!(kept(&house), []);
}

#[test]
fn a_change_keeps_what_is_absent_and_heeds_the_tag() {
    let house = House::open();
    made(&house);
    let path = "/v1/admin/webhooks/1";
    let changed = house.ask(
        "PATCH",
        path,
        &house.admin,
        json!({ "events": ["issued_coupon.issued"], "enabled": false }),
    );
    assert_eq!((changed.status, changed.header("etag")), (200, Some("\"2\"")));
    let changed = changed.json();
    assert_eq!(changed["url"], "https://shop.example/hook");
    assert_eq!(
        (&changed["enabled"], &changed["disabledReason"]),
        (&json!(false), &json!("by-hand"))
    );

    let stale = house.ask_with(
        "PATCH",
        path,
        &house.admin,
        &[("if-match", "\"1\"")],
        json!({ "enabled": true }),
    );
    assert_eq!(stale.refusal(), (412, "stale-revision".to_owned()));
    let fresh = house.ask_with(
        "PATCH",
        path,
        &house.admin,
        &[("if-match", "\"2\"")],
        json!({ "enabled": true, "events": null }),
    );
    assert_eq!(
        (fresh.status, &fresh.json()["enabled"], &fresh.json()["events"]),
        (200, &json!(true), &json!(null))
    );
    let refused = house.ask("PATCH", path, &house.admin, json!({ "url": "https://10.0.0.1/" }));
    assert_eq!(refused.status, 422);
    assert_eq!(kept(&house)[0].revision, 3);
}

#[test]
fn one_that_its_receiver_ended_says_so_and_can_be_enabled() {
    let house = House::open();
    made(&house);
    let gone = kept(&house)
        .remove(0)
        .disabled(Timestamp::MIN, DisabledReason::Gone);
    house
        .webhooks
        .change_webhook(&gone, None)
        .now_or_never()
        .unwrap()
        .unwrap();
    let read = house.get("/v1/admin/webhooks/1", &house.admin).json();
    assert_eq!(
        (&read["enabled"], &read["disabledReason"]),
        (&json!(false), &json!("gone"))
    );
    let enabled = house.ask(
        "PATCH",
        "/v1/admin/webhooks/1",
        &house.admin,
        json!({ "enabled": true }),
    );
    assert_eq!(enabled.json()["disabledReason"], json!(null));
}

#[test]
fn after_a_rotation_both_secrets_are_live_for_a_day() {
    let house = House::open();
    let first = made(&house)["secret"].clone();
    let path = "/v1/admin/webhooks/1/rotate-secret";
    let rotated = house.ask("POST", path, &house.admin, json!({}));
    assert_eq!(rotated.status, 200, "{rotated:?}");
    let rotated = rotated.json();
    assert_ne!(rotated["secret"], first);
    assert_eq!(rotated["previousSecretUntil"], "2026-06-02T00:00:00.000000Z");
    let now = coupon_app::Clock::now(house.clock.as_ref());
    assert_eq!(kept(&house)[0].secrets.live(now).count(), 2);
    house.clock.shift(24 * 3_600 * 1_000_000);
    let read = house.get("/v1/admin/webhooks/1", &house.admin).json();
    assert_eq!(read["previousSecretUntil"], json!(null));
    assert!(read.get("secret").is_none());
}

#[test]
fn a_repeated_request_with_its_key_makes_one_webhook_and_one_rotation() {
    let house = House::open();
    let key = [("idempotency-key", "k-1")];
    let body = json!({ "url": "https://shop.example/hook" });
    let first = house.ask_with("POST", PATH, &house.admin, &key, body.clone());
    let again = house.ask_with("POST", PATH, &house.admin, &key, body);
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.json(), again.json());
    assert_eq!(
        (
            first.header("idempotent-replayed"),
            again.header("idempotent-replayed")
        ),
        (None, Some("true"))
    );
    let other = house.ask_with(
        "POST",
        PATH,
        &house.admin,
        &key,
        json!({ "url": "https://other.example/" }),
    );
    assert_eq!(other.refusal(), (422, "idempotency-key-reused".to_owned()));
    assert_eq!(kept(&house).len(), 1);

    let path = "/v1/admin/webhooks/1/rotate-secret";
    let first = house.ask_with("POST", path, &house.admin, &key, json!({}));
    let again = house.ask_with("POST", path, &house.admin, &key, json!({}));
    assert_eq!(first.json()["secret"], again.json()["secret"]);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(kept(&house)[0].revision, 2);
}

#[test]
fn a_ping_tells_what_came_of_it() {
    let house = House::open();
    made(&house);
    let path = "/v1/admin/webhooks/1/ping";
    for (outcome, expected) in [
        (
            None,
            json!({ "outcome": "delivered", "status": 204, "detail": "accepted" }),
        ),
        (
            Some(ChannelOutcome::RetryLater {
                after: None,
                report: Report::new(Some(500), "not accepted"),
            }),
            json!({ "outcome": "failed", "status": 500, "detail": "not accepted" }),
        ),
        (
            Some(ChannelOutcome::Refused(Report::new(None, "no"))),
            json!({ "outcome": "refused", "status": null, "detail": "no" }),
        ),
        (
            Some(ChannelOutcome::DisableEndpoint(Report::new(Some(410), "gone"))),
            json!({ "outcome": "gone", "status": 410, "detail": "gone" }),
        ),
    ] {
        *house.post.outcome.lock().unwrap() = outcome;
        let answer = house.ask("POST", path, &house.admin, json!({}));
        assert_eq!((answer.status, answer.json()), (200, expected));
    }
    let mut pinged = house.post.pinged.lock().unwrap().clone();
    pinged.dedup();
    assert_eq!(pinged.len(), 4, "each ping has an id of its own: {pinged:?}");
    assert!(
        pinged.iter().all(|ping| ping.starts_with("1 ping-")),
        "{pinged:?}"
    );
}

#[test]
fn what_is_not_there_is_404_and_only_administrators_are_answered() {
    let house = House::open();
    for (method, path) in [
        ("GET", "/v1/admin/webhooks/1"),
        ("GET", "/v1/admin/webhooks/x"),
        ("GET", "/v1/admin/webhooks/0"),
        ("PATCH", "/v1/admin/webhooks/1"),
        ("DELETE", "/v1/admin/webhooks/1"),
        ("POST", "/v1/admin/webhooks/1/ping"),
        ("POST", "/v1/admin/webhooks/1/rotate-secret"),
    ] {
        let body = if method == "GET" { Value::Null } else { json!({}) };
        let answer = house.ask(method, path, &house.admin, body.clone());
        assert_eq!(
            answer.refusal(),
            (404, "unknown-webhook".to_owned()),
            "{method} {path}"
        );
        let answer = house.ask(method, path, &house.service, body);
        assert_eq!(answer.status, 403, "{method} {path}");
    }
    assert_eq!(
        house
            .ask(
                "POST",
                PATH,
                &house.service,
                json!({ "url": "https://a.example" })
            )
            .status,
        403
    );
    assert_eq!(house.get(PATH, "").status, 401);
    made(&house);
    assert_eq!(
        house
            .ask("DELETE", "/v1/admin/webhooks/1", &house.admin, Value::Null)
            .status,
        204
    );
    assert_eq!(kept(&house), []);
}

#[test]
fn there_is_an_end_to_how_many_there_may_be() {
    let house = House::open();
    for _webhook in 0..MAX_WEBHOOKS {
        made(&house);
    }
    let refused = create(&house, json!({ "url": "https://shop.example/hook" }));
    assert_eq!(refused.refusal(), (409, "too-many-webhooks".to_owned()));
    let page = house.get("/v1/admin/webhooks?limit=60", &house.admin).json();
    let cursor = page["nextCursor"].as_str().unwrap();
    let rest = house
        .get(&format!("/v1/admin/webhooks?cursor={cursor}"), &house.admin)
        .json();
    assert_eq!(page["data"].as_array().unwrap().len(), 60);
    assert_eq!(
        (rest["data"].as_array().unwrap().len(), &rest["nextCursor"]),
        (MAX_WEBHOOKS - 60, &json!(null))
    );
}

#[test]
fn deliveries_are_listed_by_webhook_and_state_and_replayed_when_they_have_come_to_an_end() {
    let house = House::open();
    made(&house);
    made(&house);
    let coupon = house.publish(json!(1));
    house.issue(coupon, "kim");
    house.catch_up();
    let body = json!({ "orderId": "A-1", "orderAmount": 50_000 });
    let redeemed = house.ask("POST", "/v1/issued-coupons/1-1/redemption", &house.redeemer, body);
    assert_eq!(redeemed.status, 200, "{redeemed:?}");

    let now = coupon_app::Clock::now(house.clock.as_ref());
    let lease = Span::from_secs(60);
    let store = &house.store;
    let id: NotificationId = "redeemed-1-1-1".parse().unwrap();
    let taken = store.take_new(now, lease, 10).now_or_never().unwrap().unwrap();
    assert!(
        taken.iter().any(|notification| notification.id() == id),
        "{taken:?}"
    );
    let to = |recipient: &str| ("webhook".into(), Recipient::parse(recipient).unwrap());
    let plan = Plan {
        notification: id,
        deliveries: vec![to("1"), to("2")],
    };
    store.plan(&[plan], now).now_or_never().unwrap().unwrap();

    let path = "/v1/admin/webhooks/1/deliveries";
    let listed = house.get(path, &house.admin);
    assert_eq!(listed.status, 200, "{listed:?}");
    let expected = json!({
        "id": "redeemed-1-1-1",
        "event": "issued_coupon.redeemed",
        "at": "2026-06-01T00:00:00.000000Z",
        "state": "waiting",
        "attempts": 0,
        "dueAt": "2026-06-01T00:00:00.000000Z",
        "status": null,
        "detail": "",
    });
    assert_eq!(listed.json(), json!({ "data": [expected], "nextCursor": null }));
    let replay = "/v1/admin/webhooks/1/deliveries/redeemed-1-1-1/replay";
    let early = house.ask("POST", replay, &house.admin, json!({}));
    assert_eq!(early.refusal(), (404, "unknown-delivery".to_owned()));

    let taken = store
        .take_due(&["webhook"], now, lease, 1)
        .now_or_never()
        .unwrap()
        .unwrap();
    let settled = Settled {
        delivery: taken[0].delivery.clone(),
        attempt: taken[0].attempt,
        verdict: Verdict::Dead,
        report: Report::new(Some(500), "not accepted"),
    };
    assert_eq!(settled.delivery.recipient.as_str(), "1");
    store.settle(&[settled], now).now_or_never().unwrap().unwrap();
    let dead = house.get(&format!("{path}?state=dead"), &house.admin).json();
    assert_eq!(
        (
            &dead["data"][0]["status"],
            &dead["data"][0]["detail"],
            &dead["data"][0]["dueAt"]
        ),
        (&json!(500), &json!("not accepted"), &json!(null))
    );
    let waiting = house.get(&format!("{path}?state=waiting"), &house.admin).json();
    assert_eq!(waiting["data"], json!([]));
    assert_eq!(house.get(&format!("{path}?state=lost"), &house.admin).status, 400);

    assert_eq!(house.ask("POST", replay, &house.admin, json!({})).status, 204);
    let waiting = house.get(&format!("{path}?state=waiting"), &house.admin).json();
    assert_eq!(waiting["data"][0]["attempts"], 0);
    for unknown in ["redeemed-1-1-2", "nonsense"] {
        let path = format!("/v1/admin/webhooks/1/deliveries/{unknown}/replay");
        let answer = house.ask("POST", &path, &house.admin, json!({}));
        assert_eq!(
            answer.refusal(),
            (404, "unknown-delivery".to_owned()),
            "{unknown}"
        );
    }
    let nowhere = house.get("/v1/admin/webhooks/7/deliveries", &house.admin);
    assert_eq!(nowhere.refusal(), (404, "unknown-webhook".to_owned()));
}
