//! Asking the shop how a user is reached.

use coupon_app::Contacts;
use coupon_core::{Language, UserId};
use coupon_testkit::{HttpConduct, HttpReceiver};
use notify::{ContactLookup, ContactLookupOptions};

fn lookup(shop: &HttpReceiver) -> ContactLookup {
    ContactLookup::new(ContactLookupOptions {
        url: shop.url("/users/{userId}/contact?for=coupons"),
        token: Some("sesame".to_owned().into()),
        authorities: None,
    })
    .unwrap()
}

#[tokio::test]
async fn the_shop_is_asked_for_one_user_with_our_token() {
    let shop = HttpReceiver::start().unwrap();
    shop.conduct(HttpConduct::body(
        r#"{"email":"kim@example.org","name":"김","language":"ko-KR","more":1}"#,
    ));
    let user = UserId::parse("a/b?c#d").unwrap();
    let contact = lookup(&shop).contact(&user).await.unwrap().unwrap();
    assert_eq!(contact.email.as_str(), "kim@example.org");
    assert_eq!(contact.name.unwrap().as_str(), "김");
    assert_eq!(contact.language, Some(Language::Korean));
    let request = shop.requests().pop().unwrap();
    assert_eq!(request.target, "GET /users/a%2Fb%3Fc%23d/contact?for=coupons");
    assert_eq!(request.header("authorization"), Some("Bearer sesame"));
}

#[tokio::test]
async fn what_the_shop_answers_is_an_address_none_or_a_reason_to_ask_again() {
    let shop = HttpReceiver::start().unwrap();
    let elsewhere = HttpReceiver::start().unwrap();
    let lookup = lookup(&shop);
    let user = UserId::parse("kim").unwrap();
    let long = format!(r#"{{"email":"kim@example.org","more":"{}"}}"#, "x".repeat(20_000));
    for (conduct, expected) in [
        (HttpConduct::status(404), "none"),
        (HttpConduct::status(204), "none"),
        (HttpConduct::body(r#"{"email":null}"#), "none"),
        (
            HttpConduct::body(r#"{"email":"kim@example.org","name":"a\r\nBcc: b@c"}"#),
            "contact",
        ),
        (
            HttpConduct::body(r#"{"email":"kim@example.org\r\nBcc: b@c"}"#),
            "lasting",
        ),
        (HttpConduct::body(r#"{"email":"kim"}"#), "lasting"),
        (HttpConduct::body("kim@example.org"), "passing"),
        (HttpConduct::body(long), "passing"),
        (HttpConduct::Endless(200), "passing"),
        (HttpConduct::status(500), "passing"),
        (HttpConduct::status(401), "passing"),
        (
            HttpConduct::with_header(302, "location", elsewhere.url("/")),
            "passing",
        ),
        (HttpConduct::HangUp, "passing"),
        (HttpConduct::Babble, "passing"),
    ] {
        shop.conduct(conduct.clone());
        let found = match lookup.contact(&user).await {
            Ok(None) => "none",
            Ok(Some(contact)) => {
                assert_eq!(contact.name, None, "a name with a line break is left out");
                "contact"
            }
            Err(error) => {
                let shown = error.to_string();
                assert!(!shown.contains("kim"), "{shown}");
                if error.retriable { "passing" } else { "lasting" }
            }
        };
        assert_eq!(found, expected, "{conduct:?}");
    }
    assert_eq!(elsewhere.requests(), []);
}
