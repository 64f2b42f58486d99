//! A primary and its replica.

use std::time::Duration;

use coupon_testkit::{Direction, FaultProxy, Redis, RedisOptions, or_skip, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

fn text(redis: &Redis, words: &[&str]) -> String {
    redis.command(words).unwrap().text()
}

#[test]
fn a_replica_follows_its_primary_and_refuses_writes() {
    let options = RedisOptions::durable();
    let Some(primary) = or_skip(Redis::start(&options)) else {
        return;
    };
    text(&primary, &["SET", "before", "1"]);
    let replica = primary.start_replica(&options).unwrap();
    assert_eq!(text(&replica, &["GET", "before"]), "1");
    text(&primary, &["SET", "after", "2"]);
    assert!(wait_until(LIMIT, || text(&replica, &["GET", "after"]) == "2"));
    let error = replica.command(&["SET", "key", "value"]).unwrap_err();
    assert!(error.to_string().contains("READONLY"), "{error}");
}

#[test]
fn a_lagging_replica_that_is_promoted_lacks_what_was_answered() {
    let options = RedisOptions::durable();
    let Some(mut primary) = or_skip(Redis::start(&options)) else {
        return;
    };
    let proxy = FaultProxy::to(primary.port()).unwrap();
    text(&primary, &["SET", "kept", "1"]);
    let replica = primary.start_replica_by_port(&options, proxy.port()).unwrap();
    proxy.stall(Direction::ToClient);
    text(&primary, &["SET", "lost", "2"]);
    assert!(proxy.wait_until(LIMIT, |counts| counts.stalled > 0));
    primary.kill9();
    proxy.cut();
    replica.promote().unwrap();
    assert_eq!(text(&replica, &["GET", "kept"]), "1");
    assert_eq!(text(&replica, &["GET", "lost"]), "");
    text(&replica, &["SET", "new", "3"]);
}

#[test]
fn a_replica_signs_in_where_its_primary_asks_for_a_password() {
    let options = RedisOptions::default().set("requirepass", "word");
    let Some(primary) = or_skip(Redis::start(&options)) else {
        return;
    };
    text(&primary, &["SET", "key", "value"]);
    let replica = primary.start_replica(&options).unwrap();
    assert_eq!(text(&replica, &["GET", "key"]), "value");
}
