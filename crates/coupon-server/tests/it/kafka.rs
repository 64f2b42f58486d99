//! Several servers and workers with Kafka between stream and database.

use crate::fleet::{Fleet, admin, publish, wait_for};
use crate::harness::{Server, converse, told};
use crate::many_servers::{everybody_asks, insist, metrics, readiness};
use coupon_testkit::{FaultProxy, Kafka, KafkaOptions, Loss, Sql, or_skip};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const PARTITIONS: u16 = 4;
/// So long that whatever arrives came by Kafka.
const NEVER: &str = "3600000";
const WEAK: &str = "min.insync.replicas,replication.factor";

/// Names on brokers that other tests use too.
#[derive(Clone)]
pub(crate) struct Names {
    brokers: String,
    topic: String,
    group: String,
}

impl Names {
    fn on(brokers: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let mark = format!("{}.{number}", std::process::id());
        Self {
            brokers: brokers.to_owned(),
            topic: format!("it.issued.{mark}"),
            group: format!("it.store.{mark}"),
        }
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("FIRSTCOME_KAFKA_BROKERS", self.brokers.clone()),
            ("FIRSTCOME_KAFKA_TOPIC", self.topic.clone()),
            ("FIRSTCOME_KAFKA_DEAD_LETTERS", format!("{}.dlq", self.topic)),
            // Notifications have tests of their own.
            ("FIRSTCOME_KAFKA_NOTIFICATIONS", String::new()),
            ("FIRSTCOME_KAFKA_GROUP", self.group.clone()),
            ("FIRSTCOME_KAFKA_PARTITIONS", PARTITIONS.to_string()),
            ("FIRSTCOME_KAFKA_REPLICAS", "1".to_owned()),
            ("FIRSTCOME_KAFKA_MIN_INSYNC_REPLICAS", "1".to_owned()),
            ("FIRSTCOME_KAFKA_DECLARED", WEAK.to_owned()),
            ("FIRSTCOME_KAFKA_SESSION_TIMEOUT_MS", "6000".to_owned()),
            ("FIRSTCOME_KAFKA_REQUEST_TIMEOUT_MS", "3000".to_owned()),
            ("FIRSTCOME_KAFKA_OVERDUE_AFTER_MS", NEVER.to_owned()),
        ]
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", &self.group)
            .set("enable.auto.commit", "false");
        config
    }

    /// Sends the group back to the beginning; nobody may be in it.
    fn reset_offsets(&self) {
        let consumer: BaseConsumer = self.client().create().unwrap();
        let mut offsets = TopicPartitionList::new();
        for partition in 0..i32::from(PARTITIONS) {
            offsets
                .add_partition_offset(&self.topic, partition, Offset::Offset(0))
                .unwrap();
        }
        // The broker may still be about to notice that the last member has left.
        wait_for(|| consumer.commit(&offsets, CommitMode::Sync).ok());
    }

    /// Puts this onto the topic as somebody else would.
    fn smuggle(&self, values: &[&str]) {
        converse(async {
            let producer: FutureProducer = self.client().create().unwrap();
            for value in values {
                let record = FutureRecord::to(&self.topic).key("k").payload(*value);
                producer.send(record, Duration::from_secs(30)).await.unwrap();
            }
        });
    }
}

/// A fleet with names of its own on the broker that tests share.
pub(crate) fn shared() -> Option<(Fleet, Names)> {
    let names = Names::on(&or_skip(Kafka::shared_bootstrap())?);
    Some((Fleet::told(names.settings())?, names))
}

/// What these processes have counted under this name, together.
pub(crate) fn counted(servers: &[&Server], name: &str) -> u64 {
    let count = |server: &&Server| {
        let text = metrics(server);
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in {text}"))
            .parse::<u64>()
            .unwrap()
    };
    servers.iter().map(count).sum()
}

pub(crate) fn end(servers: impl IntoIterator<Item = Server>) {
    for server in servers {
        let (status, log) = server.stop();
        assert!(status.success(), "{log}");
    }
}

#[test]
fn what_two_servers_issue_two_workers_bring_to_the_database_by_kafka() {
    let Some((fleet, names)) = shared() else { return };
    let servers = [fleet.serve(&[]), fleet.serve(&[])];
    let workers = [fleet.work(), fleet.work()];
    let callers = servers.each_ref().map(admin);
    let coupon = publish(&callers[0], 200, &json!({ "strategy": "redis-script" }));
    let told = everybody_asks([&callers[0], &callers[1]], &coupon, 250);
    assert_eq!(told.won.len(), 200);
    fleet.assert_settled(&coupon, &told.won);
    let both = workers.each_ref();
    wait_for(|| (counted(&both, "firstcome_worker_written_total") == 200).then_some(()));
    assert!(counted(&both, "firstcome_worker_publish_written_total") >= 201);
    assert_eq!(
        counted(&both, "firstcome_worker_confirm_written_total"),
        0,
        "all came by Kafka"
    );
    assert_eq!(counted(&both, "firstcome_worker_dead_letters"), 0);
    for worker in &workers {
        let (status, why) = readiness(worker);
        assert_eq!(status, StatusCode::OK, "{why}");
        let text = metrics(worker);
        for name in [
            "lag_entries",
            "oldest_pending_seconds",
            "time_to_store_seconds_count",
        ] {
            for part in ["", "publish_", "confirm_"] {
                assert!(
                    text.contains(&format!("firstcome_worker_{part}{name} ")),
                    "{part}{name}: {text}"
                );
            }
        }
    }
    // Everything comes once more, and changes nothing.
    end(workers);
    names.reset_offsets();
    let again = fleet.work();
    wait_for(|| (counted(&[&again], "firstcome_worker_redelivered_total") >= 201).then_some(()));
    assert_eq!(counted(&[&again], "firstcome_worker_written_total"), 0);
    let (_, more) = callers[1].ask(Method::GET, "/v1/admin/dead-letters", None);
    assert_eq!(more, json!({ "data": [], "nextCursor": null }));
    fleet.assert_settled(&coupon, &told.won);
    end(servers.into_iter().chain([again]));
}

