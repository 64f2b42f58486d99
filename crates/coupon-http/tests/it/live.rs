//! `/v1/coupons/{id}/events` and `/v1/admin/coupons/{id}/events`: what is seen, when, and how it ends.

use crate::client::Client;
use crate::house::{House, coupon};
use serde_json::{Value, json};
use std::time::Duration;

/// One event.
#[derive(Debug)]
struct Event {
    id: String,
    data: Value,
}

/// A listener.
struct Stream {
    client: Client,
    text: String,
}

impl Stream {
    fn open(house: &House, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut client = house.client();
        let answer = client.begin("GET", path, headers);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        Self {
            client,
            text: String::new(),
        }
    }

    /// The next event; `None` when the stream has ended as it should.
    fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let event = event(block);
                self.text = rest.to_owned();
                if event.is_some() {
                    return event;
                }
            }
            self.text
                .push_str(std::str::from_utf8(&self.client.chunk()?).unwrap());
        }
    }

    /// Events until one is as it should be, that one included.
    fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Vec<Event> {
        let mut seen = Vec::new();
        loop {
            let event = self.next().expect("the stream ended");
            let found = wanted(&event.data);
            seen.push(event);
            if found {
                return seen;
            }
        }
    }
}

/// What is no event is a comment or a time to wait before coming back.
fn event(block: &str) -> Option<Event> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
    let Some(data) = field("data: ") else {
        assert!(block.starts_with(':') || block.starts_with("retry: "), "{block}");
        return None;
    };
    Some(Event {
        id: field("id: ").expect("every event has an id").to_owned(),
        data: serde_json::from_str(data).unwrap(),
    })
}

#[test]
fn whoever_watches_sees_what_is_and_then_what_becomes_of_it() {
    let house = House::open();
    let id = house.publish(json!(2));
    let mut stream = Stream::open(&house, &format!("/v1/coupons/{id}/events"), &[]);
    let first = stream.next().unwrap();
    assert_eq!(
        first.data,
        json!({
            "couponId": id, "state": "open", "now": "2026-06-01T00:00:00.000000Z",
            "opensAt": "2026-05-31T23:00:00.000000Z", "closesAt": "2026-06-01T01:00:00.000000Z", "remaining": 2,
        })
    );
    assert_eq!(house.issue(id, "a").status, 201);
    let second = stream.next().unwrap();
    assert_eq!(
        (&second.data["state"], &second.data["remaining"]),
        (&json!("open"), &json!(1))
    );
    assert_ne!(first.id, second.id);
    assert_eq!(house.issue(id, "b").status, 201);
    assert_eq!(stream.next().unwrap().data["state"], "soldOut");
    // What the clock alone changes is a change too.
    house.clock.shift(3_600_000_000);
    assert_eq!(stream.next().unwrap().data["state"], "closed");
}

#[test]
fn many_changes_are_told_in_few_events_and_the_last_of_them_surely() {
    let house = House::open();
    let id = house.publish(json!(100));
    let mut stream = Stream::open(&house, &format!("/v1/coupons/{id}/events"), &[]);
    for user in 0..100 {
        assert_eq!(house.issue(id, &user.to_string()).status, 201);
    }
    let seen = stream.until(|data| data["remaining"] == 0);
    assert!(seen.len() < 50, "{} events for 100 changes", seen.len());
    let left: Vec<u64> = seen
        .iter()
        .map(|event| event.data["remaining"].as_u64().unwrap())
        .collect();
    assert!(left.is_sorted_by(|one, other| one > other), "{left:?}");
}

#[test]
fn whoever_comes_back_is_told_only_what_they_have_not_seen() {
    let house = House::open();
    let id = house.publish(json!(9));
    let path = format!("/v1/coupons/{id}/events");
    let seen = Stream::open(&house, &path, &[]).next().unwrap();
    let mut knows = Stream::open(&house, &path, &[("last-event-id", &seen.id)]);
    let mut knows_not = Stream::open(&house, &path, &[("last-event-id", "0123456789abcdef")]);
    assert_eq!(knows_not.next().unwrap().id, seen.id);
    assert_eq!(house.issue(id, "a").status, 201);
    let next = knows.next().unwrap();
    assert_eq!(next.data["remaining"], 8, "what was seen is not told again");
    let mut late = Stream::open(&house, &path, &[("last-event-id", &seen.id)]);
    assert_eq!(late.next().unwrap().id, next.id);
}

#[test]
fn whoever_comes_late_is_told_the_time_of_that_moment_and_nobody_else_anything() {
    let house = House::open();
    let id = house.publish(json!(9));
    for (path, headers) in [
        (format!("/v1/coupons/{id}/events"), vec![]),
        (
            format!("/v1/admin/coupons/{id}/events"),
            vec![("authorization", format!("Bearer {}", house.admin))],
        ),
    ] {
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let mut early = Stream::open(&house, &path, &headers);
        let first = early.next().unwrap();
        house.clock.shift(60_000_000);
        let late = Stream::open(&house, &path, &headers).next().unwrap();
        assert_eq!(late.id, first.id, "nothing has changed");
        let clock = house.get(&format!("/v1/coupons/{id}/time"), "").json()["now"].clone();
        if first.data.get("now").is_some() {
            assert_eq!(late.data["now"], clock);
            assert_ne!(first.data["now"], clock);
        }
        assert_eq!(house.issue(id, &path).status, 201);
        let next = early.next().unwrap();
        assert_ne!(next.id, first.id, "the early one was told of no newcomer");
    }
}

