//! The end: what was accepted is answered, and a second signal does not wait.

use crate::harness::{Caller, PATIENCE, Scratch};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::TcpStream;

/// The head and the body of an issue request for a user.
fn request(url: &str, key: &str, user: &str) -> (String, String) {
    let body = format!("{{\"userId\":\"{user}\"}}");
    let host = url.trim_start_matches("http://");
    let head = format!(
        "POST /v1/coupons/1/issues HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        body.len()
    );
    (head, body)
}

/// Waits until the server has this request's head and wants its body.
fn expected(stream: &mut TcpStream) {
    assert!(answer(stream).starts_with("HTTP/1.1 100"));
}

/// Reads one answer: its head and as much body as it announces.
fn answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0; 1];
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("an answer");
        text.push(byte[0]);
    }
    let head = String::from_utf8(text).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

#[test]
fn what_was_accepted_is_answered_after_sigterm() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    let admin = Caller::admin(&scratch, &server);
    admin.publish(10);
    let key = std::fs::read_to_string(scratch.data_dir().join("admin-key")).unwrap();
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (head, body) = request(&server.url, key.trim(), "first");
    stream.write_all(head.as_bytes()).unwrap();
    expected(&mut stream);
    stream.write_all(body.as_bytes()).unwrap();
    assert!(answer(&mut stream).starts_with("HTTP/1.1 201"));
    // The server has this request's head and waits for its body when it is told to stop.
    let (head, body) = request(&server.url, key.trim(), "second");
    let (now, later) = body.split_at(5);
    stream.write_all(head.as_bytes()).unwrap();
    expected(&mut stream);
    stream.write_all(now.as_bytes()).unwrap();
    server.signal(Signal::TERM);
    server.logs("stopping");
    stream.write_all(later.as_bytes()).unwrap();
    let answered = answer(&mut stream);
    assert!(answered.starts_with("HTTP/1.1 201"), "{answered}");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");

    let server = scratch.serve();
    let (status, refused) = Caller::admin(&scratch, &server).issue("/v1/coupons/1", "second");
    assert_eq!(status.as_u16(), 409, "{refused}");
    assert_eq!(refused["issuedCoupon"]["position"], 2);
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let scratch = Scratch::new();
    let server = scratch.serve_with(&["--set", "shutdown.drain_deadline_ms=3600000"]);
    let admin = Caller::admin(&scratch, &server);
    admin.publish(10);
    let key = std::fs::read_to_string(scratch.data_dir().join("admin-key")).unwrap();
    // A request that never comes to its end holds the first one up.
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    let (head, _) = request(&server.url, key.trim(), "slow");
    stream.write_all(head.as_bytes()).unwrap();
    expected(&mut stream);
    stream.write_all(b"{").unwrap();
    server.signal(Signal::TERM);
    server.logs("stopping");
    server.signal(Signal::INT);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(130), "{log}");
}

#[test]
fn a_slow_client_does_not_hold_the_end_up_beyond_the_deadline() {
    let scratch = Scratch::new();
    let server = scratch.serve_with(&["--set", "shutdown.drain_deadline_ms=100"]);
    let key = std::fs::read_to_string(scratch.data_dir().join("admin-key")).unwrap();
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    let (head, _) = request(&server.url, key.trim(), "slow");
    stream.write_all(head.as_bytes()).unwrap();
    expected(&mut stream);
    stream.write_all(b"{").unwrap();
    let (status, log) = server.stop();
    assert_eq!(status.code(), Some(0), "{log}");
}
