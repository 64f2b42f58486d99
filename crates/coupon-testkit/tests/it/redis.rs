//! Redis and Valkey.

use std::net::TcpStream;
use std::time::Duration;

use coupon_testkit::{Redis, RedisEngine, RedisOptions, ServerError, or_skip, wait_until};

fn start(options: &RedisOptions) -> Option<Redis> {
    or_skip(Redis::start(options))
}

fn ask(redis: &Redis, words: &[&str]) -> String {
    redis.command(words).unwrap().text()
}

fn it_answers(engine: RedisEngine) {
    let Some(redis) = start(&RedisOptions::default().on(engine)) else {
        return;
    };
    assert_eq!(ask(&redis, &["SET", "key", "a value"]), "OK");
    assert_eq!(ask(&redis, &["GET", "key"]), "a value");
    assert_eq!(ask(&redis, &["INCR", "number"]), "1");
    assert_eq!(ask(&redis, &["CONFIG", "GET", "appendonly"]), "appendonly no");
    let info = ask(&redis, &["INFO", "server"]);
    assert_eq!(
        info.contains("valkey_version:"),
        engine == RedisEngine::Valkey,
        "{info}"
    );
}

#[test]
fn redis_answers() {
    it_answers(RedisEngine::Redis);
}

#[test]
fn valkey_answers() {
    it_answers(RedisEngine::Valkey);
}

fn kill_9_loses_nothing_that_was_answered(engine: RedisEngine) {
    let Some(mut redis) = start(&RedisOptions::durable().on(engine)) else {
        return;
    };
    let port = redis.port();
    ask(&redis, &["SET", "key", "kept"]);
    redis.kill9();
    assert!(redis.command(&["PING"]).is_err());
    redis.restart().unwrap();
    assert_eq!(redis.port(), port);
    assert_eq!(ask(&redis, &["GET", "key"]), "kept");
}

#[test]
fn kill_9_of_a_durable_redis_loses_nothing_that_was_answered() {
    kill_9_loses_nothing_that_was_answered(RedisEngine::Redis);
}

#[test]
fn kill_9_of_a_durable_valkey_loses_nothing_that_was_answered() {
    kill_9_loses_nothing_that_was_answered(RedisEngine::Valkey);
}

#[test]
fn kill_9_of_a_redis_without_a_file_loses_everything() {
    let Some(mut redis) = start(&RedisOptions::default()) else {
        return;
    };
    ask(&redis, &["SET", "key", "lost"]);
    redis.kill9();
    redis.restart().unwrap();
    assert_eq!(ask(&redis, &["GET", "key"]), "");
}

#[test]
fn a_redis_restarted_empty_has_nothing_and_keeps_its_port() {
    let Some(mut redis) = start(&RedisOptions::durable()) else {
        return;
    };
    let port = redis.port();
    ask(&redis, &["SET", "key", "gone"]);
    redis.restart_empty().unwrap();
    assert_eq!(redis.port(), port);
    assert_eq!(ask(&redis, &["DBSIZE"]), "0");
}

#[test]
fn a_paused_redis_is_silent_until_it_goes_on() {
    let Some(redis) = start(&RedisOptions::default()) else {
        return;
    };
    redis.pause().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    std::io::Write::write_all(&mut stream, b"PING\r\n").unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut byte = [0];
    let silent = std::io::Read::read(&mut stream, &mut byte).unwrap_err();
    assert_eq!(silent.kind(), std::io::ErrorKind::WouldBlock);
    redis.resume().unwrap();
    assert!(wait_until(Duration::from_secs(30), || {
        std::io::Read::read(&mut stream, &mut byte).is_ok_and(|count| count == 1)
    }));
}

#[test]
fn the_shared_redis_is_one() {
    let Some(one) = or_skip(Redis::shared_url(RedisEngine::Redis)) else {
        return;
    };
    assert_eq!(Redis::shared_url(RedisEngine::Redis).unwrap(), one);
}

#[test]
fn a_redis_with_a_password_refuses_those_without() {
    let Some(redis) = start(&RedisOptions::default().set("requirepass", "word")) else {
        return;
    };
    assert_eq!(ask(&redis, &["PING"]), "PONG");
    let url = redis.url();
    assert!(url.starts_with("redis://:word@127.0.0.1:"), "{url}");
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    std::io::Write::write_all(&mut stream, b"PING\r\n").unwrap();
    let mut answer = [0; 7];
    std::io::Read::read_exact(&mut stream, &mut answer).unwrap();
    assert_eq!(&answer, b"-NOAUTH");
}

#[test]
fn a_setting_that_the_server_does_not_know_is_told_in_its_words() {
    let Some(_) = start(&RedisOptions::default()) else {
        return;
    };
    let error = Redis::start(&RedisOptions::default().set("no-such-setting", "1")).unwrap_err();
    assert!(matches!(error, ServerError::Failed { .. }), "{error}");
    assert!(error.to_string().contains("no-such-setting"), "{error}");
}

#[test]
fn a_refused_command_is_told_in_the_servers_words() {
    let Some(redis) = start(&RedisOptions::default()) else {
        return;
    };
    let error = redis.command(&["INCR"]).unwrap_err();
    assert!(matches!(error, ServerError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("wrong number of arguments"), "{error}");
}

#[test]
fn the_benchmark_of_redis_comes_with_it() {
    let Some(redis) = start(&RedisOptions::default()) else {
        return;
    };
    let port = redis.port().to_string();
    let output = std::process::Command::new(Redis::benchmark().unwrap())
        .args(["-h", "127.0.0.1", "-p", &port, "-n", "100", "-t", "set", "--csv"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("\"SET\""), "{said}");
}
