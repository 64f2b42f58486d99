//! `firstcome rehearse` at two servers and two workers, for every strategy, with and without Kafka: it passes, and the
//! store has exactly what was told.

use crate::fleet::{Fleet, assert_exact, wait_for};
use crate::harness::{Server, told};
use crate::kafka::{counted, end, shared};
use coupon_rehearsal::History;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const QUANTITY: usize = 1_000;
/// Who decides, and whether its issues come to the store by a stream.
const STRATEGIES: [(&str, bool); 3] = [("database", false), ("redis-lock", false), ("redis-script", true)];

/// A rehearsal at these servers, and where its history will be.
fn rehearsal(fleet: &Fleet, servers: &[&Server], strategy: &str, duration: &str) -> (Command, PathBuf) {
    let report = fleet.scratch.path().join(strategy);
    let mut arguments = vec!["rehearse"];
    for server in servers {
        arguments.extend(["--target", &server.url]);
    }
    arguments.extend([
        "--strategy",
        strategy,
        "--users",
        "1500",
        "--quantity",
        "1000",
        "--duration",
        duration,
        "--report",
        report.to_str().unwrap(),
    ]);
    (fleet.command(&arguments), report.join("history.jsonl"))
}

/// Who was told which position, and the coupon.
fn acknowledged(history: &Path) -> (String, BTreeMap<String, u64>) {
    let history = History::read(history).unwrap();
    let users = &history.header.user_prefix;
    let told = history
        .attempts
        .iter()
        .filter_map(|attempt| Some((users.name(attempt.user), attempt.position?)))
        .collect();
    (format!("/v1/coupons/{}", history.header.coupon.id), told)
}

/// The store has what was told and nothing else, and the audit of a server agrees with the history.
fn agrees(fleet: &Fleet, server: &Server, history: &Path, by_stream: bool) {
    let (coupon, told_positions) = acknowledged(history);
    assert_exact(&told_positions, u64::try_from(QUANTITY).unwrap());
    if by_stream {
        fleet.assert_settled(&coupon, &told_positions);
    }
    assert_eq!(fleet.await_stored(&coupon, QUANTITY), told_positions);
    let detained = fleet.database.query("SELECT COUNT(*) FROM quarantine").unwrap();
    assert_eq!(detained[0][0].as_deref(), Some("0"));
    let history = history.to_str().unwrap();
    let verify = fleet
        .command(&["verify", "--server", &server.url, "--history", history])
        .output()
        .unwrap();
    let said = told(&verify);
    assert!(verify.status.success(), "{said}");
    assert!(
        said.contains("verdict: PASS") && said.contains("everything is sound"),
        "{said}"
    );
}

/// Rehearses every strategy, one after the other; `by_kafka` is asked after each what came that way.
fn rehearses(fleet: &Fleet, mut by_kafka: impl FnMut(&[&Server], bool)) {
    let servers = [fleet.serve(&[]), fleet.serve(&[])];
    let workers = [fleet.work(), fleet.work()];
    for (strategy, by_stream) in STRATEGIES {
        let (mut command, history) = rehearsal(fleet, &servers.each_ref(), strategy, "1s");
        let output = command.output().unwrap();
        let said = told(&output);
        assert!(output.status.success(), "{strategy}: {said}");
        assert!(said.contains("verdict: PASS"), "{strategy}: {said}");
        assert!(
            servers.iter().all(|server| said.contains(&server.url)),
            "{strategy}: {said}"
        );
        agrees(fleet, &servers[1], &history, by_stream);
        by_kafka(&workers.each_ref(), by_stream);
    }
    end(servers.into_iter().chain(workers));
}

#[test]
fn a_rehearsal_at_two_servers_and_two_workers_passes_for_every_strategy() {
    let Some(fleet) = Fleet::open() else { return };
    rehearses(&fleet, |workers, by_stream| {
        let written = || counted(workers, "firstcome_worker_written_total");
        // What the database decides is there already.
        let expected = if by_stream { QUANTITY } else { 0 };
        wait_for(|| (written() == u64::try_from(expected).unwrap()).then_some(()));
    });
}

#[test]
fn a_rehearsal_with_kafka_passes_for_every_strategy() {
    let Some((fleet, _names)) = shared() else { return };
    rehearses(&fleet, |workers, by_stream| {
        let count = |name| counted(workers, name);
        let expected = u64::try_from(if by_stream { QUANTITY } else { 0 }).unwrap();
        // Written by what came from the topic, and by nothing else.
        wait_for(|| (count("firstcome_worker_written_total") == expected).then_some(()));
        assert_eq!(count("firstcome_worker_confirm_written_total"), 0);
        assert!(count("firstcome_worker_publish_written_total") >= expected);
        assert_eq!(count("firstcome_worker_dead_letters"), 0);
    });
}

