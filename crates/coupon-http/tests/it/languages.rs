//! Titles and details in the language of `Accept-Language`; codes and facts stay the same.

use crate::house::House;
use serde_json::json;

#[test]
fn a_refusal_speaks_the_callers_language() {
    let house = House::open();
    let id = house.publish(json!(1));
    house.issue(id, "a");
    for (accept, language, title, detail) in [
        (
            "ko-KR,ko;q=0.9,en;q=0.8",
            "ko",
            "소진",
            "쿠폰이 모두 소진되었습니다.",
        ),
        ("en", "en", "Sold out", "All of this coupon have been issued."),
        ("fr", "en", "Sold out", "All of this coupon have been issued."),
    ] {
        let headers = [("accept-language", accept)];
        let path = format!("/v1/coupons/{id}/issues");
        let answer = house.ask_with("POST", &path, &house.service, &headers, json!({ "userId": "b" }));
        assert_eq!(answer.refusal(), (410, "sold-out".to_owned()));
        assert_eq!(answer.header("content-language"), Some(language));
        assert_eq!(
            (&answer.json()["title"], &answer.json()["detail"]),
            (&json!(title), &json!(detail))
        );
    }
}

#[test]
fn a_korean_answer_is_korean_and_says_as_much_as_an_english_one() {
    let house = House::open();
    let korean = [("accept-language", "ko")];
    let mut body = crate::house::coupon(json!(1));
    body["opensAt"] = json!("2026-06-01T00:30:00Z");
    house.ask("POST", "/v1/admin/coupons", &house.admin, body);
    let token = crate::house::token("a");
    let answer = house.ask_with("POST", "/v1/coupons/1/issues", &token, &korean, json!({}));
    assert_eq!(answer.json()["opensAt"], "2026-06-01T00:30:00.000000Z");
    assert_eq!(
        answer.json()["detail"],
        "이 쿠폰의 발급 시작: 2026-06-01 09:30:00 (Asia/Seoul)."
    );
    let answer = house.ask("POST", "/v1/coupons/1/issues", &token, json!({}));
    assert_eq!(
        answer.json()["detail"],
        "This coupon opens at 2026-06-01 09:30:00 (Asia/Seoul)."
    );
    let answer = house.ask_with("GET", "/v1/admin/coupons", &token, &korean, json!(null));
    assert_eq!(answer.json()["needed"], "admin 권한의 API 키");
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.ends_with("필요한 권한: admin 권한의 API 키."), "{detail}");
    // Every kind of field that there is, with something else in it.
    for (path, field, wrong, expected) in [
        ("/v1/admin/coupons", "name", json!(1), "문자열"),
        ("/v1/admin/coupons", "showRemaining", json!(1), "true 또는 false"),
        ("/v1/admin/coupons", "quantity", json!("1"), "숫자"),
        ("/v1/admin/coupons", "discount", json!(1), "객체"),
        ("/v1/admin/coupons", "labels", json!(1), "값이 모두 문자열인 객체"),
        (
            "/v1/admin/coupons",
            "ack",
            json!("x"),
            "다음 중 하나(ledger, store)",
        ),
        (
            "/v1/admin/coupons",
            "opensAt",
            json!("x"),
            "시간대가 있는 RFC 3339 시각(예: 2026-11-20T09:00:00+09:00)",
        ),
        (
            "/v1/admin/coupons",
            "validFor",
            json!("x"),
            "주, 일, 시, 분, 초로 적은 ISO 8601 기간(예: P30D)",
        ),
        ("/v1/admin/keys", "scopes", json!(1), "배열"),
        ("/v1/admin/webhooks", "events", json!(1), "배열"),
        ("/v1/admin/webhooks", "url", json!(1), "문자열"),
    ] {
        let answer = house.ask_with("POST", path, &house.admin, &korean, json!({ field: wrong }));
        let said = answer.json();
        assert_eq!(
            (&said["field"], &said["expected"]),
            (&json!(field), &json!(expected))
        );
        let detail = said["detail"].as_str().unwrap();
        assert!(detail.ends_with(&format!("필요한 형식: {expected}.")), "{detail}");
        let english = house
            .ask("POST", path, &house.admin, json!({ field: wrong }))
            .json();
        assert!(english["expected"].as_str().unwrap().is_ascii());
    }
}

#[test]
fn the_router_and_every_field_error_speak_it_too() {
    let house = House::open();
    let korean = [("accept-language", "ko")];
    let answer = house.ask_with("GET", "/nowhere", "", &korean, json!(null));
    assert_eq!(
        (answer.refusal().0, &answer.json()["title"]),
        (404, &json!("찾을 수 없음"))
    );
    let answer = house.ask_with("POST", "/livez", "", &korean, json!(null));
    assert_eq!(
        (answer.refusal().0, &answer.json()["title"]),
        (405, &json!("허용되지 않은 메서드"))
    );
    let mut body = crate::house::coupon(json!(0));
    body["name"] = json!("");
    let answer = house.ask_with("POST", "/v1/admin/coupons", &house.admin, &korean, body);
    let errors = answer.json()["errors"].clone();
    assert_eq!(errors[0]["detail"], "1 이상 4294967295 이하의 정수여야 합니다.");
    assert_eq!(errors[1]["detail"], "1자 이상 200자 이하여야 합니다.");
}
