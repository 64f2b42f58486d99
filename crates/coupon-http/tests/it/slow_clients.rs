//! Clients that are slow, gone, idle, or too many.

use crate::gate::gate;
use crate::house::{House, token};
use serde_json::json;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(100);

#[test]
fn a_head_that_does_not_arrive_closes_the_connection() {
    let house = House::with(|settings| settings.limits.head_time = SHORT);
    let mut client = house.client();
    client.write(b"GET /livez HTTP/1.1\r\nhost:");
    assert!(client.until_closed().is_empty());
}

#[test]
fn a_head_that_arrives_drop_by_drop_gains_no_time() {
    let house = House::with(|settings| settings.limits.head_time = SHORT);
    let mut client = house.client();
    client.write(b"GET /livez HTTP/1.1\r\n");
    let mut drops = 0u32;
    while client.try_write(b"x: y\r\n") {
        drops += 1;
        std::thread::park_timeout(Duration::from_millis(5));
        assert!(drops < 4_000, "it went on for ever");
    }
}

#[test]
fn a_body_that_does_not_arrive_is_408_and_nothing_happens() {
    let house = House::with(|settings| settings.limits.body_time = SHORT);
    house.publish(json!(9));
    for (path, credential) in [
        ("/v1/coupons/1/issues", &house.service),
        ("/v1/admin/coupons/1/close", &house.admin),
    ] {
        let mut client = house.client();
        client.write(
            format!(
                "POST {path} HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {credential}\r\n\
                 content-type: application/json\r\ncontent-length: 100\r\n\r\n{{\"userId\":"
            )
            .as_bytes(),
        );
        assert_eq!(
            client.answer(false).refusal(),
            (408, "request-timeout".to_owned())
        );
        client.until_closed();
    }
    let coupon = house.get("/v1/admin/coupons/1", &house.admin).json();
    assert_eq!((&coupon["issued"], &coupon["revision"]), (&json!(0), &json!(1)));
}

#[test]
fn a_body_that_breaks_off_changes_nothing() {
    let house = House::open();
    house.publish(json!(9));
    let mut client = house.client();
    client.write(
        format!(
            "POST /v1/coupons/1/issues HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: 100\r\n\r\n{{\"userId\":\"a\"}}",
            house.service
        )
        .as_bytes(),
    );
    drop(client);
    let mut client = house.client();
    client.write(
        format!(
            "POST /v1/coupons/1/issues HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nnot a chunk",
            house.service
        )
        .as_bytes(),
    );
    assert_eq!(
        client.answer(false).refusal(),
        (400, "incomplete-body".to_owned())
    );
    assert_eq!(house.get("/v1/admin/coupons/1", &house.admin).json()["issued"], 0);
}

#[test]
fn idle_connections_are_closed_after_their_time() {
    let house = House::with(|settings| settings.limits.idle_time = SHORT);
    let mut silent = house.client();
    let mut spoke = house.client();
    assert_eq!(spoke.send("GET", "/livez", &[], b"").status, 200);
    assert!(silent.until_closed().is_empty());
    assert!(spoke.until_closed().is_empty());
}

#[test]
fn thousands_of_idle_connections_are_in_nobodys_way() {
    let house = House::open();
    let id = house.publish(json!(9));
    let idle: Vec<_> = (0..2_000).map(|_| house.client()).collect();
    assert_eq!(house.issue(id, "a").status, 201);
    drop(idle);
    assert_eq!(house.issue(id, "b").status, 201);
}

#[test]
fn connections_beyond_the_limit_are_closed_and_come_back_when_there_is_room() {
    let house = House::with(|settings| settings.limits.connections = 3);
    let mut held: Vec<_> = (0..3).map(|_| house.client()).collect();
    for client in &mut held {
        assert_eq!(client.send("GET", "/livez", &[], b"").status, 200);
    }
    assert!(house.client().until_closed().is_empty());
    held.pop();
    // The server learns of it by and by.
    let answered = (0..10_000).any(|_| {
        let mut client = house.client();
        client.try_write(b"GET /livez HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n");
        client.until_closed().starts_with(b"HTTP/1.1 200")
    });
    assert!(answered);
}

#[test]
fn a_request_that_takes_too_long_is_told_what_it_may_have_done() {
    let (keeper, wrap) = gate();
    let house = House::build(|settings| settings.limits.request_time = SHORT, wrap);
    let id = house.publish(json!(9));
    keeper.shut();
    let issue = house.issue(id, "a");
    assert_eq!(issue.refusal(), (500, "indeterminate".to_owned()));
    let pause = house.ask(
        "POST",
        &format!("/v1/admin/coupons/{id}/pause"),
        &house.admin,
        json!({}),
    );
    assert_eq!(pause.refusal(), (500, "indeterminate".to_owned()));
    keeper.open();
    let again = house.issue(id, "a");
    assert_eq!(
        again.refusal(),
        (409, "already-issued".to_owned()),
        "asking again tells"
    );
    keeper.shut();
    let question = house.get("/v1/me/coupons", &token("a"));
    assert_eq!(question.refusal(), (503, "unavailable".to_owned()));
    keeper.open();
}

#[test]
fn a_client_that_leaves_before_the_answer_has_still_asked() {
    let (keeper, wrap) = gate();
    let house = House::build(|_| {}, wrap);
    let id = house.publish(json!(9));
    keeper.shut();
    let mut client = house.client();
    client.write(
        format!(
            "POST /v1/coupons/{id}/issues HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: 14\r\n\r\n{{\"userId\":\"a\"}}",
            house.service
        )
        .as_bytes(),
    );
    keeper.somebody_waits();
    drop(client);
    keeper.open();
    assert_eq!(house.issue(id, "a").refusal(), (409, "already-issued".to_owned()));
}
