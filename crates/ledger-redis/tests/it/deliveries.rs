//! Workers at the streams: at least once, in any number, and nothing blocks.

use super::rig::{self, Ids, block_on, start};
use super::sale::{create, done, issue, wins};
use coupon_app::contract::dead_letter;
use coupon_app::contract::ledger::{ask, order};
use coupon_app::contract::{key, token, user};
use coupon_app::memory::MemoryDeliveries;
use coupon_app::{
    Backlog, CommandRequest, Contents, DeadLetterOffice, Delivery, DeliverySource, DeliveryStore,
    IssuedRecord, LedgerMarks, PendingIssue, PendingIssues, Record, Request, RevisedRecord, Ticket,
};
use coupon_core::{Command, CouponId, IssuedCouponId};
use coupon_testkit::{Redis, RedisOptions};
use ledger_redis::{RedisDeliveries, RedisLetters, WorkerOptions};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A worker of a group. Nobody is taken to be dead unless a test says so.
fn worker(
    redis: &Redis,
    group: &str,
    groups: &[&str],
    consumer: &str,
    claim_after: Duration,
) -> RedisDeliveries {
    let options = WorkerOptions {
        group: group.to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        consumer: consumer.to_owned(),
        claim_after,
    };
    RedisDeliveries::new(rig::options(redis), options, rig::handle())
}

const LONG: Duration = Duration::from_secs(3_600);

/// Everything that is handed out until there are so many records.
async fn take(worker: &RedisDeliveries, records: usize) -> Vec<(Ticket, Delivery)> {
    let mut taken: Vec<(Ticket, Delivery)> = Vec::new();
    while taken.iter().map(|(_, it)| it.records.len()).sum::<usize>() < records {
        taken.extend(worker.next(100).await.unwrap());
    }
    taken
}

fn tickets(taken: &[(Ticket, Delivery)]) -> Vec<Ticket> {
    taken.iter().map(|(ticket, _)| ticket.clone()).collect()
}

fn positions(taken: &[(Ticket, Delivery)], coupon: CouponId) -> Vec<u32> {
    let of_it = taken.iter().filter(|(ticket, _)| ticket.coupon == coupon);
    let records = of_it.flat_map(|(_, delivery)| &delivery.records);
    records
        .filter_map(|record| match record {
            Record::Issued(issued) => Some(issued.grant.position.get()),
            Record::Revised(_) => None,
        })
        .collect()
}

fn length(redis: &Redis, coupon: CouponId) -> String {
    let stream = format!("firstcome:{{{coupon}}}:stream");
    redis.command(&["XLEN", &stream]).unwrap().text()
}

#[test]
fn a_delivery_says_exactly_what_was_decided() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    block_on(async {
        let opened = rig::open(rig::options(&redis), &Arc::default()).await;
        let create = CommandRequest {
            actor: "the night shift".into(),
            token: token(7, 8),
            ..order(None, Command::Create(Box::new(super::sale::open_terms(9))))
        };
        super::sale::batch(&opened.ledger, vec![Request::Command(Box::new(create))]).await;
        let coupon = CouponId::FIRST;
        let asks = [(1, key(u64::MAX)), (2, None), (3, key(1))];
        let asks = asks.map(|(n, key)| ask(coupon, &user(n), key));
        super::sale::batch(&opened.ledger, asks.to_vec()).await;
        let closed = done(&opened.ledger, Some(coupon), Command::Close).await;
        let holders = super::sale::holders(&opened.ledger, coupon).await;
        let worker = worker(&redis, "store", &["store"], "one", LONG);
        let taken = take(&worker, 5).await;
        let records: Vec<Record> = taken.iter().flat_map(|(_, it)| it.records.clone()).collect();
        let issued = |n: usize, key| {
            Record::Issued(IssuedRecord {
                coupon,
                user: holders[n].0.clone(),
                grant: holders[n].1,
                key,
            })
        };
        assert_eq!(
            records[1..4],
            [issued(0, key(u64::MAX)), issued(1, None), issued(2, key(1))]
        );
        let Record::Revised(created) = &records[0] else {
            panic!("{records:?}")
        };
        assert_eq!(
            (&*created.actor.key, created.token, created.issued),
            ("the night shift", token(7, 8), 0)
        );
        assert_eq!(created.coupon.created_at, created.coupon.revised_at);
        let last = RevisedRecord {
            coupon: closed.as_ref().clone(),
            issued: 3,
            lost: 0,
            actor: "key-1".into(),
            token: None,
        };
        assert_eq!(records[4], Record::Revised(Box::new(last)));
        assert!(taken.iter().all(|(_, it)| it.epoch == 1 && it.coupon == coupon));
    });
}

