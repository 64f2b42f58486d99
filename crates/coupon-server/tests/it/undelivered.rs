//! What nobody could be told, on the real binary: it is listed until it was brought after all, once, or dismissed.

use crate::fleet::wait_for;
use crate::harness::{Caller, Scratch, Server};
use crate::kafka::counted;
use coupon_testkit::{MailFault, MailServer, MailStage};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Mail that is tried twice, and jobs that run all the time.
fn settings(mail: &MailServer) -> Vec<String> {
    let port = format!("mail.port={}", mail.port());
    [
        "mail.host=127.0.0.1",
        "mail.security=none",
        "mail.from=shop@example.com",
        "mail.retry_s=1",
        "jobs.deliver_every_s=1",
        &port,
    ]
    .into_iter()
    .flat_map(|setting| ["--set".to_owned(), setting.to_owned()])
    .collect()
}

/// The gauges agree with the list as soon as the job has looked.
fn gauges(server: &Server, dead: u64, undeliverable: u64) {
    let count = |name: &str| counted(&[server], &format!("firstcome_notifications_{name}"));
    wait_for(|| {
        let told = (count("dead"), count("undeliverable"), count("waiting"));
        (told == (dead, undeliverable, 0)).then_some(())
    });
}

#[test]
fn a_mail_that_was_given_up_is_listed_replayed_once_and_what_has_no_address_can_be_dismissed() {
    let (scratch, mail) = (Scratch::new(), MailServer::start().unwrap());
    let settings = settings(&mail);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let server = scratch.serve_with(&settings);
    let admin = Caller::admin(&scratch, &server);
    let introduce = |user: &str| {
        let contact = json!({ "email": format!("{user}@secret.example") });
        let kept = admin.ask(Method::PUT, &format!("/v1/users/{user}/contact"), Some(contact));
        assert!(kept.0.is_success(), "{kept:?}");
    };
    let run = |arguments: &[&str]| {
        let all = [&["dead-letters"], arguments, &["--server", &server.url]].concat();
        scratch.must(&all)
    };
    let listed = || {
        let said: Value = serde_json::from_str(&run(&["list", "--json"])).unwrap();
        said.as_array().unwrap().clone()
    };
    let came = || {
        let letters = mail.received().into_iter();
        let mut came: Vec<_> = letters
            .map(|letter| (letter.to.join(","), letter.headers("message-id").join(",")))
            .collect();
        came.sort();
        came
    };

    // The mail server is down past the last try, and two of three have no address.
    mail.fail(MailStage::Greeting, MailFault::HangUp);
    introduce("kim");
    let coupon = admin.publish(9);
    for user in ["kim", "lee", "park"] {
        assert_eq!(admin.issue(&coupon, user).0, StatusCode::CREATED);
    }
    let letters = wait_for(|| Some(listed()).filter(|letters| letters.len() == 3));
    gauges(&server, 1, 2);
    let by_notification = |id: &str| {
        let found = letters.iter().find(|letter| letter["notificationId"] == id);
        found.unwrap_or_else(|| panic!("{id} is not in {letters:?}"))
    };
    for (id, reason, position) in [
        ("issued-1-1", "dead: ", 1),
        ("issued-1-2", "undeliverable: the user has no address", 2),
        ("issued-1-3", "undeliverable: the user has no address", 3),
    ] {
        let letter = by_notification(id);
        assert!(letter["reason"].as_str().unwrap().starts_with(reason), "{letter}");
        assert_eq!(
            (
                &letter["place"],
                &letter["group"],
                &letter["couponId"],
                &letter["firstPosition"]
            ),
            (
                &json!("notification.mail"),
                &json!("holder"),
                &json!(1),
                &json!(position)
            )
        );
    }
    let table = run(&["list", "--place", "notification.mail"]);
    assert!(table.contains("issued-1-1") && !table.contains('@'), "{table}");
    assert_eq!(
        run(&["list", "--place", "notification.webhook", "--json"]).trim(),
        "[]"
    );

    // It is up again: everything is brought once more, by the id of the last, and the one with an address arrives.
    mail.mend();
    let last = letters[2]["id"].as_str().unwrap();
    assert_eq!(run(&["replay", last]), "replayed 3\n");
    let first = (
        "kim@secret.example".to_owned(),
        "<issued-1-1@example.com>".to_owned(),
    );
    wait_for(|| (came() == [first.clone()]).then_some(()));
    gauges(&server, 0, 2);
    let again = listed();
    assert_eq!(
        run(&["replay", last]),
        "replayed 0\n",
        "those are other letters now"
    );

    // There is an address for one of the two; the other is given up.
    introduce("lee");
    let id = |notification: &str| {
        let found = again
            .iter()
            .find(|letter| letter["notificationId"] == notification);
        found.unwrap()["id"].as_str().unwrap()
    };
    assert_eq!(again.len(), 2, "{again:?}");
    assert_eq!(run(&["replay", id("issued-1-2")]), "replayed 1\n");
    assert_eq!(run(&["dismiss", id("issued-1-3")]), "dismissed 1\n");
    assert_eq!(run(&["dismiss", id("issued-1-3")]), "dismissed 0\n");
    let second = (
        "lee@secret.example".to_owned(),
        "<issued-1-2@example.com>".to_owned(),
    );
    let both = [first, second];
    wait_for(|| (came() == both).then_some(()));
    gauges(&server, 0, 0);
    assert_eq!(listed(), Vec::<Value>::new());
    introduce("park");
    assert_eq!(run(&["replay", "--all"]), "replayed 0\n");

    let log = scratch.must(&["audit-log", "list", "--json", "--server", &server.url]);
    let entries: Vec<Value> = serde_json::from_str(&log).unwrap();
    let told: Vec<_> = entries
        .iter()
        .filter_map(|entry| Some((entry["action"].as_str()?, entry["deadLetterId"].as_str()?)))
        .collect();
    let (replayed, dismissed) = ("dead_letters.replayed", "dead_letters.dismissed");
    assert_eq!(
        told,
        [
            (dismissed, id("issued-1-3")),
            (replayed, id("issued-1-2")),
            (replayed, last),
            (replayed, last)
        ],
        "what was asked for while there was anything, the newest first"
    );
    let (status, said) = server.stop();
    assert!(status.success(), "{said}");
    assert!(!said.contains("secret.example"), "{said}");

    // Nor does it come after a restart: it is on record as dismissed.
    let server = scratch.serve_with(&settings);
    gauges(&server, 0, 0);
    assert_eq!(came(), both);
    assert!(server.stop().0.success());
    scratch.must(&["verify", "--data-dir", "data"]);
}
