//! TLS, users and passwords to database and Redis, and a Redis that sentinels name. No secret is in any log.

use crate::fleet::{Fleet, admin, publish, wait_for};
use crate::harness::{Caller, Server, told};
use coupon_testkit::{Redis, RedisOptions, RedisSentinel, SqlEngine, SqlOptions, free_port, or_skip};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const DATABASE_PASSWORD: &str = "the-shops-word-at-the-database";
const REDIS_PASSWORD: &str = "the-shops-word-at-redis";
const SENTINEL_PASSWORD: &str = "the-shops-word-at-the-sentinels";
const WRONG_PASSWORD: &str = "a-word-that-nobody-knows";
const STRATEGIES: [&str; 3] = ["database", "redis-lock", "redis-script"];

/// A certificate that is its own authority, its key, and the authority of somebody else.
struct Certificates {
    files: tempfile::TempDir,
}

impl Certificates {
    fn make() -> Self {
        let files = tempfile::tempdir().unwrap();
        for name in ["ours", "theirs"] {
            let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
            std::fs::write(files.path().join(format!("{name}.pem")), made.cert.pem()).unwrap();
            let key = files.path().join(format!("{name}.key"));
            std::fs::write(key, made.signing_key.serialize_pem()).unwrap();
        }
        Self { files }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.file(name).to_str().unwrap().to_owned()
    }
}

/// A database and a Redis that let nobody in without TLS, a user and a password, as far as the shop can reach them.
struct Guarded {
    fleet: Fleet,
    certificates: Certificates,
    redis_tls: u16,
}

impl Guarded {
    fn open() -> Option<Self> {
        let certificates = Certificates::make();
        let (certificate, key) = (certificates.text("ours.pem"), certificates.text("ours.key"));
        let redis_tls = free_port().unwrap();
        let redis = RedisOptions::durable()
            .set("tls-port", &redis_tls.to_string())
            .set("tls-cert-file", &certificate)
            .set("tls-key-file", &key)
            .set("tls-ca-cert-file", &certificate)
            .set("tls-auth-clients", "no")
            .set("requirepass", "the-word-of-the-default-user");
        let database = SqlOptions::on(SqlEngine::MariaDb)
            .set("ssl-cert", &certificate)
            .set("ssl-key", &key)
            .set("ssl-ca", &certificate);
        let fleet = Fleet::of(&database, &redis)?;
        let rule = format!(">{REDIS_PASSWORD}");
        fleet
            .redis
            .command(&[
                "ACL",
                "SETUSER",
                "shop",
                "on",
                &rule,
                "~firstcome:*",
                "&*",
                "+@all",
            ])
            .unwrap();
        let name = fleet.database.name();
        for sql in [
            &format!("CREATE USER 'shop'@'127.0.0.1' IDENTIFIED BY '{DATABASE_PASSWORD}' REQUIRE SSL"),
            &format!("GRANT ALL ON {name}.* TO 'shop'@'127.0.0.1'"),
        ] {
            fleet.database.query(sql).unwrap();
        }
        Some(Self {
            fleet,
            certificates,
            redis_tls,
        })
    }

    fn database_url(&self, password: &str, more: &str) -> String {
        let port = self.fleet.own.as_ref().unwrap().port();
        let name = self.fleet.database.name();
        format!("mysql://shop:{password}@127.0.0.1:{port}/{name}{more}")
    }

    fn verified(&self, password: &str, authority: &str) -> String {
        let authority = self.certificates.text(authority);
        self.database_url(password, &format!("?ssl-mode=VERIFY_IDENTITY&ssl-ca={authority}"))
    }

    /// A command that comes in by TLS with user and password, and tells as much as it ever does.
    fn command(&self, arguments: &[&str]) -> Command {
        let url = self.verified(DATABASE_PASSWORD, "ours.pem");
        let mut command = self.fleet.command_at(&url, self.redis_tls, arguments);
        // From a file, as orchestrators hand secrets out.
        let word = self.certificates.file("redis-password");
        std::fs::write(&word, REDIS_PASSWORD).unwrap();
        command
            .env("FIRSTCOME_REDIS_TLS", "true")
            .env(
                "FIRSTCOME_REDIS_TLS_AUTHORITY_FILE",
                self.certificates.file("ours.pem"),
            )
            .env("FIRSTCOME_REDIS_USER", "shop")
            .env("FIRSTCOME_REDIS_PASSWORD_FILE", word)
            .env("FIRSTCOME_LOG_FILTER", "trace");
        command
    }
}

