//! Several servers issue the same coupon at once.

use crate::fleet::{Fleet, admin, assert_exact, publish, wait_for};
use crate::harness::{Caller, Server, converse};
use coupon_testkit::{RedisOptions, SqlEngine, SqlOptions};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::collections::BTreeMap;

/// What users were told: the position of each who won, and how many were told that it is sold out.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) won: BTreeMap<String, u64>,
    pub(crate) sold_out: usize,
}

/// So many users ask both servers at the same time, all at once.
pub(crate) fn everybody_asks(servers: [&Caller; 2], coupon: &str, users: usize) -> Told {
    let answers = converse(async {
        let mut asking = Vec::new();
        for n in 0..users {
            for caller in servers {
                let (caller, path) = (caller.clone(), format!("{coupon}/issues"));
                let body = json!({ "userId": format!("user-{n}") });
                asking.push(tokio::spawn(async move {
                    let answer = caller.try_ask(Method::POST, &path, Some(body)).await.unwrap();
                    (format!("user-{n}"), answer)
                }));
            }
        }
        let mut answers = Vec::new();
        for one in asking {
            answers.push(one.await.unwrap());
        }
        answers
    });
    let mut told = Told::default();
    let mut again = Vec::new();
    for (user, (status, answer)) in answers {
        match status {
            StatusCode::CREATED => {
                let before = told.won.insert(user, answer["position"].as_u64().unwrap());
                assert_eq!(before, None, "one per user: {answer}");
            }
            StatusCode::CONFLICT if answer["code"] == "already-issued" => again.push((user, answer)),
            StatusCode::CONFLICT | StatusCode::GONE => told.sold_out += 1,
            _ => panic!("{user}: {status} {answer}"),
        }
    }
    for (user, answer) in again {
        assert_eq!(
            answer["issuedCoupon"]["position"].as_u64(),
            told.won.get(&user).copied(),
            "{answer}"
        );
    }
    told
}

fn holds(caller: &Caller, user: &str, coupon: &str) -> bool {
    let id = coupon.rsplit('/').next().unwrap().parse::<u64>().unwrap();
    let (status, wallet) = caller.ask(Method::GET, &format!("/v1/users/{user}/coupons"), None);
    assert_eq!(status, StatusCode::OK, "{wallet}");
    let held = wallet["data"].as_array().unwrap();
    held.iter().any(|one| one["couponId"].as_u64() == Some(id))
}

fn a_sale_at_two_servers(strategy: &str) {
    let Some(fleet) = Fleet::open() else { return };
    let servers = [fleet.serve(&[]), fleet.serve(&[])];
    let [here, there] = [admin(&servers[0]), admin(&servers[1])];
    let coupon = publish(&here, 60, &json!({ "strategy": strategy }));
    let (status, first) = there.issue(&coupon, "first");
    assert_eq!(
        (status, first["position"].as_u64()),
        (StatusCode::CREATED, Some(1)),
        "the other server knows the coupon at once: {first}"
    );
    assert!(
        holds(&here, "first", &coupon),
        "the wallet is the same at every server"
    );
    // Not before now, so that the wallet was not filled by a worker.
    let workers = [fleet.work(), fleet.work()];
    let mut told = everybody_asks([&here, &there], &coupon, 100);
    told.won.insert("first".to_owned(), 1);
    assert_exact(&told.won, 60);
    assert_eq!(told.sold_out, 2 * (101 - 60));
    assert_eq!(fleet.await_stored(&coupon, 60), told.won);
    for server in servers.into_iter().chain(workers) {
        let (status, log) = server.stop();
        assert!(status.success(), "{log}");
    }
}

#[test]
fn two_servers_issue_exactly_as_many_under_a_row_lock() {
    a_sale_at_two_servers("database");
}

#[test]
fn two_servers_issue_exactly_as_many_by_a_script() {
    a_sale_at_two_servers("redis-script");
}

