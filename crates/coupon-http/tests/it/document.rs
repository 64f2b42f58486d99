//! The OpenAPI document: held against the router and against the committed file.

use crate::house::House;
use coupon_http::Hall;
use serde_json::Value;
use std::path::Path;

const COMMITTED: &str = include_str!("../../../../openapi.json");

fn document() -> Value {
    serde_json::from_str(&Hall::document()).unwrap()
}

#[test]
fn the_committed_document_is_the_one_the_code_makes() {
    if Hall::document() == COMMITTED {
        return;
    }
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("openapi.json");
    std::fs::write(&fresh, Hall::document()).unwrap();
    panic!("openapi.json is stale; the fresh one is {}", fresh.display());
}

#[test]
fn the_document_is_served_as_committed() {
    let house = House::open();
    let answer = house.get("/openapi.json", "");
    assert_eq!((answer.status, answer.text().as_str()), (200, COMMITTED));
    assert!(document()["openapi"].as_str().unwrap().starts_with("3.1"));
}

#[test]
fn every_documented_path_and_method_is_routed_and_no_other_method_is() {
    let house = House::open();
    for (path, item) in document()["paths"].as_object().unwrap() {
        let concrete = path
            .replace("{couponId}", "1")
            .replace("{userId}", "u")
            .replace("{file}", "f")
            .replace("{id}", "x");
        for method in ["get", "post", "put", "patch", "delete"] {
            let answer = house.ask(&method.to_uppercase(), &concrete, "", Value::Null);
            let documented = item.get(method).is_some();
            assert_eq!(
                answer.status != 405,
                documented,
                "{method} {path}: {}",
                answer.status
            );
            if answer.status == 404 {
                assert_ne!(
                    answer.refusal().1,
                    if path == "/docs/{file}" {
                        ""
                    } else {
                        "unknown-path"
                    },
                    "{path}"
                );
            }
        }
    }
}

#[test]
fn every_path_of_the_interface_that_is_built_is_documented() {
    let document = document();
    for (method, path) in [
        ("post", "/v1/coupons/{couponId}/issues"),
        ("get", "/v1/coupons/{couponId}"),
        ("get", "/v1/coupons/{couponId}/time"),
        ("get", "/v1/me/coupons"),
        ("get", "/v1/users/{userId}/coupons"),
        ("get", "/v1/issued-coupons/{id}"),
        ("post", "/v1/issued-coupons/lookup"),
        ("get", "/v1/issued-coupons/{id}/history"),
        ("post", "/v1/issued-coupons/{id}/quote"),
        ("post", "/v1/issued-coupons/{id}/redemption"),
        ("post", "/v1/issued-coupons/{id}/redemption/cancel"),
        ("post", "/v1/admin/issued-coupons/{id}/revoke"),
        ("post", "/v1/admin/coupons"),
        ("get", "/v1/admin/coupons"),
        ("get", "/v1/admin/coupons/{couponId}"),
        ("patch", "/v1/admin/coupons/{couponId}"),
        ("delete", "/v1/admin/coupons/{couponId}"),
        ("post", "/v1/admin/coupons/{couponId}/pause"),
        ("post", "/v1/admin/coupons/{couponId}/resume"),
        ("post", "/v1/admin/coupons/{couponId}/close"),
        ("get", "/v1/admin/coupons/{couponId}/stats"),
        ("get", "/v1/admin/coupons/{couponId}/issued-coupons"),
        ("get", "/v1/admin/coupons/{couponId}/issued-coupons.csv"),
        ("post", "/v1/admin/coupons/{couponId}/clone"),
        ("get", "/v1/admin/audit-log"),
        ("get", "/v1/coupons/{couponId}/events"),
        ("get", "/v1/admin/coupons/{couponId}/events"),
        ("post", "/v1/admin/keys"),
        ("get", "/v1/admin/keys"),
        ("get", "/v1/admin/reconciliation"),
        ("post", "/v1/admin/reconciliation/repair"),
        ("post", "/v1/admin/keys/{id}/revoke"),
        ("post", "/v1/admin/webhooks"),
        ("get", "/v1/admin/webhooks"),
        ("get", "/v1/admin/webhooks/{id}"),
        ("patch", "/v1/admin/webhooks/{id}"),
        ("delete", "/v1/admin/webhooks/{id}"),
        ("post", "/v1/admin/webhooks/{id}/rotate-secret"),
        ("post", "/v1/admin/webhooks/{id}/ping"),
        ("get", "/v1/admin/webhooks/{id}/deliveries"),
        ("post", "/v1/admin/webhooks/{id}/deliveries/{notification}/replay"),
        ("put", "/v1/users/{userId}/contact"),
        ("delete", "/v1/users/{userId}/contact"),
        ("get", "/v1/admin/dead-letters"),
        ("get", "/v1/admin/dead-letters/{id}"),
        ("post", "/v1/admin/dead-letters/{id}/replay"),
        ("post", "/v1/admin/dead-letters/{id}/dismiss"),
        ("get", "/livez"),
        ("get", "/readyz"),
        ("get", "/metrics"),
        ("get", "/openapi.json"),
        ("get", "/docs"),
    ] {
        let operation = &document["paths"][path][method];
        assert!(operation["operationId"].is_string(), "{method} {path}");
        assert!(operation["summary"].is_string(), "{method} {path}");
    }
}

