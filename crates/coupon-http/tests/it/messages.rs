//! Messages: how long they are, how that is said, and what may be taken for something else.

use crate::bad_input::{JSON, issue_raw, issued};
use crate::house::House;
use serde_json::json;

#[test]
fn what_is_not_http_is_refused_and_the_connection_closed() {
    let house = House::open();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/coupons/1/issues HTTP/1.1\r\nhost: t\r\ncontent-length: x\r\n\r\n",
        b"POST /v1/coupons/1/issues HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        b"POST /v1/coupons/1/issues HTTP/1.1\r\nhost: t\r\ntransfer-encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: t\r\nbad header\r\n\r\n",
    ] {
        let mut client = house.client();
        client.write(bytes);
        let said = client.until_closed();
        assert!(
            said.is_empty() || said.starts_with(b"HTTP/1.1 4"),
            "{}",
            String::from_utf8_lossy(&said)
        );
    }
}

#[test]
fn messages_that_two_readers_could_take_for_two_are_refused_and_nothing_is_issued() {
    let house = House::open();
    house.publish(json!(10));
    let chunked = "f\r\n{\"userId\": \"a\"}\r\n0\r\n\r\n";
    let plain = "{\"userId\": \"a\"}";
    let sized = "content-length: 15\r\n";
    let host = "host: t\r\n";
    let invalid = |header| (400, "invalid-header", Some(header));
    for (headers, body, (status, code, header)) in [
        (sized.to_owned(), plain, invalid("host")),
        (format!("{host}{host}{sized}"), plain, invalid("host")),
        (format!("{host}host: u\r\n{sized}"), plain, invalid("host")),
        (format!("host: t/x\r\n{sized}"), plain, invalid("host")),
        (format!("host: t t\r\n{sized}"), plain, invalid("host")),
        (format!("host: a:b\r\n{sized}"), plain, invalid("host")),
        (
            format!("{host}transfer-encoding: gzip, chunked\r\n"),
            chunked,
            invalid("transfer-encoding"),
        ),
        (
            format!("{host}transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n"),
            chunked,
            invalid("transfer-encoding"),
        ),
        (
            format!("{host}transfer-encoding: chunked, chunked\r\n"),
            chunked,
            invalid("transfer-encoding"),
        ),
        (
            format!("{host}content-encoding: gzip\r\n{sized}"),
            plain,
            (415, "unsupported-media-type", None),
        ),
        (
            format!("{host}content-encoding: identity, br\r\n{sized}"),
            plain,
            (415, "unsupported-media-type", None),
        ),
    ] {
        // The fast path, and the router's.
        for path in ["/v1/coupons/1/issues", "/v1/coupons/%31/issues"] {
            let mut client = house.client();
            client.write(
                format!(
                    "POST {path} HTTP/1.1\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n{headers}\r\n{body}",
                    house.service
                )
                .as_bytes(),
            );
            let answer = client.answer(false);
            assert_eq!(answer.refusal(), (status, code.to_owned()), "{headers}");
            assert_eq!(answer.json()["header"].as_str(), header, "{headers}");
            assert!(answer.header("x-request-id").is_some(), "{headers}");
            if status == 400 {
                assert_eq!(client.until_closed(), b"", "nothing behind it is answered");
            }
        }
    }
    assert_eq!(issued(&house), 0);
    for good in [
        "host:\r\n",
        "host: [::1]:8080\r\n",
        "Host: t\r\nContent-Encoding: identity\r\n",
    ] {
        let mut client = house.client();
        client.write(format!("GET /livez HTTP/1.1\r\n{good}\r\n").as_bytes());
        assert_eq!(client.answer(false).status, 200, "{good}");
    }
    let mut client = house.client();
    client.write(b"GET /livez HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer(false).status, 200, "HTTP/1.0 knows no Host");
}

#[test]
fn nothing_is_read_behind_a_message_with_two_lengths() {
    let house = House::open();
    house.publish(json!(10));
    for lengths in [
        "content-length: 4\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
    ] {
        let mut client = house.client();
        let head = format!(
            "POST /v1/coupons/1/issues HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\n",
            house.service
        );
        let body = "f\r\n{\"userId\": \"a\"}\r\n0\r\n\r\n";
        let hidden = format!("{head}content-length: 15\r\n\r\n{{\"userId\": \"b\"}}");
        client.write(format!("{head}{lengths}\r\n{body}{hidden}").as_bytes());
        assert!(client.answer(false).status < 500);
        assert_eq!(
            client.until_closed(),
            b"",
            "what is hidden behind it is not answered"
        );
    }
    assert_eq!(
        issued(&house),
        1,
        "by the chunks, as RFC 9112 says, and nothing else"
    );
}

#[test]
fn a_head_over_the_limit_is_refused() {
    let house = House::open();
    let mut client = house.client();
    client.write(b"GET /livez HTTP/1.1\r\nhost: t\r\n");
    for number in 0..40 {
        client.try_write(format!("x-{number}: {}\r\n", "y".repeat(1_000)).as_bytes());
    }
    client.try_write(b"\r\n");
    assert!(client.until_closed().starts_with(b"HTTP/1.1 431"));
    let mut client = house.client();
    client.write(b"GET /livez HTTP/1.1\r\nhost: t\r\n");
    for number in 0..200 {
        client.try_write(format!("x-{number}: y\r\n").as_bytes());
    }
    client.try_write(b"\r\n");
    assert!(client.until_closed().starts_with(b"HTTP/1.1 431"));
}

#[test]
fn bodies_over_the_limit_are_413_however_they_are_framed() {
    let house = House::open();
    house.publish(json!(10));
    let huge = format!("{{\"userId\":\"a\"{}}}", " ".repeat(20_000));
    assert_eq!(
        issue_raw(&house, huge.as_bytes(), &[JSON]).refusal(),
        (413, "too-large".to_owned())
    );
    // Said to be huge, and never sent: the answer does not wait for it.
    let mut client = house.client();
    let head = format!(
        "POST /v1/coupons/1/issues HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\n",
        house.service
    );
    client.write(format!("{head}content-length: 99999999999\r\n\r\n").as_bytes());
    assert_eq!(client.answer(false).refusal(), (413, "too-large".to_owned()));
    // In chunks, without saying how many.
    let mut client = house.client();
    client.write(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes());
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    for _ in 0..5 {
        client.try_write(chunk.as_bytes());
    }
    assert_eq!(client.answer(false).refusal(), (413, "too-large".to_owned()));
    let admin = house.ask(
        "POST",
        "/v1/admin/coupons",
        &house.admin,
        json!({ "name": "x".repeat(70_000) }),
    );
    assert_eq!(admin.refusal(), (413, "too-large".to_owned()));
    assert_eq!(issued(&house), 0);
}

#[test]
fn a_small_body_in_chunks_is_as_good_as_any() {
    let house = House::open();
    house.publish(json!(10));
    let mut client = house.client();
    let head = format!(
        "POST /v1/coupons/1/issues HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
        house.service
    );
    client.write(head.as_bytes());
    for piece in ["{\"user", "Id\":", "\"a\"}"] {
        client.write(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes());
    }
    client.write(b"0\r\n\r\n");
    assert_eq!(client.answer(false).status, 201);
}