#[test]
fn what_is_lost_with_redis_in_a_rehearsal_is_named_by_its_verdict_and_by_verify() {
    let Some(fleet) = Fleet::open() else { return };
    let servers = [fleet.serve(&[]), fleet.serve(&[])];
    // No worker yet, so that the store has nothing when it happens.
    let (mut command, history) = rehearsal(&fleet, &servers.each_ref(), "redis-script", "2s");
    let playing = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let issued = || {
        let words = ["HGET", "firstcome:{1}:state", "issued"];
        fleet.redis.command(&words).unwrap().text().parse::<usize>().ok()
    };
    wait_for(|| issued().filter(|issued| *issued >= QUANTITY / 5));
    fleet.redis.command(&["FLUSHALL"]).unwrap();
    let workers = [fleet.work(), fleet.work()];
    let output = playing.wait_with_output().unwrap();
    let said = told(&output);
    assert!(output.status.success(), "{said}");
    let (coupon, _) = acknowledged(&history);
    let stored = fleet.await_stored(&coupon, QUANTITY);
    // Whoever was told a position that the store does not have.
    let read = History::read(&history).unwrap();
    let users = &read.header.user_prefix;
    let gone: BTreeSet<(String, u64)> = read
        .attempts
        .iter()
        .filter_map(|attempt| Some((users.name(attempt.user), attempt.position?)))
        .filter(|(user, position)| stored.get(user) != Some(position))
        .collect();
    assert!(gone.len() >= QUANTITY / 10, "{}", gone.len());
    assert!(
        stored
            .values()
            .all(|position| gone.iter().all(|(_, lost)| lost != position)),
        "a lost position is never used again"
    );
    assert!(
        said.contains("verdict: PASS (acknowledged issues that were lost"),
        "{said}"
    );
    let verify = |more: &[&str]| {
        let arguments = ["verify", "--server", &servers[0].url, "--history"];
        let arguments = [&arguments[..], &[history.to_str().unwrap()], more].concat();
        let output = fleet.command(&arguments).output().unwrap();
        assert!(output.status.success(), "{}", told(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let judged: Value = serde_json::from_str(&verify(&["--json"])).unwrap();
    let checks = judged["history"]["checks"].as_array().unwrap();
    let kept = checks.iter().find(|check| check["invariant"] == "I3").unwrap();
    let remark = &kept["remarks"][0];
    assert_eq!(
        (&remark["kind"], remark["count"].as_u64()),
        (
            &json!("lost-and-counted"),
            Some(u64::try_from(gone.len()).unwrap())
        ),
        "{kept}"
    );
    let named = remark["examples"].to_string();
    for (user, position) in &gone {
        let words = format!("{user} was told position {position}, which was lost");
        assert!(named.contains(&words), "{words} is not in {named}");
    }
    assert!(verify(&[]).contains("positions were lost with the ledger's state"));
    end(servers.into_iter().chain(workers));
}

/// A server and a worker are killed while the rehearsal goes on, and come back.
fn a_rehearsal_with_deaths(fleet: &Fleet, strategy: &str, by_stream: bool) {
    let port = coupon_testkit::free_port().unwrap();
    let listen = format!("127.0.0.1:{port}");
    let start = || Server::start(fleet.command(&["serve", "--listen", &listen]));
    let (stays, doomed) = (fleet.serve(&[]), start());
    let [worker, doomed_worker] = [fleet.work(), fleet.work()];
    let (mut command, history) = rehearsal(fleet, &[&stays, &doomed], strategy, "3s");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let playing = command.spawn().unwrap();
    let stored = || {
        fleet
            .database
            .query("SELECT COUNT(*) FROM issued_coupons")
            .unwrap()
    };
    let stored = || stored()[0][0].as_deref().unwrap().parse::<usize>().unwrap();
    wait_for(|| (stored() >= QUANTITY / 10).then_some(()));
    doomed.kill();
    doomed_worker.kill();
    assert!(stored() < QUANTITY, "in the middle of the sale");
    let back = [start(), fleet.work()];
    let output = playing.wait_with_output().unwrap();
    let said = told(&output);
    assert!(output.status.success(), "{strategy}: {said}");
    assert!(said.contains("verdict: PASS"), "{strategy}: {said}");
    agrees(fleet, &back[0], &history, by_stream);
    end([stays, worker].into_iter().chain(back));
}

#[test]
fn a_rehearsal_passes_although_a_server_and_a_worker_are_killed_in_the_middle() {
    for (strategy, by_stream) in STRATEGIES {
        let Some(fleet) = Fleet::open() else { return };
        a_rehearsal_with_deaths(&fleet, strategy, by_stream);
    }
}

#[test]
fn a_rehearsal_with_kafka_passes_although_a_server_and_a_worker_are_killed_in_the_middle() {
    let Some((fleet, _names)) = shared() else { return };
    a_rehearsal_with_deaths(&fleet, "redis-script", true);
}
