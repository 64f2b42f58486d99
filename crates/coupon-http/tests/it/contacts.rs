//! `/v1/users/{userId}/contact`.

use crate::house::{House, token};
use coupon_app::Contacts;
use coupon_core::{Contact, Language, UserId};
use futures_util::FutureExt as _;
use serde_json::{Value, json};

fn kept(house: &House, user: &str) -> Option<Contact> {
    let user = UserId::parse(user).unwrap();
    house.webhooks.contact(&user).now_or_never().unwrap().unwrap()
}

#[test]
fn a_service_says_how_a_user_is_reached_and_has_it_forgotten() {
    let house = House::open();
    let path = "/v1/users/a%2Fb/contact";
    let body = json!({ "email": "kim@example.com", "name": "김", "language": "ko" });
    assert_eq!(house.ask("PUT", path, &house.service, body).status, 204);
    let contact = kept(&house, "a/b").unwrap();
    assert_eq!(contact.email.as_str(), "kim@example.com");
    assert_eq!(
        (contact.name.unwrap().as_str(), contact.language),
        ("김", Some(Language::Korean))
    );

    let body = json!({ "email": "kim@example.org" });
    assert_eq!(house.ask("PUT", path, &house.service, body).status, 204);
    let contact = kept(&house, "a/b").unwrap();
    assert_eq!(
        (contact.email.as_str(), contact.name, contact.language),
        ("kim@example.org", None, None)
    );

    for _twice in 0..2 {
        assert_eq!(house.ask("DELETE", path, &house.service, Value::Null).status, 204);
        assert_eq!(kept(&house, "a/b"), None);
    }
}

#[test]
fn an_address_or_a_name_that_could_be_more_than_that_is_refused() {
    let house = House::open();
    let path = "/v1/users/kim/contact";
    for (body, errors) in [
        (json!({ "email": "kim" }), json!([["email", "not-an-address"]])),
        (
            json!({ "email": "kim@example.com\r\nBcc: a@b.c" }),
            json!([["email", "not-an-address"]]),
        ),
        (
            json!({ "email": "a@b.c, d@e.f" }),
            json!([["email", "not-an-address"]]),
        ),
        (
            json!({ "email": "", "name": "Kim\r\nBcc: a@b.c" }),
            json!([["email", "not-an-address"], ["name", "not-a-name"]]),
        ),
    ] {
        let answer = house.ask("PUT", path, &house.service, body.clone());
        assert_eq!(answer.refusal(), (422, "invalid-values".to_owned()), "{body}");
        let found: Vec<Value> = answer.json()["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| json!([error["field"], error["code"]]))
            .collect();
        assert_eq!(Value::Array(found), errors, "{body}");
    }
    let unknown = json!({ "email": "kim@example.com", "language": "fr" });
    assert_eq!(house.ask("PUT", path, &house.service, unknown).status, 400);
    assert_eq!(kept(&house, "kim"), None);
}

#[test]
fn a_user_cannot_say_it_for_anybody() {
    let house = House::open();
    let body = json!({ "email": "kim@example.com" });
    let token = token("kim");
    let answer = house.ask("PUT", "/v1/users/kim/contact", &token, body.clone());
    assert_eq!(answer.status, 403);
    assert_eq!(house.ask("PUT", "/v1/users/kim/contact", "", body).status, 401);
    assert_eq!(kept(&house, "kim"), None);
}
