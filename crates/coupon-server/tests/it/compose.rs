//! The compose file, as far as it can be tried without containers: its engines with the options that it gives them, and
//! its services by the commands, variables and health checks that it gives those.

use crate::fleet::{publish, wait_for};
use crate::harness::{Caller, Scratch, Server, told};
use coupon_testkit::{Kafka, KafkaOptions, Redis, RedisOptions, Sql, SqlEngine, SqlOptions, or_skip};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;
use yaml_rust2::{Yaml, YamlLoader};

const FILE: &str = include_str!("../../../../deploy/compose.yaml");
const IMAGE: &str = include_str!("../../../../deploy/Dockerfile");
/// Settings of a broker that say where it is and who it is: here it is somewhere else.
const PLACE: [&str; 5] = ["node.", "process.", "controller.", "log.dirs", "listener"];

/// One service, with what it takes from anchors.
struct Service {
    command: Vec<String>,
    environment: BTreeMap<String, String>,
    /// Of a health check its command.
    check: Vec<String>,
    ports: Vec<String>,
    /// Whether it is this program.
    is_ours: bool,
}

impl Service {
    fn of(yaml: &Yaml) -> Self {
        let keys = merged(yaml);
        let listed = |key: &str| keys.get(key).map(strings).unwrap_or_default();
        let environment = keys.get("environment").map(merged).unwrap_or_default();
        let environment = environment
            .into_iter()
            .map(|(name, value)| (name, filled(value.as_str().unwrap())));
        let check = keys.get("healthcheck").map(merged).unwrap_or_default();
        Self {
            command: listed("command"),
            environment: environment.collect(),
            check: check.get("test").map(strings).unwrap_or_default(),
            ports: listed("ports"),
            is_ours: keys.contains_key("build"),
        }
    }

    /// On which port it listens, as its own command says.
    fn port(&self) -> Option<&str> {
        let at = self.command.iter().position(|word| word == "--listen")?;
        self.command[at + 1].strip_prefix("0.0.0.0:")
    }

    /// Options as a server's command line has them: `--name=value`, or `--name` and `value`.
    fn options(&self) -> Vec<(&str, &str)> {
        let words = self.command.iter().map(String::as_str);
        let mut words = words.skip_while(|word| !word.starts_with("--"));
        let mut options = Vec::new();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").unwrap();
            options.push(
                name.split_once('=')
                    .unwrap_or_else(|| (name, words.next().unwrap())),
            );
        }
        options
    }
}

fn services() -> BTreeMap<String, Service> {
    let file = YamlLoader::load_from_str(FILE).unwrap();
    let services = merged(&file[0]["services"]);
    services
        .iter()
        .map(|(name, yaml)| (name.clone(), Service::of(yaml)))
        .collect()
}

/// A mapping, with what `<<` brings into it.
fn merged(yaml: &Yaml) -> BTreeMap<String, Yaml> {
    let mut all = BTreeMap::new();
    for (key, value) in yaml.as_hash().unwrap() {
        let key = key.as_str().unwrap();
        if key == "<<" {
            let mut brought = merged(value);
            brought.append(&mut all);
            all = brought;
        } else {
            all.insert(key.to_owned(), value.clone());
        }
    }
    all
}

fn strings(yaml: &Yaml) -> Vec<String> {
    let one = |yaml: &Yaml| filled(yaml.as_str().unwrap());
    yaml.as_vec().unwrap().iter().map(one).collect()
}

/// A text with the secrets that the head of the file tells people to make.
fn filled(text: &str) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').unwrap();
        filled.push_str(before);
        filled.push_str(&secret(name.split(':').next().unwrap()));
        rest = after;
    }
    filled + rest
}

fn secret(name: &str) -> String {
    let head = FILE.split("\nname:").next().unwrap();
    assert!(
        head.contains(&format!("{name}=%s")),
        "the head of the file makes no {name}"
    );
    format!("{}{}", name.to_lowercase().replace('_', "-"), "0".repeat(32))
}

#[test]
fn what_the_compose_file_says_to_the_program_the_program_understands() {
    let scratch = Scratch::new();
    let services = services();
    let ours: Vec<(&String, &Service)> = services.iter().filter(|(_, service)| service.is_ours).collect();
    assert_eq!(
        ours.len(),
        5,
        "two servers, two workers, and who makes the tables"
    );
    for (name, service) in ours {
        let mut command = scratch.command(&["config", "show", "--json"]);
        let output = command.envs(&service.environment).output().unwrap();
        assert!(output.status.success(), "{name}: {}", told(&output));
        let shown: BTreeMap<String, Value> = serde_json::from_slice(&output.stdout).unwrap();
        for variable in service.environment.keys() {
            let is_read = shown
                .values()
                .any(|setting| setting["source"] == variable.as_str());
            assert!(is_read, "{name}: {variable} sets nothing");
        }
        let Some(port) = service.port() else { continue };
        assert_eq!(
            service.check,
            [
                "CMD",
                "firstcome",
                "healthcheck",
                "--server",
                &format!("http://127.0.0.1:{port}")
            ],
            "{name}"
        );
        for published in &service.ports {
            assert!(published.starts_with("127.0.0.1:"), "{name}: {published}");
            assert!(published.ends_with(&format!(":{port}")), "{name}: {published}");
        }
        let exposed = IMAGE.lines().find_map(|line| line.strip_prefix("EXPOSE "));
        assert!(exposed.unwrap().split(' ').any(|one| one == port), "{name}");
    }
    assert!(IMAGE.contains("\nENTRYPOINT [\"firstcome\"]"));
}