#[test]
fn two_servers_issue_exactly_as_many_under_a_redis_lock() {
    a_sale_at_two_servers("redis-lock");
}

#[test]
fn an_issue_that_waits_for_the_store_is_there_when_it_is_answered() {
    let Some(fleet) = Fleet::open() else { return };
    let server = fleet.serve(&[]);
    let caller = admin(&server);
    for strategy in ["redis-script", "database"] {
        let coupon = publish(&caller, 5, &json!({ "strategy": strategy, "ack": "store" }));
        let (status, issued) = caller.issue(&coupon, "alice");
        assert_eq!(status, StatusCode::CREATED, "{issued}");
        assert_exact(&fleet.stored(&coupon), 1);
    }
}

#[test]
fn a_change_and_a_key_made_at_one_server_count_at_the_other() {
    let Some(fleet) = Fleet::open() else { return };
    let servers = [fleet.serve(&[]), fleet.serve(&[])];
    let [here, there] = [admin(&servers[0]), admin(&servers[1])];
    for strategy in ["redis-script", "database", "redis-lock"] {
        let coupon = publish(&here, 5, &json!({ "strategy": strategy }));
        let path = coupon.replace("/v1/", "/v1/admin/");
        let (status, shown) = there.ask(Method::GET, &path, None);
        assert_eq!((status, &shown["strategy"]), (StatusCode::OK, &json!(strategy)));
        let (status, paused) = here.ask(Method::POST, &format!("{path}/pause"), Some(json!({})));
        assert_eq!(status, StatusCode::OK, "{paused}");
        let (status, refused) = there.issue(&coupon, "alice");
        assert_eq!(
            (status, &refused["code"]),
            (StatusCode::FORBIDDEN, &json!("paused")),
            "{refused}"
        );
    }
    let wanted = json!({ "name": "shop", "scopes": ["issue"] });
    let (status, key) = here.ask(Method::POST, "/v1/admin/keys", Some(wanted));
    assert_eq!(status, StatusCode::CREATED, "{key}");
    let shop = Caller::new(&servers[1], key["key"].as_str().unwrap());
    wait_for(|| (shop.issue("/v1/coupons/99", "bob").0 == StatusCode::NOT_FOUND).then_some(()));
}

/// What a server has counted under this name.
fn counted(server: &Server, name: &str) -> u64 {
    let text = metrics(server);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not in {text}"))
        .parse()
        .unwrap()
}

const FROM_MEMORY: &str = "firstcome_issues_refused_from_memory_total";
const BY_LEDGER: &str = "firstcome_combiner_requests_total";

#[test]
fn a_crowd_that_is_too_late_is_refused_from_memory_until_something_changes() {
    let Some(fleet) = Fleet::open() else { return };
    let servers = [fleet.serve(&[]), fleet.serve(&[])];
    let _worker = fleet.work();
    let [here, there] = [admin(&servers[0]), admin(&servers[1])];
    for strategy in ["redis-script", "database", "redis-lock"] {
        let coupon = publish(&here, 5, &json!({ "strategy": strategy }));
        for n in 1..=5 {
            assert_eq!(here.issue(&coupon, &format!("user-{n}")).0, StatusCode::CREATED);
        }
        for server in &servers {
            let (caller, before) = (admin(server), counted(server, FROM_MEMORY));
            let mut late = 0;
            wait_for(|| {
                late += 1;
                let (status, refused) = caller.issue(&coupon, &format!("late-{late}"));
                assert_eq!(
                    (status, &refused["code"]),
                    (StatusCode::GONE, &json!("sold-out")),
                    "{refused}"
                );
                (counted(server, FROM_MEMORY) > before).then_some(())
            });
            // Whoever has one is told so all the same.
            for n in 1..=5 {
                let (status, answer) = caller.issue(&coupon, &format!("user-{n}"));
                assert_eq!(status, StatusCode::CONFLICT, "{answer}");
                assert_eq!(answer["issuedCoupon"]["position"], n);
            }
        }
        let path = coupon.replace("/v1/", "/v1/admin/");
        let (status, raised) = here.ask(Method::PATCH, &path, Some(json!({ "quantity": 7 })));
        assert_eq!(status, StatusCode::OK, "{raised}");
        let (status, issued) = here.issue(&coupon, "late-1");
        assert_eq!(
            status,
            StatusCode::CREATED,
            "who has answered the change knows it: {issued}"
        );
        let position = wait_for(|| {
            let (status, answer) = there.issue(&coupon, "late-2");
            (status == StatusCode::CREATED).then(|| answer["position"].as_u64())
        });
        assert_eq!(position, Some(7), "{strategy}");
        let later = publish(
            &here,
            5,
            &json!({ "strategy": strategy, "opensAt": "2098-01-01T00:00:00Z" }),
        );
        let before = counted(&servers[1], FROM_MEMORY);
        wait_for(|| {
            let (status, refused) = there.issue(&later, "early");
            assert_eq!(
                (status, &refused["code"]),
                (StatusCode::FORBIDDEN, &json!("not-yet-open")),
                "{refused}"
            );
            (counted(&servers[1], FROM_MEMORY) > before).then_some(())
        });
    }
}