#[test]
fn every_operation_declares_its_refusals_headers_and_bounds() {
    let document = document();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if !path.starts_with("/v1/") {
                continue;
            }
            let shown = format!("{method} {path}");
            let responses = operation["responses"].as_object().unwrap();
            let mut expected = vec!["400"];
            if operation.get("security").is_some() {
                expected.extend(["401", "403"]);
            }
            if operation.get("requestBody").is_some() {
                expected.extend(["408", "413", "415", "422"]);
            }
            for status in expected {
                let problem = &responses[status]["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(problem, "#/components/schemas/Problem", "{shown} {status}");
            }
            let none = Vec::new();
            let parameters = operation["parameters"].as_array().unwrap_or(&none);
            let repeatable = parameters.iter().any(|known| known["name"] == "Idempotency-Key");
            // The key of an issue belongs to coupon and user, whatever else is asked.
            if repeatable
                && operation["operationId"] != "issueCoupon"
                && operation.get("requestBody").is_some()
            {
                let said = responses["422"]["description"].as_str().unwrap();
                assert!(said.contains("`idempotency-key-reused`"), "{shown}: {said}");
            }
            for (status, response) in responses {
                let header = |name: &str| response["headers"].get(name).is_some();
                let done = status.starts_with('2');
                assert_eq!(
                    header("Idempotent-Replayed"),
                    done && repeatable,
                    "{shown} {status}"
                );
                if status == "503" || status == "429" {
                    assert!(header("Retry-After"), "{shown} {status}");
                }
            }
            for parameter in parameters {
                let schema = &parameter["schema"];
                match parameter["name"].as_str().unwrap() {
                    "couponId" => assert_eq!(schema["minimum"], 1, "{shown}"),
                    "limit" => assert_eq!(
                        (&schema["minimum"], &schema["maximum"]),
                        (&1.into(), &1000.into()),
                        "{shown}"
                    ),
                    _ => {}
                }
            }
        }
    }
    for (path, method, status, headers) in [
        (
            "/v1/coupons/{couponId}/issues",
            "post",
            "201",
            vec!["RateLimit", "RateLimit-Policy", "Idempotent-Replayed"],
        ),
        (
            "/v1/coupons/{couponId}/issues",
            "post",
            "403",
            vec!["Retry-After"],
        ),
        (
            "/v1/issued-coupons/lookup",
            "post",
            "429",
            vec!["RateLimit", "RateLimit-Policy", "Retry-After"],
        ),
        ("/v1/admin/coupons", "post", "201", vec!["ETag", "Location"]),
        ("/v1/admin/coupons/{couponId}", "get", "200", vec!["ETag"]),
    ] {
        let response = &document["paths"][path][method]["responses"][status];
        for header in headers {
            assert!(
                response["headers"].get(header).is_some(),
                "{method} {path} {header}"
            );
        }
    }
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn visit(value: &Value, whole: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    let target = whole.pointer(reference.trim_start_matches('#'));
                    assert!(target.is_some(), "{reference}");
                }
                fields.values().for_each(|value| visit(value, whole));
            }
            Value::Array(items) => items.iter().for_each(|value| visit(value, whole)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = document();
    visit(&document, &document);
}

#[test]
fn the_pages_of_the_documentation_load_nothing_from_elsewhere_and_run_no_inline_script() {
    let house = House::open();
    let redirect = house.get("/docs", "");
    assert_eq!(
        (redirect.status, redirect.header("location")),
        (303, Some("/docs/"))
    );
    let index = house.get("/docs/", "");
    let policy = index.header("content-security-policy").unwrap();
    assert!(
        policy.contains("default-src 'none'") && policy.contains("script-src 'self';"),
        "{policy}"
    );
    let page = index.text();
    assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
    for script in page.split("<script").skip(1) {
        let body = script
            .split('>')
            .nth(1)
            .unwrap()
            .split("</script")
            .next()
            .unwrap();
        assert!(body.trim().is_empty(), "an inline script: {body}");
        let source = script.split("src=\"").nth(1).unwrap().split('"').next().unwrap();
        let file = house.get(&format!("/docs/{}", source.trim_start_matches("./")), "");
        assert_eq!(file.status, 200, "{source}");
    }
    assert!(
        house
            .get("/docs/swagger-initializer.js", "")
            .text()
            .contains("/openapi.json")
    );
}
