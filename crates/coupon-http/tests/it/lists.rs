//! Lists: pages, cursors, and the CSV of any size.

use crate::client::Answer;
use crate::house::House;
use serde_json::{Value, json};

/// Walks a list in pages of so many and returns everything in it.
fn walk(house: &House, path: &str, credential: &str, limit: usize) -> Vec<Value> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = house
            .get(&format!("{path}?limit={limit}{cursor}"), credential)
            .json();
        let data = page["data"].as_array().unwrap().clone();
        assert!(data.len() <= limit);
        found.extend(data);
        match page["nextCursor"].as_str() {
            None => return found,
            Some(next) => cursor = format!("&cursor={next}"),
        }
    }
}

#[test]
fn every_list_is_walked_in_pages_of_any_size_without_gap_or_repetition() {
    let house = House::open();
    for _ in 0..7 {
        house.publish(json!(100));
    }
    for user in 0..7 {
        house.issue(1, &format!("user-{user}"));
        house.issue(user + 1, "collector");
        house.clock.shift(1_000);
        if user == 3 {
            house.catch_up(); // half of it in the store, half on its way
        }
    }
    let ids = |list: Vec<Value>| -> Vec<String> { list.iter().map(|one| one["id"].to_string()).collect() };
    for path in [
        "/v1/admin/coupons",
        "/v1/admin/coupons/1/issued-coupons",
        "/v1/users/collector/coupons",
        "/v1/admin/keys",
    ] {
        let whole = ids(walk(&house, path, &house.admin, 1_000));
        assert!(whole.len() >= 3, "{path}");
        for limit in 1..=9 {
            assert_eq!(
                ids(walk(&house, path, &house.admin, limit)),
                whole,
                "{path} by {limit}"
            );
        }
    }
    let positions: Vec<u64> = walk(&house, "/v1/admin/coupons/1/issued-coupons", &house.admin, 3)
        .iter()
        .map(|one| one["position"].as_u64().unwrap())
        .collect();
    assert_eq!(positions, (1..=8).collect::<Vec<u64>>());
    let newest_first: Vec<u64> = walk(&house, "/v1/users/collector/coupons", &house.service, 2)
        .iter()
        .map(|one| one["couponId"].as_u64().unwrap())
        .collect();
    assert_eq!(newest_first, [7, 6, 5, 4, 3, 2, 1]);
}

#[test]
fn a_page_has_a_hundred_unless_asked_and_the_last_has_no_cursor() {
    let house = House::open();
    for _ in 0..101 {
        house.publish(json!(1));
    }
    let first = house.get("/v1/admin/coupons", &house.admin).json();
    assert_eq!(first["data"].as_array().unwrap().len(), 100);
    assert!(first["nextCursor"].is_string());
    let all = house.get("/v1/admin/coupons?limit=101", &house.admin).json();
    assert_eq!(
        (all["data"].as_array().unwrap().len(), &all["nextCursor"]),
        (101, &Value::Null)
    );
}

#[test]
fn a_cursor_of_another_list_or_of_nobody_is_400() {
    let house = House::open();
    for _ in 0..2 {
        house.publish(json!(9));
    }
    for user in ["a", "b"] {
        house.issue(1, user);
        house.issue(2, user);
    }
    let cursor_of = |path: &str| {
        let page = house.get(&format!("{path}?limit=1"), &house.admin).json();
        page["nextCursor"].as_str().unwrap().to_owned()
    };
    let lists = [
        "/v1/admin/coupons",
        "/v1/admin/coupons/1/issued-coupons",
        "/v1/admin/coupons/2/issued-coupons",
        "/v1/users/a/coupons",
        "/v1/admin/keys",
    ];
    for own in lists {
        for other in lists {
            let cursor = cursor_of(other);
            let answer = house.get(&format!("{own}?cursor={cursor}"), &house.admin);
            if own == other {
                assert_eq!(answer.status, 200);
            } else {
                assert_eq!(
                    answer.refusal(),
                    (400, "invalid-cursor".to_owned()),
                    "{own} with that of {other}"
                );
            }
        }
        for forged in [
            "",
            "0",
            "x",
            "0000000000000000000000000000",
            "%00",
            &cursor_of(own).to_uppercase().replace('0', "O"),
        ] {
            let answer = house.get(&format!("{own}?cursor={forged}"), &house.admin);
            assert_eq!(
                answer.refusal(),
                (400, "invalid-cursor".to_owned()),
                "{own} {forged}"
            );
        }
    }
}