#[test]
fn a_crowd_that_comes_after_the_end_is_refused_from_memory_and_winners_are_not() {
    let Some(fleet) = Fleet::open() else { return };
    let servers = [fleet.serve(&[]), fleet.serve(&[])];
    let _worker = fleet.work();
    let here = admin(&servers[0]);
    for strategy in ["redis-script", "database", "redis-lock"] {
        let coupon = publish(&here, 100, &json!({ "strategy": strategy }));
        for n in 1..=5 {
            assert_eq!(here.issue(&coupon, &format!("user-{n}")).0, StatusCode::CREATED);
        }
        let path = format!("{}/close", coupon.replace("/v1/", "/v1/admin/"));
        let (status, closed) = here.ask(Method::POST, &path, None);
        assert_eq!(status, StatusCode::OK, "{closed}");
        for server in &servers {
            let (caller, before) = (admin(server), counted(server, FROM_MEMORY));
            wait_for(|| {
                let (status, refused) = caller.issue(&coupon, "late");
                assert_eq!(
                    (status, &refused["code"]),
                    (StatusCode::GONE, &json!("closed")),
                    "{strategy}: {refused}"
                );
                (counted(server, FROM_MEMORY) > before).then_some(())
            });
            for n in 1..=5 {
                let (status, answer) = caller.issue(&coupon, &format!("user-{n}"));
                assert_eq!(status, StatusCode::CONFLICT, "{strategy}: {answer}");
                assert_eq!(answer["issuedCoupon"]["position"], n);
            }
        }
    }
}

#[test]
fn with_refuse_from_memory_off_every_refusal_reaches_the_ledger() {
    let Some(fleet) = Fleet::open() else { return };
    let servers = [
        fleet.serve(&[]),
        fleet.serve(&["--set", "refuse_from_memory=false"]),
    ];
    let _worker = fleet.work();
    let [remembers, asks] = servers.each_ref().map(admin);
    for strategy in ["redis-script", "database", "redis-lock"] {
        let coupon = publish(&remembers, 1, &json!({ "strategy": strategy }));
        assert_eq!(remembers.issue(&coupon, "first").0, StatusCode::CREATED);
        let counts = |server| [BY_LEDGER, FROM_MEMORY].map(|name| counted(server, name));
        let refused = |caller: &Caller| {
            let (status, refused) = caller.issue(&coupon, "late");
            assert_eq!(
                (status, &refused["code"]),
                (StatusCode::GONE, &json!("sold-out")),
                "{strategy}: {refused}"
            );
        };
        let before = counts(&servers[0]);
        let mut asked = 0;
        wait_for(|| {
            refused(&remembers);
            asked += 1;
            let now = counts(&servers[0]);
            let [by_ledger, from_memory] = [0, 1].map(|at| now[at] - before[at]);
            assert_eq!(by_ledger + from_memory, asked, "{strategy}");
            (from_memory > 0).then_some(())
        });
        let before = counts(&servers[1]);
        for _ in 0..20 {
            refused(&asks);
        }
        assert_eq!(counts(&servers[1]), [before[0] + 20, 0], "{strategy}");
        // What was unknown is there as soon as it is made, wherever.
        let id: u64 = coupon.rsplit('/').next().unwrap().parse().unwrap();
        let next = format!("/v1/coupons/{}", id + 1);
        assert_eq!(asks.issue(&next, "early").0, StatusCode::NOT_FOUND);
        assert_eq!(publish(&remembers, 1, &json!({ "strategy": strategy })), next);
        assert_eq!(asks.issue(&next, "early").0, StatusCode::CREATED, "{strategy}");
    }
}

