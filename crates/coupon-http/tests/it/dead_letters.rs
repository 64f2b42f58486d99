//! `/v1/admin/dead-letters`: what could not be taken is listed, shown, brought again and dismissed.

use crate::house::House;
use coupon_app::{
    Clock as _, Contents, DeadLetter, Delivery, IssuedRecord, NotificationId, NotificationOutbox as _, Plan,
    Recipient, Record, Report, Settled, Verdict,
};
use coupon_core::{CouponId, Grant, Position, Span, Timestamp, UserId};
use futures_util::FutureExt as _;
use serde_json::{Value, json};

const PATH: &str = "/v1/admin/dead-letters";

fn keep(house: &House, why: &str, positions: &[u32], whole: bool) {
    let at = Timestamp::from_micros(crate::house::NOW_US).unwrap();
    let issue = |position: &u32| {
        Record::Issued(IssuedRecord {
            coupon: CouponId::FIRST,
            user: UserId::parse(format!("user-{position}")).unwrap(),
            grant: Grant {
                position: Position::new(*position).unwrap(),
                issued_at: at,
                expires_at: at,
            },
            key: None,
        })
    };
    house.letters.keep(DeadLetter {
        name: "".into(),
        why: why.to_owned(),
        origin: "topic t, partition 0, offset 7".to_owned(),
        group: "store".to_owned(),
        whole,
        contents: (!positions.is_empty()).then(|| {
            Contents::Records(Delivery {
                coupon: CouponId::FIRST,
                epoch: 2,
                records: positions.iter().map(issue).collect(),
            })
        }),
    });
}

fn ids(answer: &Value) -> Vec<&str> {
    let data = answer["data"].as_array().unwrap();
    data.iter().map(|one| one["id"].as_str().unwrap()).collect()
}

#[test]
fn letters_are_listed_page_by_page_and_one_by_one() {
    let house = House::open();
    let empty = house.get(PATH, &house.admin);
    assert_eq!(
        (empty.status, empty.json()),
        (200, json!({ "data": [], "nextCursor": null }))
    );
    keep(&house, "it is no event", &[], true);
    keep(&house, "the store does not like it", &[4, 5, 6], true);
    keep(&house, "it is empty", &[], false);
    let first = house.get(&format!("{PATH}?limit=2"), &house.admin).json();
    assert_eq!(ids(&first), ["memory-1", "memory-2"]);
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = house
        .get(&format!("{PATH}?limit=2&cursor={cursor}"), &house.admin)
        .json();
    assert_eq!(
        (ids(&second), &second["nextCursor"]),
        (vec!["memory-3"], &json!(null))
    );
    let shown = house.get(&format!("{PATH}/memory-2"), &house.admin);
    assert_eq!(
        (shown.status, shown.json()),
        (
            200,
            json!({
                "id": "memory-2", "place": "memory", "reason": "the store does not like it",
                "origin": "topic t, partition 0, offset 7", "group": "store", "replayable": true,
                "notificationId": null, "couponId": 1, "epoch": 2, "firstPosition": 4, "lastPosition": 6,
            })
        )
    );
    for (query, code) in [
        ("?cursor=nobody-1", "invalid-cursor"),
        ("?cursor=", "invalid-cursor"),
        ("?limit=0", "invalid-parameter"),
        ("?state=x", "invalid-parameter"),
        ("?place=nowhere", "invalid-parameter"),
        ("?place=notification.mail&cursor=memory-1", "invalid-cursor"),
    ] {
        let refused = house.get(&format!("{PATH}{query}"), &house.admin);
        assert_eq!(refused.refusal(), (400, code.to_owned()), "{query}");
    }
}