#[test]
fn entries_leave_the_stream_when_every_group_has_them() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    block_on(async {
        let opened = rig::open(rig::options(&redis), &Arc::default()).await;
        let coupon = create(&opened.ledger, 0).await;
        for n in 0..4 {
            wins(&opened.ledger, coupon, n).await;
        }
        let groups = ["store", "feed"];
        let store = worker(&redis, "store", &groups, "one", LONG);
        let feed = worker(&redis, "feed", &groups, "one", LONG);
        let stored = take(&store, 5).await;
        store.done(&tickets(&stored)).await.unwrap();
        assert_eq!(length(&redis, coupon), "5", "the other group has not even begun");
        let fed = take(&feed, 5).await;
        assert_eq!(positions(&fed, coupon), [1, 2, 3, 4]);
        // Out of order, and one is missing.
        let mut done = tickets(&fed);
        let second = done.remove(1);
        done.reverse();
        feed.done(&done).await.unwrap();
        assert_eq!(
            length(&redis, coupon),
            "4",
            "what is behind the one in hand stays"
        );
        feed.done(std::slice::from_ref(&second)).await.unwrap();
        assert_eq!(length(&redis, coupon), "0");
        feed.done(&[second]).await.unwrap();
        // Positions go on, and looks begin after what was removed.
        wins(&opened.ledger, coupon, 9).await;
        let look = coupon_app::Look::Positions {
            coupon,
            after: 0,
            limit: 9,
        };
        let seen = super::sale::batch(&opened.ledger, vec![Request::Look(Box::new(look))])
            .await
            .remove(0);
        let coupon_app::Reply::Look(seen) = seen.unwrap() else {
            panic!("a look")
        };
        assert!(
            matches!(*seen, coupon_app::Seen::Positions(page) if page.len() == 1 && page[0].0 == user(9))
        );
        assert_eq!(positions(&take(&store, 1).await, coupon), [5]);
    });
}

#[test]
fn a_stream_that_has_more_fills_the_hands() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    block_on(async {
        let opened = rig::open(rig::options(&redis), &Arc::default()).await;
        let coupon = create(&opened.ledger, 0).await;
        for n in 0..1_200 {
            wins(&opened.ledger, coupon, n).await;
        }
        let worker = worker(&redis, "store", &["store"], "one", LONG);
        // Each record is an entry: the creation, and issues.
        let mut taken = worker.next(40).await.unwrap();
        assert!(
            (40..100).contains(&taken.len()),
            "about as many as were asked for: {}",
            taken.len()
        );
        let rest = worker.next(10_000).await.unwrap();
        assert_eq!(taken.len() + rest.len(), 1_201, "all that there is, in one go");
        let last = taken.pop();
        let before_it = taken.len();
        taken.extend(rest);
        worker.done(&tickets(&taken)).await.unwrap();
        assert_eq!(
            length(&redis, coupon),
            (1_201 - before_it).to_string(),
            "what is behind the one in hand stays"
        );
        worker.done(&tickets(&Vec::from_iter(last))).await.unwrap();
        assert_eq!(length(&redis, coupon), "0");
    });
}