/// What must be in no log.
fn assert_silent(log: &str) {
    let (jwt, seed) = ("j".repeat(40), "s".repeat(40));
    for secret in [
        DATABASE_PASSWORD,
        REDIS_PASSWORD,
        SENTINEL_PASSWORD,
        WRONG_PASSWORD,
        crate::fleet::ADMIN_KEY,
        &jwt,
        &seed,
    ] {
        let place = log.find(secret).map(|at| {
            let from = log[..at].rfind('\n').map_or(0, |end| end + 1);
            log[from..].lines().next().unwrap_or_default()
        });
        assert_eq!(place, None, "{secret} is told");
    }
}

/// Issues one of every strategy and waits until all are stored.
fn issues_of_all(fleet: &Fleet, caller: &Caller) -> Vec<String> {
    let issue = |strategy: &&str| {
        let coupon = publish(caller, 5, &json!({ "strategy": strategy }));
        let (status, issued) = caller.issue(&coupon, "alice");
        assert_eq!(status, StatusCode::CREATED, "{strategy}: {issued}");
        coupon
    };
    let coupons: Vec<String> = STRATEGIES.iter().map(issue).collect();
    for coupon in &coupons {
        let holders = BTreeMap::from([("alice".to_owned(), 1)]);
        assert_eq!(fleet.await_stored(coupon, 1), holders);
    }
    coupons
}

#[test]
fn servers_and_workers_come_in_by_tls_with_user_and_password_and_tell_no_secret() {
    let Some(guarded) = Guarded::open() else { return };
    let server = Server::start(guarded.command(&["serve", "--listen", "127.0.0.1:0"]));
    let worker = Server::start(guarded.command(&["work", "--listen", "127.0.0.1:0"]));
    issues_of_all(&guarded.fleet, &admin(&server));
    let clients = guarded.fleet.redis.command(&["CLIENT", "LIST"]).unwrap().text();
    let shop = clients.lines().filter(|line| line.contains("user=shop")).count();
    assert!(shop >= 2, "server and worker are the shop there: {clients}");
    let verify = guarded
        .command(&["verify", "--server", &server.url])
        .output()
        .unwrap();
    assert!(verify.status.success(), "{}", told(&verify));
    assert_silent(&told(&verify));
    for process in [server, worker] {
        let said = process.said.clone();
        let (status, log) = process.stop();
        assert!(status.success(), "{log}");
        assert!(log.contains("\"level\":\"DEBUG\""), "it told all it could: {log}");
        assert_silent(&log);
        assert_silent(&said);
    }
}

#[test]
fn whoever_may_not_come_in_is_told_so_without_the_password() {
    let Some(guarded) = Guarded::open() else { return };
    let wrong_database = [
        guarded.verified(WRONG_PASSWORD, "ours.pem"),
        // The right word, to a server that is not believed, and in the clear.
        guarded.verified(DATABASE_PASSWORD, "theirs.pem"),
        guarded.database_url(DATABASE_PASSWORD, "?ssl-mode=DISABLED"),
    ];
    for url in wrong_database {
        for command in ["serve", "work"] {
            let mut command = guarded.command(&[command, "--listen", "127.0.0.1:0"]);
            let output = command.env("FIRSTCOME_DATABASE_URL", &url).output().unwrap();
            let said = told(&output);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains("database"), "{said}");
            assert_silent(&said);
        }
    }
    let word = guarded.certificates.file("wrong-password");
    std::fs::write(&word, WRONG_PASSWORD).unwrap();
    let theirs = guarded.certificates.file("theirs.pem");
    let settings: [(&str, &Path); 2] = [
        ("FIRSTCOME_REDIS_PASSWORD_FILE", &word),
        ("FIRSTCOME_REDIS_TLS_AUTHORITY_FILE", &theirs),
    ];
    for (name, value) in settings {
        let mut command = guarded.command(&["serve", "--listen", "127.0.0.1:0"]);
        let output = command.env(name, value).output().unwrap();
        let said = told(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("redis"), "{said}");
        assert_silent(&said);
    }
}