fn csv(house: &House, id: u64) -> Answer {
    house.get(
        &format!("/v1/admin/coupons/{id}/issued-coupons.csv"),
        &house.admin,
    )
}

#[test]
fn the_csv_holds_everybody_in_order_whatever_the_store_has() {
    let house = House::open();
    let id = house.publish(Value::Null);
    let mut client = house.client();
    let bearer = format!("Bearer {}", house.service);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    for user in 0..2_500 {
        let body = format!("{{\"userId\":\"user-{user}\"}}");
        client.send(
            "POST",
            &format!("/v1/coupons/{id}/issues"),
            &headers,
            body.as_bytes(),
        );
        if user == 1_300 {
            house.catch_up();
        }
    }
    let answer = csv(&house, id);
    assert_eq!(
        answer.header("content-type"),
        Some("text/csv; charset=utf-8; header=present")
    );
    assert_eq!(
        answer.header("content-disposition"),
        Some(&*format!("attachment; filename=\"issued-coupons-{id}.csv\""))
    );
    let text = answer.text();
    let mut lines = text.split_terminator("\r\n");
    assert_eq!(
        lines.next(),
        Some("position,id,userId,code,state,issuedAt,expiresAt,redeemedAt,orderId")
    );
    let mut count = 0;
    for (user, line) in lines.enumerate() {
        let position = user + 1;
        assert!(
            line.starts_with(&format!("{position},{id}-{position},\"user-{user}\",")),
            "{line}"
        );
        assert!(
            line.ends_with(",issued,2026-06-01T00:00:00.000000Z,2026-07-01T00:00:00.000000Z,,"),
            "{line}"
        );
        count += 1;
    }
    assert_eq!(count, 2_500);
}

#[test]
fn no_field_of_the_csv_starts_a_formula_or_leaves_its_cell() {
    let house = House::open();
    let id = house.publish(Value::Null);
    let users = [
        "=1+1",
        "+1",
        "-1",
        "@x",
        "\"=1\"",
        "a,=1",
        "=cmd|' /C calc'!A0",
        " =1",
        "＝1",
        "a;=1",
    ];
    for user in users {
        assert_eq!(house.issue(id, user).status, 201);
    }
    let text = csv(&house, id).text();
    for (line, user) in text.split_terminator("\r\n").skip(1).zip(users) {
        let cells = cells(line);
        assert_eq!(cells.len(), 9, "{line}");
        assert_eq!(cells[2].trim_start_matches('\''), user);
        for cell in cells {
            assert!(
                !cell.trim_start().starts_with(['=', '+', '-', '@', '＝']),
                "{line}"
            );
        }
    }
    let json = house
        .get(&format!("/v1/admin/coupons/{id}/issued-coupons"), &house.admin)
        .json();
    let exact: Vec<&str> = json["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["userId"].as_str().unwrap())
        .collect();
    assert_eq!(exact, users, "the list as JSON has every text as it is");
}

#[test]
fn an_empty_csv_is_its_header() {
    let house = House::open();
    let id = house.publish(json!(1));
    assert_eq!(csv(&house, id).text().lines().count(), 1);
    let headers = [("authorization", &*format!("Bearer {}", house.admin))];
    let head = house.client().send(
        "HEAD",
        &format!("/v1/admin/coupons/{id}/issued-coupons.csv"),
        &headers,
        b"",
    );
    assert_eq!(head.status, 200);
}

/// The cells of a line as RFC 4180 has them.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let cell = cells.last_mut().unwrap();
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => cell.push(characters.next().unwrap()),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            other => cell.push(other),
        }
    }
    cells
}