#[test]
fn what_was_issued_is_pending_until_it_is_handed_over() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    block_on(async {
        let opened = rig::open(rig::options(&redis), &Arc::default()).await;
        let ledger = &opened.ledger;
        let coupon = create(ledger, 0).await;
        let batch = [0, 1, 2].map(|n| ask(coupon, &user(n), key(7)));
        super::sale::batch(ledger, batch.to_vec()).await;
        wins(ledger, coupon, 3).await;
        let pending = async |number: u32| {
            let position = coupon_core::Position::new(number).unwrap();
            ledger.pending(IssuedCouponId { coupon, position }).await.unwrap()
        };
        let store = worker(&redis, "store", &["store"], "one", LONG);
        let taken = take(&store, 5).await;
        for number in 1..=4_u32 {
            let PendingIssue::Here { delivery, revision } = pending(number).await else {
                panic!("{number} is pending, in whosever hands it is")
            };
            let expected = usize::from(number == 4) + 1;
            assert_eq!(
                (&delivery, revision),
                (&taken[expected].1, 1),
                "as a worker would bring it, keys and epoch and all"
            );
        }
        assert_eq!(pending(5).await, PendingIssue::Nothing);
        store.done(&tickets(&taken[..2])).await.unwrap();
        assert_eq!(pending(2).await, PendingIssue::HandedOver);
        assert!(matches!(pending(4).await, PendingIssue::Here { .. }));
        let elsewhere = IssuedCouponId {
            coupon: coupon_app::contract::coupon_id(77),
            position: coupon_core::Position::MIN,
        };
        assert_eq!(ledger.pending(elsewhere).await.unwrap(), PendingIssue::Nothing);
    });
}

#[test]
fn workers_of_a_group_share_and_find_new_coupons() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    block_on(async {
        let opened = rig::open(rig::options(&redis), &Arc::default()).await;
        let first = create(&opened.ledger, 0).await;
        let [one, two] = ["one", "two"].map(|name| worker(&redis, "store", &["store"], name, LONG));
        let begun = take(&one, 1).await;
        one.done(&tickets(&begun)).await.unwrap();
        let second = create(&opened.ledger, 0).await;
        for n in 0..30 {
            issue(&opened.ledger, first, [n]).await;
            issue(&opened.ledger, second, [n, n + 100]).await;
        }
        let mut seen: BTreeSet<(CouponId, u32)> = BTreeSet::new();
        let mut handed_out = 0;
        while seen.len() < 90 {
            for worker in [&one, &two] {
                let taken = worker.next(10).await.unwrap();
                worker.done(&tickets(&taken)).await.unwrap();
                for coupon in [first, second] {
                    let positions = positions(&taken, coupon);
                    handed_out += positions.len();
                    seen.extend(positions.into_iter().map(|position| (coupon, position)));
                }
            }
        }
        assert_eq!(handed_out, 90, "nothing was handed to both");
        let idle = one.backlog().await.unwrap();
        assert_eq!(idle, Backlog::default());
    });
}

#[test]
fn what_a_dead_worker_had_in_hand_is_handed_to_another() {
    let Some(mut redis) = start(&RedisOptions::durable()) else {
        return;
    };
    block_on(async {
        let opened = rig::open(rig::options(&redis), &Arc::default()).await;
        let coupon = create(&opened.ledger, 0).await;
        issue(&opened.ledger, coupon, 0..3).await;
        issue(&opened.ledger, coupon, 3..5).await;
        let dead = worker(&redis, "store", &["store"], "dead", LONG);
        let held = take(&dead, 6).await;
        dead.done(&tickets(&held[..1])).await.unwrap();
        drop(dead);
        redis.kill9();
        redis.restart().unwrap();
        let heir = worker(&redis, "store", &["store"], "heir", Duration::from_millis(1));
        let backlog = heir.backlog().await.unwrap();
        assert_eq!((backlog.waiting, backlog.in_hand), (0, 2));
        assert!(backlog.oldest_us > 0);
        let mut taken = Vec::new();
        while positions(&taken, coupon).len() < 5 {
            taken.extend(heir.next(100).await.unwrap());
        }
        assert_eq!(positions(&taken[..2], coupon), [1, 2, 3, 4, 5]);
        heir.done(&tickets(&taken)).await.unwrap();
        assert_eq!(length(&redis, coupon), "0");
    });
}