/// Kills a worker that has been handed records and whose commits to the database lose this.
fn a_worker_is_killed_when_its_commit_loses(loss: Loss) {
    let Some((fleet, _names)) = shared() else { return };
    let server = fleet.serve(&[]);
    let caller = admin(&server);
    let coupon = publish(&caller, 100, &json!({ "strategy": "redis-script" }));
    let proxy = FaultProxy::to(Sql::mariadb().unwrap().port()).unwrap();
    let doomed = fleet.work_on(&fleet.database.url_by_port(proxy.port()));
    proxy.cut_at(b"COMMIT", loss, u64::MAX);
    let told: BTreeMap<String, u64> = (0..60)
        .map(|n| format!("user-{n}"))
        .map(|user| {
            let position = insist(std::slice::from_ref(&caller), &coupon, &user);
            (user, position)
        })
        .collect();
    wait_for(|| (counted(&[&doomed], "firstcome_worker_publish_written_total") >= 61).then_some(()));
    let before = match loss {
        // The database has them, and the group does not know.
        Loss::Answer => wait_for(|| Some(fleet.stored(&coupon).len()).filter(|stored| *stored > 0)),
        // The group has handed them out, and the database does not have them.
        Loss::Request => {
            assert!(proxy.wait_until(crate::harness::PATIENCE, |counts| counts.cut > 1));
            assert_eq!(fleet.stored(&coupon).len(), 0);
            assert!(fleet.entries(&coupon) >= 60, "published is not stored");
            0
        }
    };
    doomed.kill();
    let heir = fleet.work();
    fleet.assert_settled(&coupon, &told);
    let redelivered = || counted(&[&heir], "firstcome_worker_redelivered_total");
    wait_for(|| (redelivered() >= u64::try_from(before).unwrap()).then_some(()));
    assert_eq!(
        counted(&[&heir], "firstcome_worker_confirm_written_total"),
        0,
        "it came by Kafka"
    );
    end([server, heir]);
}

#[test]
fn a_worker_killed_before_the_database_had_its_records_loses_none() {
    a_worker_is_killed_when_its_commit_loses(Loss::Request);
}

#[test]
fn a_worker_killed_between_database_and_offset_writes_nothing_twice() {
    a_worker_is_killed_when_its_commit_loses(Loss::Answer);
}

#[test]
fn a_broker_killed_in_the_middle_of_a_sale_costs_nothing_that_was_answered() {
    let Some(mut kafka) = or_skip(Kafka::start(&KafkaOptions::default())) else {
        return;
    };
    let names = Names::on(&kafka.bootstrap());
    let mut settings = names.settings();
    settings.push(("FIRSTCOME_KAFKA_PUBLISH_TIMEOUT_MS", "3000".to_owned()));
    let Some(fleet) = Fleet::told(settings) else {
        return;
    };
    let servers = [fleet.serve(&[]), fleet.serve(&[])];
    let mut workers = [fleet.work(), fleet.work()];
    let callers = servers.each_ref().map(admin);
    let coupon = publish(&callers[0], 1_000_000, &json!({ "strategy": "redis-script" }));
    let mut told = BTreeMap::new();
    let mut ask = |users: std::ops::Range<usize>| {
        for user in users.map(|n| format!("user-{n}")) {
            let position = insist(&callers, &coupon, &user);
            told.insert(user, position);
        }
    };
    ask(0..40);
    fleet.await_stored(&coupon, 40);
    kafka.kill9(1).unwrap();
    // Issuing does not need Kafka, and nothing leaves the stream without it.
    ask(40..80);
    wait_for(|| {
        let (status, why) = readiness(&workers[0]);
        (status == StatusCode::SERVICE_UNAVAILABLE && why.contains("kafka")).then_some(())
    });
    for server in &servers {
        assert_eq!(
            readiness(server).0,
            StatusCode::OK,
            "a server does not need Kafka"
        );
    }
    assert!(fleet.entries(&coupon) >= 40);
    let [first, second] = workers;
    first.kill();
    kafka.restart(1).unwrap();
    workers = [fleet.work(), second];
    ask(80..120);
    fleet.assert_settled(&coupon, &told);
    assert_eq!(
        counted(&workers.each_ref(), "firstcome_worker_confirm_written_total"),
        0,
        "all came by Kafka"
    );
    end(servers.into_iter().chain(workers));
}

