//! Jobs on the real binary: by hand with the clock moved, and by the server itself.

use crate::fleet::{Fleet, admin, publish, wait_for};
use crate::harness::{Caller, PATIENCE, Scratch, converse};
use serde_json::{Value, json};
use std::time::Instant;

const KEEP: &str = "notifications.keep=always";

fn run(scratch: &Scratch, arguments: &[&str]) -> u64 {
    let mut all = vec!["--data-dir", "data", "--json", "--set", KEEP, "jobs", "run"];
    all.extend(arguments);
    if arguments.contains(&"--at") {
        all.push("--yes");
    }
    let said: Value = serde_json::from_str(&scratch.must(&all)).unwrap();
    assert_eq!(said["job"], json!(arguments[0]));
    said["done"].as_u64().unwrap()
}

fn notifications(scratch: &Scratch) -> Value {
    let said = scratch.must(&["--data-dir", "data", "--json", "jobs", "list"]);
    let mut said: Value = serde_json::from_str(&said).unwrap();
    said["notifications"].take()
}

#[test]
fn reminders_and_expiry_are_written_once_by_command_with_the_clock_moved() {
    let scratch = Scratch::new();
    let server = scratch.serve_with(&["--set", KEEP, "--set", "jobs.run=false"]);
    let admin = Caller::admin(&scratch, &server);
    let coupon = admin.publish(3);
    for number in 1..=3 {
        admin.issue(&coupon, &format!("user-{number}"));
    }
    let body = json!({ "orderId": "order", "orderAmount": 50_000 });
    let path = "/v1/issued-coupons/1-1/redemption";
    admin.ask(reqwest::Method::POST, path, Some(body));
    // The server runs; a job beside it is harmless.
    assert_eq!(run(&scratch, &["remind"]), 0);
    assert!(server.stop().0.success());
    // Sold out and redeemed, with what they tell of.
    assert_eq!(notifications(&scratch)["new"], json!(2));
    for (job, at, done) in [
        ("remind", "+22d", 0),
        ("remind", "+24d", 2),
        ("remind", "+24d", 0),
        ("remind", "+29d", 0),
        ("expire", "+29d", 0),
        ("expire", "+31d", 2),
        ("expire", "+31d", 0),
    ] {
        assert_eq!(run(&scratch, &[job, "--at", at]), done, "{job} at {at}");
    }
    assert_eq!(notifications(&scratch)["new"], json!(6));
    // There is no mail server and no webhook: whoever would be told is nobody.
    assert_eq!(run(&scratch, &["deliver", "--at", "+31d"]), 0);
    assert_eq!(notifications(&scratch)["new"], json!(0));
    let listed = scratch.must(&["--data-dir", "data", "jobs", "list"]);
    for word in ["expire", "remind", "deliver", "0 new", "0 dead"] {
        assert!(listed.contains(word), "{word} is missing in\n{listed}");
    }
    scratch.must(&["verify", "--data-dir", "data"]);
}

#[test]
fn a_server_runs_its_jobs_itself_and_says_so() {
    let scratch = Scratch::new();
    let server = scratch.serve_with(&["--set", KEEP, "--set", "jobs.expire_every_s=1"]);
    let begun = Instant::now();
    loop {
        let url = format!("{}/metrics", server.url);
        let page = converse(async { reqwest::get(url).await.unwrap().text().await.unwrap() });
        let ran = page.lines().any(|line| {
            line.strip_prefix("firstcome_job_runs_total{job=\"expire\"} ")
                .is_some_and(|count| count.parse::<u64>().is_ok_and(|count| count >= 2))
        });
        assert_eq!(page.matches("# EOF").count(), 1, "one text has one end");
        assert!(page.contains("firstcome_combiner_batches_total"));
        if ran {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "no job has run:\n{page}");
    }
    assert!(server.stop().0.success());
}