#[test]
fn replaying_and_dismissing_go_from_the_front_and_may_be_repeated() {
    let house = House::open();
    for position in 1..=3 {
        keep(&house, "the store was strange", &[position], true);
    }
    keep(&house, "it is cut", &[], false);
    keep(&house, "the store was strange", &[5], true);
    let post = |id: &str, verb: &str| {
        let answer = house.ask("POST", &format!("{PATH}/{id}/{verb}"), &house.admin, json!({}));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    for replayed in [2, 0] {
        let expected = json!({ "replayed": replayed, "stoppedAt": null });
        assert_eq!(post("memory-2", "replay"), expected);
    }
    assert_eq!(house.letters.brought().len(), 2);
    let expected = json!({ "replayed": 1, "stoppedAt": "memory-4" });
    assert_eq!(post("memory-5", "replay"), expected);
    assert_eq!(post("memory-4", "dismiss"), json!({ "dismissed": 1 }));
    assert_eq!(post("memory-4", "dismiss"), json!({ "dismissed": 0 }));
    assert_eq!(post("memory-5", "replay")["replayed"], 1);
    assert_eq!(ids(&house.get(PATH, &house.admin).json()), Vec::<&str>::new());
}

#[test]
fn only_administrators_see_letters_and_strangers_ids_are_unknown() {
    let house = House::open();
    keep(&house, "it is no event", &[], true);
    for (method, path) in [
        ("GET", PATH.to_owned()),
        ("GET", format!("{PATH}/memory-1")),
        ("POST", format!("{PATH}/memory-1/replay")),
        ("POST", format!("{PATH}/memory-1/dismiss")),
    ] {
        assert_eq!(
            house.ask(method, &path, "", Value::Null).refusal().0,
            401,
            "{path}"
        );
        let refused = house.ask(method, &path, &house.service, Value::Null).refusal();
        assert_eq!(refused, (403, "wrong-scope".to_owned()), "{path}");
    }
    for id in ["memory-9", "memory-x", "nobody-1", "1", "%ff"] {
        let shown = house.get(&format!("{PATH}/{id}"), &house.admin).refusal();
        assert_eq!(shown, (404, "unknown-dead-letter".to_owned()), "{id}");
    }
    for id in ["memory-x", "nobody-1", "1"] {
        for verb in ["replay", "dismiss"] {
            let answer = house.ask("POST", &format!("{PATH}/{id}/{verb}"), &house.admin, Value::Null);
            assert_eq!(answer.refusal(), (404, "unknown-dead-letter".to_owned()), "{id}");
        }
    }
    assert_eq!(ids(&house.get(PATH, &house.admin).json()), ["memory-1"]);
}

#[test]
fn readiness_tells_what_wiring_remarks() {
    let house = House::open();
    let remarks = house.hall.remarks();
    assert_eq!(house.get("/readyz", "").status, 200);
    remarks.set("kafka", Some("topic t: min.insync.replicas is 1".to_owned()));
    let told = house.get("/readyz", "");
    assert_eq!(
        (told.status, &told.json()["checks"]["kafka"]),
        (
            503,
            &json!({ "status": "notReady", "reason": "topic t: min.insync.replicas is 1" })
        )
    );
    remarks.set("kafka", None);
    assert_eq!(house.get("/readyz", "").status, 200);
}

#[test]
fn whoever_has_letters_replayed_or_dismissed_is_in_the_audit_log() {
    let house = House::open();
    let log = || {
        let mut entries = house.get("/v1/admin/audit-log", &house.admin).json()["data"].take();
        let entries = entries.as_array_mut().unwrap();
        entries.retain(|entry| !entry["deadLetterId"].is_null());
        std::mem::take(entries)
    };
    // Where nothing lies nothing is done.
    house.ask(
        "POST",
        &format!("{PATH}/memory-1/dismiss"),
        &house.admin,
        Value::Null,
    );
    assert!(log().is_empty());
    for number in 1..=2 {
        keep(&house, "it is no event", &[number], true);
    }
    for (id, verb) in [("memory-1", "replay"), ("memory-2", "dismiss")] {
        let answer = house.ask("POST", &format!("{PATH}/{id}/{verb}"), &house.admin, Value::Null);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let log = log();
    let told: Vec<_> = log
        .iter()
        .map(|entry| {
            (
                entry["action"].as_str().unwrap(),
                entry["deadLetterId"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("dead_letters.dismissed", "memory-2"),
            ("dead_letters.replayed", "memory-1")
        ]
    );
    for entry in &log {
        assert!(
            entry["actor"].is_string() && entry["requestId"].is_string(),
            "{entry}"
        );
    }
}

/// The mail that tells of a redemption finds no address, and the webhook no receiver.
fn fail_to_tell(house: &House) {
    let coupon = house.publish(json!(1));
    house.issue(coupon, "kim");
    house.catch_up();
    let body = json!({ "orderId": "A-1", "orderAmount": 50_000 });
    let redeemed = house.ask("POST", "/v1/issued-coupons/1-1/redemption", &house.redeemer, body);
    assert_eq!(redeemed.status, 200, "{redeemed:?}");
    let (store, now, lease) = (&house.store, house.clock.now(), Span::from_secs(60));
    let id: NotificationId = "redeemed-1-1-1".parse().unwrap();
    store.take_new(now, lease, 10).now_or_never().unwrap().unwrap();
    let to = |channel: &str, name: &str| (channel.into(), Recipient::parse(name).unwrap());
    let plan = Plan {
        notification: id,
        deliveries: vec![to("mail", "holder"), to("webhook", "1")],
    };
    store.plan(&[plan], now).now_or_never().unwrap().unwrap();
    let taken = store.take_due(&["mail", "webhook"], now, lease, 9);
    for one in taken.now_or_never().unwrap().unwrap() {
        let (verdict, report) = if &*one.delivery.channel == "mail" {
            (
                Verdict::Undeliverable,
                Report::new(None, "the user has no address"),
            )
        } else {
            (Verdict::Dead, Report::new(Some(410), "gone"))
        };
        let settled = Settled {
            delivery: one.delivery,
            attempt: one.attempt,
            verdict,
            report,
        };
        store.settle(&[settled], now).now_or_never().unwrap().unwrap();
    }
}

#[test]
fn what_no_channel_could_bring_is_among_the_letters() {
    let house = House::open();
    keep(&house, "it is no event", &[4], true);
    fail_to_tell(&house);
    let all = house.get(PATH, &house.admin).json();
    assert_eq!(
        ids(&all),
        ["memory-1", "notification.webhook-1", "notification.mail-2"]
    );
    let alone = house.get(&format!("{PATH}?place=notification.mail"), &house.admin);
    assert_eq!(
        alone.json()["data"],
        json!([{
            "id": "notification.mail-2", "place": "notification.mail",
            "reason": "undeliverable: the user has no address",
            "origin": "outbox of notifications, after 1 attempts", "group": "holder", "replayable": true,
            "notificationId": "redeemed-1-1-1", "couponId": 1, "epoch": null, "firstPosition": 1, "lastPosition": 1,
        }])
    );
    assert_eq!(all["data"][1]["reason"], "dead: gone (410)");
    let post = |id: &str, verb: &str| {
        let answer = house.ask("POST", &format!("{PATH}/{id}/{verb}"), &house.admin, json!({}));
        (answer.status, answer.json())
    };
    let deliveries = |state: &str| {
        let path = format!("/v1/admin/webhooks/1/deliveries?state={state}");
        let listed = house.get(&path, &house.admin).json();
        listed["data"].as_array().map(Vec::len)
    };
    let hook = json!({ "url": "https://shop.example/hook" });
    assert_eq!(
        house.ask("POST", "/v1/admin/webhooks", &house.admin, hook).status,
        201
    );
    for dismissed in [1, 0] {
        let expected = (200, json!({ "dismissed": dismissed }));
        assert_eq!(post("notification.webhook-1", "dismiss"), expected);
    }
    assert_eq!((deliveries("dead"), deliveries("dismissed")), (Some(0), Some(1)));
    for replayed in [1, 0] {
        let expected = (200, json!({ "replayed": replayed, "stoppedAt": null }));
        assert_eq!(post("notification.mail-2", "replay"), expected);
    }
    assert_eq!(ids(&house.get(PATH, &house.admin).json()), ["memory-1"]);
    let log = house.get("/v1/admin/audit-log", &house.admin).json();
    let log = log["data"].as_array().unwrap();
    let told: Vec<&str> = (log.iter().filter_map(|entry| entry["deadLetterId"].as_str())).collect();
    // What was asked for, each time, the newest first.
    let expected = [["notification.mail-2"; 2], ["notification.webhook-1"; 2]].concat();
    assert_eq!(told, expected);
}