/// Asks until there is a definite answer.
pub(crate) fn insist(callers: &[Caller], coupon: &str, user: &str) -> u64 {
    wait_for(|| {
        for caller in callers {
            let body = json!({ "userId": user });
            let path = format!("{coupon}/issues");
            match converse(caller.try_ask(Method::POST, &path, Some(body))) {
                Ok((StatusCode::CREATED, answer)) => return answer["position"].as_u64(),
                Ok((StatusCode::CONFLICT, answer)) => return answer["issuedCoupon"]["position"].as_u64(),
                // Unavailable, indeterminate, or gone.
                Ok(_) | Err(_) => {}
            }
        }
        None
    })
}

#[test]
fn whoever_is_killed_in_the_middle_nothing_that_was_answered_is_lost() {
    let Some(mut fleet) = Fleet::open() else { return };
    let mut servers = [fleet.serve(&[]), fleet.serve(&[])];
    let mut workers = [fleet.work(), fleet.work()];
    let coupon = publish(
        &admin(&servers[0]),
        1_000_000,
        &json!({ "strategy": "redis-script" }),
    );
    let mut told = BTreeMap::new();
    let mut ask = |servers: &[Server; 2], users: std::ops::Range<usize>| {
        let callers = servers.each_ref().map(admin);
        for n in users {
            let user = format!("user-{n}");
            let position = insist(&callers, &coupon, &user);
            told.insert(user, position);
        }
    };
    ask(&servers, 0..40);
    // A server, with requests under way.
    let (doomed, path) = (admin(&servers[0]), format!("{coupon}/issues"));
    let asking = std::thread::spawn(move || {
        let mut told = Vec::new();
        for n in 1_000.. {
            let body = json!({ "userId": format!("user-{n}") });
            match converse(doomed.try_ask(Method::POST, &path, Some(body))) {
                Ok((StatusCode::CREATED, answer)) => {
                    told.push((format!("user-{n}"), answer["position"].as_u64().unwrap()));
                }
                // The server is gone.
                Ok(_) | Err(_) => break,
            }
        }
        told
    });
    wait_for(|| (fleet.stored(&coupon).len() > 60).then_some(()));
    let [first, second] = servers;
    first.kill();
    let more = asking.join().unwrap();
    servers = [fleet.serve(&[]), second];
    ask(&servers, 40..80);
    let [first, second] = workers;
    first.kill();
    ask(&servers, 80..120);
    fleet.redis.kill9();
    fleet.redis.restart().unwrap();
    ask(&servers, 120..160);
    second.kill();
    workers = [fleet.work(), fleet.work()];
    ask(&servers, 160..200);
    told.extend(more);
    fleet.assert_settled(&coupon, &told);
    for worker in workers {
        let (status, log) = worker.stop();
        assert!(status.success(), "{log}");
    }
}

pub(crate) fn readiness(server: &Server) -> (StatusCode, String) {
    let (status, answer) = admin(server).ask(Method::GET, "/readyz", None);
    (status, answer.to_string())
}