#[test]
fn a_time_in_the_future_must_be_meant_because_people_are_really_told() {
    let scratch = Scratch::new();
    let server = scratch.serve_with(&["--set", KEEP, "--set", "jobs.run=false"]);
    let admin = Caller::admin(&scratch, &server);
    let coupon = admin.publish(3);
    admin.issue(&coupon, "kim");
    assert!(server.stop().0.success());
    let run = |more: &[&str]| {
        let output = scratch.run(&[&["--set", KEEP, "jobs", "run", "expire"][..], more].concat());
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (more, code, told) in [
        (&["--at", "+31d"][..], Some(1), "nothing was done"),
        (&["--yes"], Some(2), "--at"),
        (&["--at", "now"], Some(0), ""),
        (&["--at", "2026-01-01T00:00:00Z"], Some(0), ""),
        (&[], Some(0), ""),
        (&["--at", "+31d", "--yes"], Some(0), ""),
    ] {
        let before = notifications(&scratch)["new"].clone();
        let (ended, said) = run(more);
        assert_eq!(ended, code, "{more:?}: {said}");
        let is_told = if told.is_empty() {
            said.is_empty()
        } else {
            said.contains(told)
        };
        assert!(
            is_told,
            "{more:?}: only what goes wrong is said beside the answer: {said}"
        );
        let meant = more.contains(&"+31d") && code == Some(0);
        let after = before.as_u64().unwrap() + u64::from(meant);
        assert_eq!(notifications(&scratch)["new"], json!(after), "{more:?}");
    }
}

#[test]
fn what_cannot_be_a_job_or_a_time_or_a_list_of_reminders_is_refused() {
    let scratch = Scratch::new();
    for (arguments, why) in [
        (vec!["jobs", "run", "sweep"], "expire, remind, deliver"),
        (vec!["jobs", "run", "expire", "--at", "noon"], "is not a time"),
    ] {
        let output = scratch.run(&arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(why), "{said}");
    }
    for (days, why) in [("0", "1 to 366"), ("7,7", "different"), ("soon", "whole numbers")] {
        let setting = format!("reminders.days={days}");
        let said = scratch.refused(&["--set", &setting, "jobs", "list"]);
        assert!(said.contains(why), "{said}");
    }
    let said = scratch.refused(&["--data-dir", "nowhere", "jobs", "run", "expire"]);
    assert!(said.contains("no data directory"), "{said}");
}

#[test]
fn on_a_shared_database_jobs_are_run_by_command_and_by_workers() {
    let keep = ("FIRSTCOME_NOTIFICATIONS_KEEP", "always".to_owned());
    let often = ("FIRSTCOME_JOBS_EXPIRE_EVERY_S", "1".to_owned());
    let Some(fleet) = Fleet::told(vec![keep, often]) else {
        return;
    };
    let command = |arguments: &[&str]| -> Value {
        let output = fleet.command(&[&["--json", "jobs"][..], arguments].concat());
        let output = { output }.output().unwrap();
        assert!(output.status.success(), "{}", crate::harness::told(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let server = fleet.serve(&[]);
    let admin = admin(&server);
    let coupon = publish(&admin, 3, &json!({ "strategy": "database" }));
    let ids: Vec<String> = (1..=3)
        .map(|number| {
            let issued = admin.issue(&coupon, &format!("user-{number}")).1;
            issued["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let body = json!({ "orderId": "order", "orderAmount": 50_000 });
    let path = format!("/v1/issued-coupons/{}/redemption", ids[0]);
    admin.ask(reqwest::Method::POST, &path, Some(body));
    for (job, at, done) in [
        ("remind", "+22d", 0),
        ("remind", "+24d", 2),
        ("remind", "+24d", 0),
        ("expire", "+31d", 2),
        ("expire", "+31d", 0),
    ] {
        let said = command(&["run", job, "--at", at, "--yes"]);
        assert_eq!(said["done"], json!(done), "{job} at {at}");
    }
    // Sold out, redeemed, two reminders, two that have expired.
    assert_eq!(command(&["list"])["notifications"]["new"], json!(6));
    let worker = fleet.work();
    let page = wait_for(|| {
        let url = format!("{}/metrics", worker.url);
        let page = converse(async { reqwest::get(url).await.unwrap().text().await.unwrap() });
        let ran = page.lines().any(|line| {
            line.strip_prefix("firstcome_job_runs_total{job=\"expire\"} ")
                .is_some_and(|count| count.parse::<u64>().is_ok_and(|count| count >= 2))
        });
        ran.then_some(page)
    });
    assert_eq!(page.matches("# EOF").count(), 1, "one text has one end");
    assert!(worker.stop().0.success());
    assert!(server.stop().0.success());
}