#[test]
fn everybody_sees_no_more_than_the_coupon_shows_and_administrators_everything() {
    let house = House::open();
    let mut body = coupon(json!(5));
    body["showRemaining"] = json!(false);
    let created = house.ask("POST", "/v1/admin/coupons", &house.admin, body);
    assert_eq!(created.status, 201);
    let public = Stream::open(&house, "/v1/coupons/1/events", &[]).next().unwrap();
    assert!(public.data.get("remaining").is_none(), "{public:?}");
    let bearer = format!("Bearer {}", house.admin);
    let path = "/v1/admin/coupons/1/events";
    let mut stats = Stream::open(&house, path, &[("authorization", &bearer)]);
    let shown = house.get("/v1/admin/coupons/1/stats", &house.admin).json();
    assert_eq!(stats.next().unwrap().data, shown);
    assert_eq!(house.issue(1, "a").status, 201);
    let seen = stats.until(|data| data["issued"] == 1);
    assert_eq!(seen.last().unwrap().data["remaining"], 4);
    for (key, status, code) in [
        (house.service.as_str(), 403, "wrong-scope"),
        ("", 401, "authentication-required"),
    ] {
        assert_eq!(house.get(path, key).refusal(), (status, code.to_owned()));
    }
    for (path, status, code) in [
        ("/v1/coupons/9/events", 404, "unknown-coupon"),
        ("/v1/coupons/x/events", 404, "unknown-coupon"),
        ("/v1/coupons/1/events?since=1", 400, "invalid-parameter"),
        ("/v1/admin/coupons/9/events", 404, "unknown-coupon"),
    ] {
        assert_eq!(
            house.get(path, &house.admin).refusal(),
            (status, code.to_owned()),
            "{path}"
        );
    }
}

#[test]
fn a_stream_ends_with_its_coupon() {
    let house = House::open();
    let id = house.publish(json!(5));
    let path = format!("/v1/coupons/{id}/events");
    let mut stream = Stream::open(&house, &path, &[]);
    assert_eq!(stream.next().unwrap().data["state"], "open");
    let delete = format!("/v1/admin/coupons/{id}");
    assert_eq!(
        house.ask("DELETE", &delete, &house.admin, Value::Null).status,
        204
    );
    assert!(stream.next().is_none(), "the stream ends whole");
    assert_eq!(house.get(&path, "").refusal(), (404, "unknown-coupon".to_owned()));
}

#[test]
fn a_server_that_stops_ends_its_streams_whole_and_waits_for_none() {
    let mut house = House::open();
    let id = house.publish(json!(5));
    let path = format!("/v1/coupons/{id}/events");
    let mut streams: Vec<Stream> = (0..20).map(|_| Stream::open(&house, &path, &[])).collect();
    for stream in &mut streams {
        assert!(stream.next().is_some());
    }
    let stopping = house.begin_stop(Duration::from_secs(600));
    for stream in &mut streams {
        assert!(stream.next().is_none(), "the stream ends whole");
        assert_eq!(stream.client.until_closed(), b"");
    }
    assert_eq!(stopping.wait().cut_off, 0);
}

#[test]
fn too_many_listeners_are_told_so_and_keep_nobody_from_being_issued() {
    let house = House::with(|settings| settings.limits.listeners = 2);
    let id = house.publish(json!(5));
    let path = format!("/v1/coupons/{id}/events");
    let mut listening: Vec<Stream> = (0..2).map(|_| Stream::open(&house, &path, &[])).collect();
    let refused = house.get(&path, "");
    assert_eq!(refused.refusal(), (503, "unavailable".to_owned()));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(house.issue(id, "a").status, 201);
    drop(listening.pop());
    // The server notices by and by.
    let again = loop {
        let mut client = house.client();
        if client.begin("GET", &path, &[]).status == 200 {
            break client;
        }
    };
    drop(again);
    assert!(listening[0].next().is_some());
}

#[test]
fn of_few_connections_listeners_get_five_eighths_whatever_is_set() {
    let house = House::with(|settings| settings.limits.connections = 8);
    let id = house.publish(json!(5));
    let path = format!("/v1/coupons/{id}/events");
    let listening: Vec<Stream> = (0..5).map(|_| Stream::open(&house, &path, &[])).collect();
    assert_eq!(house.get(&path, "").refusal(), (503, "unavailable".to_owned()));
    assert_eq!(house.issue(id, "a").status, 201);
    drop(listening);
}