/// The engines of the file, and the program where it can reach them.
struct Engines {
    database: Sql,
    redis: Redis,
    kafka: Kafka,
}

impl Engines {
    fn start(services: &BTreeMap<String, Service>) -> Option<Self> {
        let mut database = SqlOptions::on(SqlEngine::MySql);
        for (name, value) in services["mysql"].options() {
            database = database.set(name, value);
        }
        let database = or_skip(Sql::start(&database))?;
        let given = &services["mysql"].environment;
        let (user, name) = (&given["MYSQL_USER"], &given["MYSQL_DATABASE"]);
        let password = &given["MYSQL_PASSWORD"];
        for sql in [
            format!("CREATE DATABASE {name}"),
            format!("CREATE USER '{user}'@'127.0.0.1' IDENTIFIED BY '{password}'"),
            format!("GRANT ALL ON {name}.* TO '{user}'@'127.0.0.1'"),
        ] {
            database.query(&sql).unwrap();
        }
        let mut redis = RedisOptions::default();
        for (name, value) in services["redis"].options() {
            redis = redis.set(name, value);
        }
        let redis = or_skip(Redis::start(&redis))?;
        let mut kafka = KafkaOptions::default();
        for (name, value) in &services["kafka"].environment {
            let name = name
                .strip_prefix("KAFKA_")
                .unwrap()
                .to_lowercase()
                .replace('_', ".");
            if !PLACE.iter().any(|place| name.contains(place)) {
                kafka = kafka.set(&name, value);
            }
        }
        Some(Self {
            database,
            redis,
            kafka: or_skip(Kafka::start(&kafka))?,
        })
    }

    /// One of our services' commands, with this machine's addresses in place of the containers'.
    fn command(&self, scratch: &Scratch, service: &Service) -> Command {
        let local = |port: u16| format!("127.0.0.1:{port}");
        let placed = |text: &String| {
            text.replace("mysql:3306", &local(self.database.port()))
                .replace("redis:6379", &local(self.redis.port()))
                .replace("kafka:9092", &self.kafka.bootstrap())
        };
        let port = service.port().map(|port| format!("0.0.0.0:{port}"));
        let words = service.command.iter().map(|word| {
            if port.as_ref() == Some(word) {
                "127.0.0.1:0"
            } else {
                word.as_str()
            }
        });
        let mut command = scratch.command(&words.collect::<Vec<_>>());
        command.envs(
            service
                .environment
                .iter()
                .map(|(name, value)| (name, placed(value))),
        );
        command
    }
}

#[test]
fn what_the_compose_file_starts_comes_up_and_issues() {
    let services = services();
    let Some(engines) = Engines::start(&services) else {
        return;
    };
    let scratch = Scratch::new();
    let migrated = engines.command(&scratch, &services["migrate"]).output().unwrap();
    assert!(migrated.status.success(), "{}", told(&migrated));
    let start = |name: &str| Server::start(engines.command(&scratch, &services[name]));
    let servers = ["serve-1", "serve-2", "work-1", "work-2"].map(start);
    for server in &servers {
        wait_for(|| {
            let checked = scratch.run(&["healthcheck", "--server", &server.url]);
            checked.status.success().then_some(())
        });
    }
    let [here, there, _, _] = servers
        .each_ref()
        .map(|server| Caller::new(server, &secret("FIRSTCOME_ADMIN_KEY")));
    let coupon = publish(&here, 1, &json!({}));
    let (status, issued) = there.issue(&coupon, "alice");
    assert_eq!(status, StatusCode::CREATED, "{issued}");
    let stored = || {
        engines
            .database
            .query("SELECT COUNT(*) FROM firstcome.issued_coupons")
    };
    wait_for(|| (stored().unwrap()[0][0].as_deref() == Some("1")).then_some(()));
    let (status, wallet) = here.ask(Method::GET, "/v1/users/alice/coupons", None);
    assert_eq!(
        (status, wallet["data"].as_array().unwrap().len()),
        (StatusCode::OK, 1),
        "{wallet}"
    );
    for server in servers {
        let (status, log) = server.stop();
        assert!(status.success(), "{log}");
    }
}