#[test]
fn a_redis_that_a_sentinel_names_is_followed_to_its_replica() {
    let Some(fleet) = Fleet::open() else { return };
    let durable = RedisOptions::durable();
    let Some(replica) = or_skip(fleet.redis.start_replica(&durable)) else {
        return;
    };
    let Some(sentinel) = or_skip(RedisSentinel::start(&fleet.redis, "shop")) else {
        return;
    };
    assert_eq!(sentinel.primary_port().unwrap(), fleet.redis.port());
    let start = |command: &str| {
        let arguments = [command, "--listen", "127.0.0.1:0"];
        let mut command = fleet.command_at(fleet.database.url(), sentinel.port(), &arguments);
        command
            .env("FIRSTCOME_REDIS_KIND", "sentinel")
            .env("FIRSTCOME_REDIS_GROUP", sentinel.group());
        Server::start(command)
    };
    let (server, worker) = (start("serve"), start("work"));
    let caller = admin(&server);
    let coupons = issues_of_all(&fleet, &caller);
    sentinel.fail_over().unwrap();
    assert_eq!(sentinel.primary_port().unwrap(), replica.port());
    for coupon in coupons {
        let position = wait_for(|| {
            let (status, answer) = caller.issue(&coupon, "bob");
            (status == StatusCode::CREATED || status == StatusCode::CONFLICT).then(|| {
                let issued = if status == StatusCode::CREATED {
                    &answer
                } else {
                    &answer["issuedCoupon"]
                };
                issued["position"].as_u64().unwrap()
            })
        });
        assert_eq!(position, 2);
        let holders = BTreeMap::from([("alice".to_owned(), 1), ("bob".to_owned(), 2)]);
        assert_eq!(fleet.await_stored(&coupon, 2), holders);
    }
    let role = replica.command(&["ROLE"]).unwrap().text();
    assert!(role.starts_with("master"), "{role}");
    // Another Redis than the one they trusted: the servers take the state anew from the database, and meanwhile it is gone.
    wait_for(|| {
        let state = Redis::command(&replica, &["EXISTS", "firstcome:{3}:state"]);
        (state.unwrap().text() == "1").then_some(())
    });
    wait_for(|| (caller.ask(Method::GET, "/readyz", None).0 == StatusCode::OK).then_some(()));
    for process in [server, worker] {
        let (status, log) = process.stop();
        assert!(status.success(), "{log}");
    }
}

#[test]
fn sentinels_are_asked_by_tls_with_a_user_and_a_password_of_their_own() {
    let certificates = Certificates::make();
    let (certificate, key) = (certificates.text("ours.pem"), certificates.text("ours.key"));
    let tls = |port: u16| {
        [
            ("tls-port", port.to_string()),
            ("tls-cert-file", certificate.clone()),
            ("tls-key-file", key.clone()),
            ("tls-ca-cert-file", certificate.clone()),
            ("tls-auth-clients", "no".to_owned()),
        ]
    };
    let (redis_tls, sentinel_tls) = (free_port().unwrap(), free_port().unwrap());
    let options = RedisOptions::durable().set("requirepass", REDIS_PASSWORD);
    let options = tls(redis_tls)
        .iter()
        .fold(options, |options, (name, value)| options.set(name, value));
    let Some(fleet) = Fleet::with(&options) else {
        return;
    };
    let user = format!("shop on >{SENTINEL_PASSWORD} allchannels +@all");
    let encrypted = tls(sentinel_tls);
    let encrypted = encrypted.iter().map(|(name, value)| (*name, value.as_str()));
    let own = [
        ("requirepass", "the-word-of-the-default-user"),
        ("user", &user),
        ("tls-replication", "yes"),
    ];
    let lines: Vec<(&str, &str)> = own.into_iter().chain(encrypted).collect();
    let Some(sentinel) = or_skip(RedisSentinel::start_with(&fleet.redis, redis_tls, "shop", &lines)) else {
        return;
    };
    assert_eq!(sentinel.primary_port().unwrap(), redis_tls);
    let command = |arguments: &[&str]| {
        let mut command = fleet.command_at(fleet.database.url(), sentinel_tls, arguments);
        command
            .env("FIRSTCOME_REDIS_KIND", "sentinel")
            .env("FIRSTCOME_REDIS_GROUP", sentinel.group())
            .env("FIRSTCOME_REDIS_PASSWORD", REDIS_PASSWORD)
            .env("FIRSTCOME_REDIS_TLS", "true")
            .env("FIRSTCOME_REDIS_TLS_AUTHORITY_FILE", &certificate)
            .env("FIRSTCOME_REDIS_SENTINEL_USER", "shop")
            .env("FIRSTCOME_REDIS_SENTINEL_PASSWORD", SENTINEL_PASSWORD)
            .env("FIRSTCOME_LOG_FILTER", "trace");
        command
    };
    let server = Server::start(command(&["serve", "--listen", "127.0.0.1:0"]));
    let worker = Server::start(command(&["work", "--listen", "127.0.0.1:0"]));
    issues_of_all(&fleet, &admin(&server));
    for process in [server, worker] {
        let (status, log) = process.stop();
        assert!(status.success(), "{log}");
        assert_silent(&log);
    }
    // The word of the Redis itself is none at the sentinels, and without one they say nothing.
    for (user, password) in [("shop", REDIS_PASSWORD), ("", WRONG_PASSWORD), ("", "")] {
        let mut command = command(&["serve", "--listen", "127.0.0.1:0"]);
        command
            .env("FIRSTCOME_REDIS_SENTINEL_USER", user)
            .env("FIRSTCOME_REDIS_SENTINEL_PASSWORD", password);
        let output = command.output().unwrap();
        let said = told(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("redis"), "{said}");
        assert_silent(&said);
    }
}
