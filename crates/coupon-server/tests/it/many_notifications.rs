//! Notifications that workers on a shared database bring, of which some are killed; and notifications on Kafka.

use crate::fleet::{Fleet, admin, publish, wait_for};
use crate::harness::{Caller, Scratch, Server, told};
use coupon_testkit::{HttpConduct, HttpReceiver, Kafka, KafkaOptions, MailServer, or_skip};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Tried again each second, for longer than any test takes.
const PATIENT: &str = "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1";

/// How often each of these ids came.
fn counts(ids: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for id in ids {
        *counts.entry(id).or_default() += 1;
    }
    counts
}

/// Each of these once.
fn once(ids: &[&str]) -> BTreeMap<String, usize> {
    counts(ids.iter().map(|id| (*id).to_owned()))
}

/// How often each webhook came, of the requests after the first `from`. One id never says two things.
fn hooks(receiver: &HttpReceiver, from: usize) -> BTreeMap<String, usize> {
    let mut said: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let requests = receiver.requests();
    for request in &requests {
        let id = request.header("webhook-id").unwrap().to_owned();
        let before = said.entry(id).or_insert_with(|| request.body.clone());
        assert_eq!(*before, request.body, "one id tells one thing");
    }
    let late = requests[from..].iter();
    counts(late.map(|request| request.header("webhook-id").unwrap().to_owned()))
}

/// How often each mail came, by its id.
fn letters(mail: &MailServer) -> BTreeMap<String, usize> {
    let ids = mail.received().into_iter().map(|letter| {
        let [id] = letter.headers("message-id").try_into().unwrap();
        id
    });
    counts(ids.map(|id| id.trim_matches(['<', '>']).replace("@example.com", "")))
}

/// How many deliveries of a channel stand so.
fn standing(fleet: &Fleet, channel: &str, state: &str) -> usize {
    let sql = format!(
        "SELECT COUNT(*) FROM notification_deliveries WHERE channel = '{channel}' AND state = '{state}'"
    );
    let rows = fleet.database.query(&sql).unwrap();
    rows[0][0].as_deref().unwrap().parse().unwrap()
}

/// The worker that has the job `deliver`, and the others.
fn by_job(fleet: &Fleet, workers: Vec<Server>) -> (Server, Vec<Server>) {
    let owner = wait_for(|| {
        let rows = fleet
            .database
            .query("SELECT owner FROM jobs WHERE name = 'deliver' AND leased_until IS NOT NULL")
            .unwrap();
        rows.first().and_then(|row| row[0].clone())
    });
    let (mut has, others): (Vec<Server>, Vec<Server>) = workers.into_iter().partition(|worker| {
        let name = format!("{}-", worker.pid().as_raw_nonzero());
        owner.starts_with(&name)
    });
    (has.pop().unwrap(), others)
}

