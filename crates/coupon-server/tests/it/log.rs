//! What the log says, and what it never says.

use crate::harness::{Caller, Scratch};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[test]
fn the_log_holds_no_user_and_no_secret_even_when_it_says_everything() {
    let scratch = Scratch::new();
    let server = scratch.serve_with(&["--log-format", "json", "--set", "log.filter=trace"]);
    let admin = Caller::admin(&scratch, &server);
    let coupon = admin.publish(10);
    assert_eq!(admin.issue(&coupon, "kim-4711").0, StatusCode::CREATED);
    let token = scratch.must(&["token", "--user", "lee-0815"]);
    let user = Caller::new(&server, &token);
    let (status, issued) = user.ask(Method::POST, &format!("{coupon}/issues"), Some(json!({})));
    assert_eq!(status, StatusCode::CREATED, "{issued}");
    assert_eq!(user.ask(Method::GET, "/v1/me/coupons", None).0, StatusCode::OK);
    let wanted = json!({ "name": "shop", "scopes": ["issue"] });
    let (_, made) = admin.ask(Method::POST, "/v1/admin/keys", Some(wanted));
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
    let read = |name: &str| std::fs::read_to_string(scratch.data_dir().join(name)).unwrap();
    let secret = made["key"].as_str().unwrap().rsplit('_').next().unwrap();
    for hidden in [
        "kim-4711",
        "lee-0815",
        token.trim(),
        secret,
        issued["code"].as_str().unwrap(),
        read("admin-key").trim(),
        read("jwt-secret").trim(),
        read("key-seed").trim(),
    ] {
        let told = log.lines().find(|line| line.contains(hidden));
        assert_eq!(told, None, "{hidden} is in the log");
    }
    for line in log.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}

#[test]
fn a_variable_that_sets_nothing_is_pointed_out() {
    let scratch = Scratch::new();
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--set",
        "journal.segment_mib=1",
    ];
    let mut command = scratch.command(&arguments);
    command.env("FIRSTCOME_LOG_FORMT", "json");
    let server = crate::harness::Server::start(command);
    assert!(server.logs("sets nothing").contains("FIRSTCOME_LOG_FORMT"));
}
