//! What becomes of servers when a test ends, in each of the ways in which it can.
//!
//! The tests that end badly run in a process of their own: this test binary, told by a variable to run one
//! test that does nothing otherwise.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use coupon_testkit::{Redis, RedisEngine, RedisOptions, or_skip, wait_until};

const LIMIT: Duration = Duration::from_secs(60);
const ROLE: &str = "COUPON_TESTKIT_TEST_ROLE";

/// A server as seen from outside.
struct Traces {
    pid: u32,
    port: u16,
    scratch: String,
}

impl Traces {
    fn of(redis: &Redis) -> Self {
        Self {
            pid: redis.pid().unwrap(),
            port: redis.port(),
            scratch: redis.data_dir().parent().unwrap().display().to_string(),
        }
    }

    fn tell(&self) {
        println!("traces {} {} {}", self.pid, self.port, self.scratch);
    }

    fn read(child: &mut Child) -> Self {
        let output = BufReader::new(child.stdout.take().unwrap());
        let line = output
            .lines()
            .map_while(Result::ok)
            .find(|line| line.contains("traces "))
            .unwrap();
        let (_, line) = line.split_once("traces ").unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        Self {
            pid: words[0].parse().unwrap(),
            port: words[1].parse().unwrap(),
            scratch: words[2].to_owned(),
        }
    }

    fn are_there(&self) -> bool {
        Path::new(&format!("/proc/{}", self.pid)).exists() && Path::new(&self.scratch).exists()
    }

    fn are_gone(&self) -> bool {
        !Path::new(&format!("/proc/{}", self.pid)).exists()
            && !Path::new(&self.scratch).exists()
            && TcpListener::bind(("127.0.0.1", self.port)).is_ok()
    }
}

/// Runs this binary again with one test in a role.
fn act(role: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "leftovers::a_process_that_ends_badly", "--nocapture"])
        .env(ROLE, role)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_process_that_ends_badly() {
    let Some(role) = std::env::var_os(ROLE) else {
        return;
    };
    let mut redis = Redis::start(&RedisOptions::default()).unwrap();
    let traces = Traces::of(&redis);
    if role == "wait-between" {
        redis.kill9();
    }
    traces.tell();
    match role.to_str() {
        // Nobody drops it, as nobody drops what all tests share.
        Some("exit") => std::process::exit(0),
        Some("panic") => panic!("in the middle of a test"),
        _ => loop {
            std::thread::park();
        },
    }
}

fn redis_is_here() -> bool {
    or_skip(Redis::start(&RedisOptions::default())).is_some()
}

#[test]
fn a_dropped_server_is_gone_with_its_files() {
    let Some(redis) = or_skip(Redis::start(&RedisOptions::default())) else {
        return;
    };
    let traces = Traces::of(&redis);
    assert!(traces.are_there());
    drop(redis);
    assert!(traces.are_gone());
}

#[test]
fn a_test_that_panics_leaves_nothing() {
    if !redis_is_here() {
        return;
    }
    let mut child = act("panic");
    let traces = Traces::read(&mut child);
    assert!(!child.wait().unwrap().success());
    assert!(wait_until(LIMIT, || traces.are_gone()));
}

#[test]
fn a_process_that_exits_leaves_nothing() {
    if !redis_is_here() {
        return;
    }
    let mut child = act("exit");
    let traces = Traces::read(&mut child);
    assert!(child.wait().unwrap().success());
    assert!(wait_until(LIMIT, || traces.are_gone()));
}

#[test]
fn a_killed_process_leaves_nothing() {
    if !redis_is_here() {
        return;
    }
    let mut child = act("wait");
    let traces = Traces::read(&mut child);
    assert!(traces.are_there());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(wait_until(LIMIT, || traces.are_gone()));
}

#[test]
fn a_process_killed_while_its_server_is_down_leaves_nothing() {
    if !redis_is_here() {
        return;
    }
    let mut child = act("wait-between");
    let traces = Traces::read(&mut child);
    assert!(Path::new(&traces.scratch).exists());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(wait_until(LIMIT, || traces.are_gone()));
}

#[test]
fn a_paused_server_goes_with_its_process() {
    let Some(redis) = or_skip(Redis::start(&RedisOptions::default().on(RedisEngine::Redis))) else {
        return;
    };
    let traces = Traces::of(&redis);
    redis.pause().unwrap();
    drop(redis);
    assert!(traces.are_gone());
    assert!(fs::metadata(&traces.scratch).is_err());
}
