//! The first start, and what it leaves.

use crate::harness::{Caller, PATIENCE, Scratch, Server};
use reqwest::{Method, StatusCode};
use std::os::unix::fs::PermissionsExt;

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_first_start_makes_keys_for_their_owner_alone_and_shows_the_key_once() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    let data = scratch.data_dir();
    let key = std::fs::read_to_string(data.join("admin-key"))
        .unwrap()
        .trim()
        .to_owned();
    let secret = std::fs::read_to_string(data.join("jwt-secret"))
        .unwrap()
        .trim()
        .to_owned();
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("admin-key")), 0o600);
    assert_eq!(mode(&data.join("jwt-secret")), 0o600);
    assert!(key.len() >= 32 && secret.len() >= 32 && key != secret);
    assert_eq!(server.said.matches(&key).count(), 1);
    assert!(!server.said.contains(&secret));
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
    assert!(
        !log.contains(&key) && !log.contains(&secret),
        "the log holds no secret"
    );

    let again = scratch.serve();
    assert!(!again.said.contains(&key), "the key is shown once");
    assert_eq!(
        std::fs::read_to_string(data.join("admin-key")).unwrap().trim(),
        key
    );
    let (status, _) = Caller::new(&again, &key).ask(Method::GET, "/v1/admin/coupons", None);
    assert_eq!(status, StatusCode::OK, "the key is kept");
}

#[test]
fn a_first_start_that_cannot_listen_does_not_use_up_the_key() {
    let scratch = Scratch::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = scratch.run(&["serve", "--listen", &address, "--set", "journal.segment_mib=1"]);
    let why = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{why}");
    assert!(why.contains("--listen"), "{why}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "no key is shown");
    let server = scratch.serve();
    let key = std::fs::read_to_string(scratch.data_dir().join("admin-key")).unwrap();
    assert!(server.said.contains(key.trim()), "the next start shows it");
}

#[test]
fn keys_from_the_environment_take_the_place_of_those_that_are_made() {
    let scratch = Scratch::new();
    let key = "k".repeat(40);
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--set",
        "journal.segment_mib=1",
    ];
    let mut command = scratch.command(&arguments);
    command
        .env("FIRSTCOME_ADMIN_KEY", &key)
        .env("FIRSTCOME_JWT_SECRET", "s".repeat(40));
    let server = Server::start(command);
    assert!(!server.said.contains(&key));
    assert!(!scratch.data_dir().join("admin-key").exists());
    assert!(!scratch.data_dir().join("jwt-secret").exists());
    let ask = |bearer: &str| {
        Caller::new(&server, bearer)
            .ask(Method::GET, "/v1/admin/coupons", None)
            .0
    };
    assert_eq!(ask(&key), StatusCode::OK);
    assert_eq!(ask(&"x".repeat(40)), StatusCode::UNAUTHORIZED);
}

#[test]
fn a_secret_that_is_too_short_is_refused() {
    let scratch = Scratch::new();
    for name in ["FIRSTCOME_ADMIN_KEY", "FIRSTCOME_JWT_SECRET"] {
        let output = scratch
            .command(&["serve"])
            .env(name, "hush-hush")
            .output()
            .unwrap();
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1));
        assert!(why.contains(name) && !why.contains("hush"), "{why}");
    }
    assert!(!scratch.data_dir().exists(), "nothing was touched");
}

#[test]
fn a_ready_server_is_healthy_and_a_missing_one_is_not() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    assert_eq!(scratch.must(&["healthcheck", "--server", &server.url]), "ready\n");
    let url = server.url.clone();
    assert!(server.stop().0.success());
    let why = scratch.refused(&["healthcheck", "--server", &url]);
    assert!(why.contains("firstcome serve"), "{why}");
}

/// The names of a process's threads that give way to every other.
#[cfg(target_os = "linux")]
fn giving_way(server: &Server) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid().as_raw_nonzero())).unwrap();
    let mut giving_way = Vec::new();
    for task in tasks {
        // A thread may have ended meanwhile.
        let Ok(stat) = std::fs::read_to_string(task.unwrap().path().join("stat")) else {
            continue;
        };
        // proc(5): the name stands in parentheses; of the fields behind it the 39th is the policy, and 5 is SCHED_IDLE.
        let (head, fields) = stat.rsplit_once(')').unwrap();
        if fields.split_whitespace().nth(38) == Some("5") {
            giving_way.push(head.rsplit_once('(').unwrap().1.to_owned());
        }
    }
    giving_way
}

#[test]
#[cfg(target_os = "linux")]
fn the_follower_and_what_jobs_do_in_the_store_give_way_to_everybody_and_nobody_else_does() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    let begun = std::time::Instant::now();
    loop {
        let names = giving_way(&server);
        let wrong = names
            .iter()
            .find(|name| !["follower", "jobs-store"].contains(&name.as_str()));
        assert_eq!(wrong, None, "{names:?}");
        let both = ["follower", "jobs-store"]
            .iter()
            .all(|one| names.iter().any(|name| name == one));
        if both {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{names:?}");
        std::thread::yield_now();
    }
}