#[test]
fn of_two_workers_one_is_killed_while_it_tells_and_everybody_is_told_under_one_id() {
    let (mail, receiver) = (MailServer::start().unwrap(), HttpReceiver::start().unwrap());
    let settings = [
        ("FIRSTCOME_WEBHOOKS_ALLOW_HTTP", "true"),
        ("FIRSTCOME_WEBHOOKS_ALLOW_NETWORKS", "127.0.0.1"),
        ("FIRSTCOME_WEBHOOKS_RETRY_S", PATIENT),
        ("FIRSTCOME_MAIL_HOST", "127.0.0.1"),
        ("FIRSTCOME_MAIL_SECURITY", "none"),
        ("FIRSTCOME_MAIL_FROM", "shop@example.com"),
        ("FIRSTCOME_MAIL_RETRY_S", PATIENT),
        ("FIRSTCOME_JOBS_DELIVER_EVERY_S", "1"),
    ];
    let mut settings = settings.map(|(name, value)| (name, value.to_owned())).to_vec();
    settings.push(("FIRSTCOME_MAIL_PORT", mail.port().to_string()));
    let Some(fleet) = Fleet::told(settings) else {
        return;
    };
    let server = fleet.serve(&[]);
    let workers = vec![fleet.work(), fleet.work()];
    let caller = admin(&server);
    let hook = json!({ "url": receiver.url("/hook") });
    let (status, made) = caller.ask(Method::POST, "/v1/admin/webhooks", Some(hook));
    assert_eq!(status, StatusCode::CREATED, "{made}");
    for user in ["kim", "lee", "park"] {
        let contact = json!({ "email": format!("{user}@example.org") });
        let kept = caller.ask(Method::PUT, &format!("/v1/users/{user}/contact"), Some(contact));
        assert!(kept.0.is_success(), "{kept:?}");
    }

    // The receiver takes every request and answers none, so that whoever tells is in the middle of it.
    receiver.conduct(HttpConduct::Stall);
    let coupon = publish(&caller, 3, &json!({ "strategy": "database" }));
    for user in ["kim", "lee", "park"] {
        assert_eq!(caller.issue(&coupon, user).0, StatusCode::CREATED);
    }
    let issued = ["issued-1-1", "issued-1-2", "issued-1-3"];
    wait_for(|| (standing(&fleet, "mail", "delivered") == 3).then_some(()));
    wait_for(|| (!receiver.requests().is_empty()).then_some(()));
    assert_eq!(standing(&fleet, "webhook", "delivered"), 0);
    let (doomed, mut others) = by_job(&fleet, workers);
    doomed.kill();
    let killed_at = receiver.requests().len();
    receiver.conduct(HttpConduct::status(204));

    // The leases of the dead: a minute and a half passes in the table rather than in the test.
    fleet
        .database
        .query("UPDATE jobs SET leased_until = 1 WHERE name = 'deliver'")
        .unwrap();
    fleet
        .database
        .query("UPDATE notification_deliveries SET due_at = 1 WHERE state = 'waiting'")
        .unwrap();
    fleet
        .database
        .query("UPDATE notifications SET new_at = 1 WHERE new_at IS NOT NULL")
        .unwrap();

    let order = json!({ "orderId": "a", "orderAmount": 50_000 });
    let redeemed = caller.ask(Method::POST, "/v1/issued-coupons/1-1/redemption", Some(order));
    assert_eq!(redeemed.0, StatusCode::OK, "{redeemed:?}");
    let revoked = caller.ask(Method::POST, "/v1/admin/issued-coupons/1-2/revoke", None);
    assert_eq!(revoked.0, StatusCode::OK, "{revoked:?}");
    let of_holders = [&issued[..], &["redeemed-1-1-1", "revoked-1-2"]].concat();
    let all = [&of_holders[..], &["sold-out-1-3"]].concat();
    wait_for(|| (standing(&fleet, "webhook", "delivered") == all.len()).then_some(()));
    wait_for(|| (standing(&fleet, "mail", "delivered") == of_holders.len()).then_some(()));
    assert_eq!(
        hooks(&receiver, killed_at),
        once(&all),
        "what the dead worker had in hand is told again, once"
    );
    assert_eq!(
        letters(&mail),
        once(&of_holders),
        "what was on record as delivered is not told again"
    );

    // A worker that starts now finds nothing to tell.
    others.push(fleet.work());
    let left = |state| standing(&fleet, "webhook", state) + standing(&fleet, "mail", state);
    assert_eq!((left("waiting"), left("dead"), left("undeliverable")), (0, 0, 0));
    let kept = fleet
        .database
        .query("SELECT COUNT(*) FROM notifications")
        .unwrap();
    assert_eq!(
        kept[0][0],
        Some(all.len().to_string()),
        "no notification has two ids"
    );
    for process in others.into_iter().chain([server]) {
        let (status, log) = process.stop();
        assert!(status.success(), "{log}");
    }
    assert_eq!(hooks(&receiver, killed_at), once(&all));
    assert_eq!(letters(&mail), once(&of_holders));
}

