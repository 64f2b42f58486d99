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
