//! Stopping: what was accepted is answered, what waits for nothing is let go.

use crate::gate::gate;
use crate::house::House;
use coupon_http::Stopped;
use serde_json::json;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

fn issue_request(house: &House, id: u64, user: &str) -> Vec<u8> {
    let body = json!({ "userId": user }).to_string();
    format!(
        "POST /v1/coupons/{id}/issues HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        house.service,
        body.len()
    )
    .into_bytes()
}

#[test]
fn a_stopping_server_answers_what_it_has_accepted() {
    let (keeper, wrap) = gate();
    let mut house = House::build(|_| {}, wrap);
    let id = house.publish(json!(9));
    let mut idle = house.client();
    assert_eq!(idle.send("GET", "/livez", &[], b"").status, 200);
    keeper.shut();
    let mut busy = house.client();
    busy.write(&issue_request(&house, id, "a"));
    keeper.somebody_waits();
    let stopping = house.begin_stop(LONG);
    assert!(idle.until_closed().is_empty(), "an idle connection is closed");
    assert!(stopping.is_over().is_none(), "a request is in flight");
    keeper.open();
    assert_eq!(busy.answer(false).status, 201);
    assert!(busy.until_closed().is_empty());
    assert_eq!(stopping.wait(), Stopped { cut_off: 0 });
}

#[test]
fn a_stopping_server_does_not_wait_for_ever() {
    let (keeper, wrap) = gate();
    let mut house = House::build(|_| {}, wrap);
    let id = house.publish(json!(9));
    keeper.shut();
    let mut busy = house.client();
    busy.write(&issue_request(&house, id, "a"));
    keeper.somebody_waits();
    let stopping = house.begin_stop(Duration::from_millis(50));
    assert_eq!(stopping.wait(), Stopped { cut_off: 1 });
    assert!(busy.until_closed().is_empty());
    keeper.open();
}

#[test]
fn a_server_without_clients_stops_at_once_and_frees_its_port() {
    let mut house = House::open();
    let mut client = house.client();
    assert_eq!(client.send("GET", "/livez", &[], b"").status, 200);
    let stopping = house.begin_stop(LONG);
    assert_eq!(stopping.wait(), Stopped { cut_off: 0 });
}