#[test]
fn a_redis_that_is_too_weak_is_told_until_it_is_declared() {
    let weak = RedisOptions::durable().set("appendfsync", "everysec");
    let Some(fleet) = Fleet::with(&weak) else { return };
    let server = fleet.serve(&[]);
    let (status, why) = readiness(&server);
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        why.contains("redis-script") && why.contains("appendfsync"),
        "{why}"
    );
    drop(server);
    let server = fleet.serve(&["--set", "redis.declared=appendfsync"]);
    assert_eq!(readiness(&server).0, StatusCode::OK);
}

#[test]
fn a_database_that_is_too_weak_is_told_until_it_is_declared() {
    for engine in [SqlEngine::MariaDb, SqlEngine::MySql] {
        let weak = SqlOptions::on(engine).set("innodb-flush-log-at-trx-commit", "2");
        let Some(fleet) = Fleet::on(&weak) else { continue };
        let server = fleet.serve(&[]);
        let (status, why) = readiness(&server);
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(
            why.contains("database") && why.contains("innodb_flush_log_at_trx_commit"),
            "{why}"
        );
        drop(server);
        let server = fleet.serve(&["--set", "database.declared=innodb_flush_log_at_trx_commit"]);
        let (status, why) = readiness(&server);
        assert_eq!(status, StatusCode::OK, "{why}");
    }
}

/// What a process has counted.
pub(crate) fn metrics(server: &Server) -> String {
    converse(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let asked = client.get(format!("{}/metrics", server.url)).send();
        asked.await.unwrap().text().await.unwrap()
    })
}

#[test]
fn a_worker_tells_how_it_is_and_how_far_behind() {
    let Some(fleet) = Fleet::open() else { return };
    let server = fleet.serve(&[]);
    let coupon = publish(&admin(&server), 5, &json!({ "strategy": "redis-script" }));
    let worker = fleet.work();
    assert_eq!(admin(&server).issue(&coupon, "alice").0, StatusCode::CREATED);
    fleet.await_stored(&coupon, 1);
    let (status, why) = readiness(&worker);
    assert_eq!(status, StatusCode::OK, "{why}");
    let metrics = metrics(&worker);
    for name in [
        "firstcome_worker_written_total 1",
        "firstcome_worker_lag_entries",
        "firstcome_worker_oldest_pending_seconds",
        "firstcome_worker_time_to_store_seconds_count 1",
        "firstcome_worker_quarantined_total 0",
        "firstcome_worker_dead_letters",
    ] {
        assert!(metrics.contains(name), "{name} is not in {metrics}");
    }
}

#[test]
fn one_of_many_servers_says_which_secrets_it_lacks() {
    let scratch = crate::harness::Scratch::new();
    let mut command = scratch.command(&["serve"]);
    command
        .env("FIRSTCOME_DATABASE_URL", "mysql://shop:hush@127.0.0.1:1/shop")
        .env("FIRSTCOME_ADMIN_KEY", "a".repeat(40));
    let output = command.output().unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        why.contains("FIRSTCOME_JWT_SECRET") && why.contains("FIRSTCOME_KEY_SEED"),
        "{why}"
    );
    assert!(
        !why.contains("FIRSTCOME_ADMIN_KEY,") && !why.contains("hush"),
        "{why}"
    );
    assert!(!scratch.data_dir().exists(), "it keeps nothing here");
}

#[test]
fn a_database_that_cannot_be_reached_is_told_without_its_password() {
    let scratch = crate::harness::Scratch::new();
    let free = coupon_testkit::free_port().unwrap();
    let mut command = scratch.command(&["migrate"]);
    command.env(
        "FIRSTCOME_DATABASE_URL",
        format!("mysql://shop:hush@127.0.0.1:{free}/shop"),
    );
    let output = command.output().unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(why.contains("database") && !why.contains("hush"), "{why}");
}
