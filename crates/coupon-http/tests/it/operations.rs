//! Health, metrics, request ids, and what happens when the ledger fails.

use crate::gate::{failing, poisoned, queue_full};
use crate::house::House;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

#[test]
fn a_healthy_server_lives_and_is_ready() {
    let house = House::open();
    assert_eq!(house.get("/livez", "").json(), json!({ "status": "live" }));
    let ready = house.get("/readyz", "");
    assert_eq!(ready.status, 200);
    assert_eq!(
        ready.json(),
        json!({ "status": "ready", "checks": {
            "ledger": { "status": "ready" }, "store": { "status": "ready" },
            "redemption": { "status": "ready" }, "server": { "status": "ready" },
        } })
    );
}

#[test]
fn a_ledger_that_cannot_keep_its_promise_makes_the_server_not_ready_and_says_why() {
    let (fails, wrap) = failing(poisoned());
    let house = House::build(|_| {}, wrap);
    fails.store(true, Ordering::SeqCst);
    let ready = house.get("/readyz", "");
    assert_eq!((ready.status, &ready.json()["status"]), (503, &json!("notReady")));
    assert!(
        ready.json()["checks"]["ledger"]["reason"]
            .as_str()
            .unwrap()
            .contains("restart")
    );
    assert_eq!(house.get("/livez", "").status, 200);
}

#[test]
fn unavailable_is_503_with_a_time_to_retry_and_indeterminate_is_500() {
    for (error, status, code, retry) in [
        (queue_full(), 503, "unavailable", Some("1")),
        (poisoned(), 500, "indeterminate", None),
    ] {
        let (fails, wrap) = failing(error);
        let house = House::build(|_| {}, wrap);
        let id = house.publish(json!(9));
        house.issue(id, "pending");
        fails.store(true, Ordering::SeqCst);
        for (method, path, body) in [
            (
                "POST",
                format!("/v1/coupons/{id}/issues"),
                json!({ "userId": "a" }),
            ),
            ("POST", format!("/v1/admin/coupons/{id}/pause"), Value::Null),
            ("PATCH", format!("/v1/admin/coupons/{id}"), json!({ "name": "x" })),
            ("DELETE", format!("/v1/admin/coupons/{id}"), Value::Null),
        ] {
            let answer = house.ask(method, &path, &house.admin, body);
            assert_eq!(answer.refusal(), (status, code.to_owned()), "{method} {path}");
            assert_eq!(answer.header("retry-after"), retry, "{method} {path}");
        }
        // A question changes nothing, so it is never indeterminate.
        let answer = house.get("/v1/users/pending/coupons", &house.admin);
        assert_eq!(answer.refusal(), (503, "unavailable".to_owned()));
        fails.store(false, Ordering::SeqCst);
        assert_eq!(house.issue(id, "a").status, 201);
    }
}

#[test]
fn every_answer_has_a_request_id_and_a_sane_one_is_kept() {
    let house = House::open();
    house.publish(json!(9));
    let mut seen = std::collections::HashSet::new();
    for (method, path) in [
        ("GET", "/livez"),
        ("GET", "/nowhere"),
        ("POST", "/v1/coupons/1/issues"),
        ("PUT", "/livez"),
        ("GET", "/docs"),
    ] {
        let answer = house.ask(method, path, "", Value::Null);
        assert!(
            seen.insert(answer.header("x-request-id").unwrap().to_owned()),
            "{path}"
        );
        let answer = house.ask_with(method, path, "", &[("x-request-id", "mine-1")], Value::Null);
        assert_eq!(answer.header("x-request-id"), Some("mine-1"));
        let answer = house.ask_with(method, path, "", &[("x-request-id", "<script>")], Value::Null);
        assert_ne!(answer.header("x-request-id"), Some("<script>"));
    }
    let trace = [(
        "traceparent",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )];
    assert_eq!(
        house.ask_with("GET", "/livez", "", &trace, Value::Null).status,
        200
    );
}

/// The value of a metric with these labels.
fn metric(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.split(' ').next() == Some(name))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn metrics_count_what_happened() {
    let house = House::open();
    let id = house.publish(json!(2));
    house.issue(id, "a");
    house.issue(id, "a");
    house.issue(id, "b");
    house.issue(id, "c");
    house.get("/nowhere", "");
    house.hall.store_lag().set_entries(7);
    let answer = house.get("/metrics", "");
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"));
    for (name, value) in [
        ("firstcome_issues_total{outcome=\"issued\"}", 2.0),
        ("firstcome_issues_total{outcome=\"already_issued\"}", 1.0),
        ("firstcome_issues_total{outcome=\"sold_out\"}", 1.0),
        ("firstcome_issue_latency_seconds_count", 4.0),
        ("firstcome_issue_latency_seconds_bucket{le=\"+Inf\"}", 4.0),
        (
            "firstcome_http_requests_total{route=\"/v1/coupons/{couponId}/issues\",status=\"2xx\"}",
            2.0,
        ),
        (
            "firstcome_http_requests_total{route=\"/v1/coupons/{couponId}/issues\",status=\"4xx\"}",
            2.0,
        ),
        (
            "firstcome_http_requests_total{route=\"/v1/admin/coupons\",status=\"2xx\"}",
            1.0,
        ),
        (
            "firstcome_http_requests_total{route=\"none\",status=\"4xx\"}",
            1.0,
        ),
        ("firstcome_http_requests_in_flight", 1.0),
        ("firstcome_store_lag_entries", 7.0),
        ("firstcome_combiner_requests_total", 5.0),
        ("firstcome_coupon_issued{coupon=\"1\"}", 2.0),
        ("firstcome_coupon_remaining{coupon=\"1\"}", 0.0),
        ("firstcome_coupon_pending{coupon=\"1\"}", 2.0),
        ("firstcome_build{version=\"0.0.0-test\",commit=\"none\"}", 1.0),
    ] {
        assert_eq!(metric(&text, name), Some(value), "{name}\n{text}");
    }
    assert!(metric(&text, "firstcome_http_connections").unwrap() >= 1.0);
}