#[test]
fn what_kafka_does_not_bring_in_time_is_brought_directly() {
    let Some(mut kafka) = or_skip(Kafka::start(&KafkaOptions::default())) else {
        return;
    };
    let names = Names::on(&kafka.bootstrap());
    let mut settings = names.settings();
    settings.push(("FIRSTCOME_KAFKA_OVERDUE_AFTER_MS", "100".to_owned()));
    let Some(fleet) = Fleet::told(settings) else {
        return;
    };
    let server = fleet.serve(&[]);
    let worker = fleet.work();
    let caller = admin(&server);
    kafka.kill9(1).unwrap();
    let coupon = publish(&caller, 10, &json!({ "strategy": "redis-script" }));
    let told: BTreeMap<String, u64> = [("alice".to_owned(), 1)].into();
    assert_eq!(caller.issue(&coupon, "alice").0, StatusCode::CREATED);
    assert_eq!(fleet.await_stored(&coupon, 1), told);
    assert!(fleet.entries(&coupon) > 0, "other systems shall hear of it too");
    kafka.restart(1).unwrap();
    fleet.assert_settled(&coupon, &told);
    assert!(counted(&[&worker], "firstcome_worker_publish_written_total") >= 2);
    end([server, worker]);
}

#[test]
fn poison_on_the_topic_is_set_aside_listed_replayed_and_dismissed() {
    let Some((fleet, names)) = shared() else { return };
    let server = fleet.serve(&[]);
    let worker = fleet.work();
    let caller = admin(&server);
    names.smuggle(&["no json", "{}"]);
    let coupon = publish(&caller, 10, &json!({ "strategy": "redis-script" }));
    assert_eq!(caller.issue(&coupon, "alice").0, StatusCode::CREATED);
    fleet.assert_settled(&coupon, &[("alice".to_owned(), 1)].into());
    let list = || {
        let (status, letters) = caller.ask(Method::GET, "/v1/admin/dead-letters", None);
        assert_eq!(status, StatusCode::OK, "{letters}");
        letters["data"].as_array().unwrap().clone()
    };
    let two = wait_for(|| Some(list()).filter(|letters| letters.len() == 2));
    assert!(
        two.iter()
            .all(|letter| letter["place"] == "kafka" && letter["replayable"] == true)
    );
    assert!(
        two.iter().all(|letter| letter["group"] == json!(names.group)),
        "{two:?}"
    );
    wait_for(|| (counted(&[&worker], "firstcome_worker_dead_letters") == 2).then_some(()));
    let run = |arguments: &[&str]| {
        let all = [&["dead-letters"], arguments, &["--server", &server.url]].concat();
        let output = fleet.command(&all).output().unwrap();
        assert!(output.status.success(), "{}", told(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let id = |letter: &Value| letter["id"].as_str().unwrap().to_owned();
    let shown = run(&["list"]);
    assert!(two.iter().all(|letter| shown.contains(&id(letter))), "{shown}");
    // It is poison still, and comes back.
    assert_eq!(run(&["replay", &id(&two[1])]).trim(), "replayed 2");
    assert_eq!(run(&["replay", &id(&two[1])]).trim(), "replayed 0");
    let back = wait_for(|| Some(list()).filter(|letters| letters.len() == 2));
    assert!(
        back.iter()
            .all(|letter| id(letter) != id(&two[0]) && id(letter) != id(&two[1]))
    );
    assert_eq!(run(&["dismiss", "--all"]).trim(), "dismissed 2");
    assert_eq!(list(), Vec::<Value>::new());
    fleet.assert_settled(&coupon, &[("alice".to_owned(), 1)].into());
    end([server, worker]);
}

#[test]
fn settings_of_kafka_that_are_too_weak_are_told_by_name_until_they_are_declared() {
    let Some((fleet, _names)) = shared() else { return };
    let strict = |arguments: &[&str]| {
        let mut command = fleet.command(arguments);
        command.env("FIRSTCOME_KAFKA_DECLARED", "");
        Server::start(command)
    };
    for process in [
        strict(&["serve", "--listen", "127.0.0.1:0"]),
        strict(&["work", "--listen", "127.0.0.1:0"]),
    ] {
        let why = wait_for(|| {
            let (status, why) = readiness(&process);
            (status == StatusCode::SERVICE_UNAVAILABLE).then_some(why)
        });
        assert!(
            why.contains("min.insync.replicas is 1") && why.contains("replication factor is 1"),
            "{why}"
        );
    }
    for process in [fleet.serve(&[]), fleet.work()] {
        let (_, why) = readiness(&process);
        wait_for(|| (readiness(&process).0 == StatusCode::OK).then_some(()));
        assert!(!why.contains("min.insync"), "{why}");
    }
}