#[test]
fn what_cannot_be_taken_is_set_aside_and_blocks_nothing() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    block_on(async {
        let opened = rig::open(rig::options(&redis), &Arc::default()).await;
        let coupon = create(&opened.ledger, 0).await;
        let stream = format!("firstcome:{{{coupon}}}:stream");
        wins(&opened.ledger, coupon, 1).await;
        let poison: &[&[&str]] = &[
            &["1-1", "issued", "nonsense"],
            &["1-2", "nothing", "known"],
            &["1-3", "issued", "\u{1}"],
            &[
                "1-4", "epoch", "1", "issued", "1", "revised", "1", "closed", "", "coupon", "{}", "by", "{}",
            ],
        ];
        for entry in poison {
            let words: Vec<&str> = ["XADD", &stream]
                .into_iter()
                .chain(entry.iter().copied())
                .collect();
            redis.command(&words).unwrap();
        }
        wins(&opened.ledger, coupon, 2).await;
        let worker = worker(&redis, "store", &["store"], "one", Duration::from_millis(1));
        let mut taken = take(&worker, 3).await;
        taken.dedup();
        assert_eq!(positions(&taken, coupon), [1, 2]);
        // The worker itself cannot take the last one.
        let (last, delivery) = taken.pop().unwrap();
        worker.set_aside(&last, &"다".repeat(400)).await.unwrap();
        worker.set_aside(&last, "again").await.unwrap();
        worker.done(&tickets(&taken)).await.unwrap();
        assert_eq!(length(&redis, coupon), "0");
        let backlog = worker.backlog().await.unwrap();
        assert_eq!((backlog.waiting, backlog.in_hand, backlog.set_aside), (0, 0, 5));
        let office = RedisLetters::new(rig::options(&redis), Vec::new(), rig::handle());
        let letters = office.list(None, 100).await.unwrap().unwrap();
        let entry = |id: &str| format!("stream of coupon {coupon}, entry {id}");
        let expected = ["1-1", "1-2", "1-3", "1-4", &last.entry].map(entry);
        let origins: Vec<&str> = letters.iter().map(|it| &*it.origin).collect();
        assert_eq!(origins, expected);
        assert!(
            letters[..4]
                .iter()
                .all(|it| it.contents.is_none() && it.why.starts_with("unreadable"))
        );
        assert_eq!(
            letters[4].contents.as_ref().and_then(Contents::records),
            Some(&delivery),
            "it can be delivered later"
        );
        assert!(letters[4].why.len() <= 500 && letters[4].group == "store");
        assert!(letters.iter().all(|it| !it.whole), "nobody here could take them");
        assert_eq!(office.dismiss(&letters[0].name).await.unwrap(), Some(1));
        assert_eq!(worker.backlog().await.unwrap().set_aside, 4);
    });
}

#[test]
fn a_stream_that_is_lost_and_comes_back_is_read_again() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    block_on(async {
        let opened = rig::open(rig::options(&redis), &Arc::default()).await;
        create(&opened.ledger, 0).await;
        let worker = worker(&redis, "store", &["store"], "one", LONG);
        let taken = take(&worker, 1).await;
        redis.command(&["FLUSHALL"]).unwrap();
        worker.done(&tickets(&taken)).await.unwrap();
        assert_eq!(worker.next(10).await.unwrap(), []);
        let ids = Arc::new(Ids::default());
        let again = rig::open(rig::options(&redis), &ids).await;
        let coupon = create(&again.ledger, 0).await;
        issue(&again.ledger, coupon, 0..3).await;
        assert_eq!(positions(&take(&worker, 4).await, coupon), [1, 2, 3]);
    });
}