/// Settings of a topic of this test's own.
fn kafka_settings(kafka: &Kafka) -> Vec<(&'static str, String)> {
    let settings = [
        ("FIRSTCOME_KAFKA_BROKERS", kafka.bootstrap()),
        ("FIRSTCOME_KAFKA_PARTITIONS", "3".to_owned()),
        ("FIRSTCOME_KAFKA_REPLICAS", "1".to_owned()),
        ("FIRSTCOME_KAFKA_MIN_INSYNC_REPLICAS", "1".to_owned()),
        (
            "FIRSTCOME_KAFKA_DECLARED",
            "min.insync.replicas,replication.factor".to_owned(),
        ),
        ("FIRSTCOME_KAFKA_PUBLISH_TIMEOUT_MS", "3000".to_owned()),
        ("FIRSTCOME_KAFKA_REQUEST_TIMEOUT_MS", "2000".to_owned()),
        ("FIRSTCOME_KAFKA_RETRY_S", PATIENT.to_owned()),
        ("FIRSTCOME_JOBS_DELIVER_EVERY_S", "1".to_owned()),
    ];
    settings.to_vec()
}

/// Reads the topic of notifications until these ids are there; says how often each came.
fn read_topic(kafka: &Kafka, ids: &[&str]) -> BTreeMap<String, usize> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap())
        .set("group.id", "another-system")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&["firstcome.notifications"]).unwrap();
    let mut arrived: Vec<String> = Vec::new();
    wait_for(|| {
        if let Some(Ok(record)) = consumer.poll(Duration::from_millis(100)) {
            let event: Value = serde_json::from_slice(record.payload().unwrap()).unwrap();
            assert_eq!(event["specversion"], "1.0");
            assert_eq!(event["source"], "/firstcome");
            assert!(event["data"]["issuedCoupon"]["code"].is_null(), "{event}");
            arrived.push(event["id"].as_str().unwrap().to_owned());
        }
        ids.iter()
            .all(|id| arrived.iter().any(|one| one == id))
            .then_some(())
    });
    counts(arrived.into_iter())
}

#[test]
fn notifications_go_to_kafka_from_a_server_alone_although_the_broker_dies_meanwhile() {
    let Some(mut kafka) = or_skip(Kafka::start(&KafkaOptions::default())) else {
        return;
    };
    let scratch = Scratch::new();
    let settings = kafka_settings(&kafka);
    let with = |arguments: &[&str]| {
        let mut command = scratch.command(arguments);
        command.envs(settings.iter().map(|(name, value)| (*name, value)));
        command
    };
    let migrated = with(&["migrate"]).output().unwrap();
    assert!(migrated.status.success(), "{}", told(&migrated));
    let said = String::from_utf8(migrated.stdout).unwrap();
    assert_eq!(said, "topic firstcome.notifications was made\n");
    let serve = || {
        Server::start(with(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--set",
            "journal.segment_mib=1",
        ]))
    };
    let server = serve();
    let caller = Caller::admin(&scratch, &server);
    let coupon = caller.publish(2);
    assert_eq!(caller.issue(&coupon, "kim").0, StatusCode::CREATED);
    assert_eq!(read_topic(&kafka, &["issued-1-1"]), once(&["issued-1-1"]));
    drop(server);
    kafka.kill9(1).unwrap();
    let server = serve();
    let caller = Caller::admin(&scratch, &server);
    assert_eq!(
        caller.issue(&coupon, "lee").0,
        StatusCode::CREATED,
        "issuing does not need Kafka"
    );
    let order = json!({ "orderId": "a", "orderAmount": 50_000 });
    let redeemed = caller.ask(Method::POST, "/v1/issued-coupons/1-1/redemption", Some(order));
    assert_eq!(redeemed.0, StatusCode::OK, "{redeemed:?}");
    kafka.restart(1).unwrap();
    let rest = ["issued-1-2", "sold-out-1-2", "redeemed-1-1-1"];
    let arrived = read_topic(&kafka, &rest);
    for id in rest {
        assert!(arrived.contains_key(id), "{arrived:?}");
    }
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
}