#[test]
fn what_was_set_aside_is_looked_after_and_brought_again() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    block_on(async {
        let opened = rig::open(rig::options(&redis), &Arc::default()).await;
        let coupon = create(&opened.ledger, 0).await;
        let other = create(&opened.ledger, 0).await;
        let worker = worker(&redis, "store", &["store"], "one", LONG);
        let store = Arc::new(MemoryDeliveries::new());
        let created = take(&worker, 2).await;
        for (_, delivery) in &created {
            store.deliver(std::slice::from_ref(delivery)).await.unwrap();
        }
        worker.done(&tickets(&created)).await.unwrap();
        let aside = async |count| {
            for (ticket, _) in take(&worker, count).await {
                worker
                    .set_aside(&ticket, "the store does not like it")
                    .await
                    .unwrap();
            }
        };
        for n in 1..4 {
            wins(&opened.ledger, coupon, n).await;
        }
        aside(3).await;
        let stream = format!("firstcome:{{{coupon}}}:stream");
        redis
            .command(&["XADD", &stream, "3-1", "issued", "nonsense"])
            .unwrap();
        wins(&opened.ledger, coupon, 4).await;
        aside(1).await;
        wins(&opened.ledger, other, 1).await;
        aside(1).await;
        let targets = vec![("store".to_owned(), Arc::clone(&store) as Arc<dyn DeliveryStore>)];
        let office = RedisLetters::new(rig::options(&redis), targets, rig::handle());
        let sent = dead_letter::letters_are_looked_after_from_the_front(Arc::new(office)).await;
        assert_eq!(sent, 4);
        let marks: Arc<dyn LedgerMarks> = store;
        assert_eq!(marks.mark(coupon).await.unwrap().unwrap().issued, 4);
        assert_eq!(
            marks.mark(other).await.unwrap().unwrap().issued,
            0,
            "that one was dismissed"
        );
    });
}

#[test]
fn a_worker_that_has_gone_is_taken_over_from_and_forgotten() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    block_on(async {
        let opened = rig::open(rig::options(&redis), &Arc::default()).await;
        let coupon = create(&opened.ledger, 0).await;
        wins(&opened.ledger, coupon, 1).await;
        let gone = worker(&redis, "store", &["store"], "gone", LONG);
        let slow = worker(&redis, "store", &["store"], "slow", LONG);
        take(&gone, 2).await;
        drop(gone);
        wins(&opened.ledger, coupon, 2).await;
        let held = take(&slow, 1).await;
        let stream = format!("firstcome:{{{coupon}}}:stream");
        let consumers = || {
            let said = redis.command(&["XINFO", "CONSUMERS", &stream, "store"]).unwrap();
            let said = format!("{said:?}");
            ["gone", "slow", "heir"].map(|name| said.contains(&format!("{name:?}")))
        };
        // As long as a consumer has something in hand it is not forgotten, however long it is silent.
        let patient = worker(&redis, "store", &["store"], "heir", LONG);
        assert_eq!(patient.next(100).await.unwrap(), []);
        assert_eq!(consumers()[..2], [true, true]);
        let heir = worker(&redis, "store", &["store"], "heir", Duration::from_millis(1));
        let mut taken = Vec::new();
        while positions(&taken, coupon).len() < 2 || consumers() != [false, false, true] {
            taken.extend(heir.next(100).await.unwrap());
        }
        heir.done(&tickets(&taken)).await.unwrap();
        assert_eq!(length(&redis, coupon), "0", "what it had in hand was taken over");
        // One that was only slow goes on as if nothing had been.
        slow.done(&tickets(&held)).await.unwrap();
        wins(&opened.ledger, coupon, 3).await;
        assert_eq!(positions(&take(&slow, 1).await, coupon), [3]);
        assert!(consumers()[1], "it is a member again");
    });
}
