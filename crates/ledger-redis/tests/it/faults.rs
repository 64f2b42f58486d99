//! Redis fails in every way that it can, in the middle of a sale; what was answered stays true.

use super::rig::{self, Ids, block_on, start};
use super::sale::{create, done, grant, holders, is_indeterminate, is_unavailable, issue, one, wins};
use coupon_app::contract::user;
use coupon_app::{Health, IssueLedger};
use coupon_core::{Command, Outcome};
use coupon_testkit::{Direction, FaultProxy, Loss, RedisOptions, wait_until};
use ledger_redis::Target;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn nothing_that_was_answered_is_lost_when_redis_is_killed() {
    let Some(mut redis) = start(&RedisOptions::durable()) else {
        return;
    };
    let ids = Arc::new(Ids::default());
    block_on(async {
        let opened = rig::open(rig::options(&redis), &ids).await;
        let ledger = Arc::new(opened.ledger);
        let coupon = create(&ledger, 0).await;
        let told = Arc::new(Mutex::new(Vec::new()));
        let batches = Arc::new(AtomicUsize::new(0));
        let selling = {
            let (ledger, told, batches) = (Arc::clone(&ledger), Arc::clone(&told), Arc::clone(&batches));
            rig::handle().spawn(async move {
                for n in 0.. {
                    let users = n * 20..n * 20 + 20;
                    let answers = issue(&ledger, coupon, users.clone()).await;
                    let failed = answers.iter().any(Result::is_err);
                    told.lock().unwrap().extend(users.zip(answers));
                    if failed {
                        return;
                    }
                    batches.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        assert!(wait_until(Duration::from_secs(20), || batches
            .load(Ordering::Relaxed)
            > 30));
        redis.kill9();
        selling.await.unwrap();
        redis.restart().unwrap();
        // The server is another process now: this ledger answers nothing until somebody has vouched for it.
        assert!(is_unavailable(&one(&ledger, coupon, 1_000_000).await));
        assert!(
            matches!(ledger.health(), Health::NotReady(why) if why.contains("not the one that is expected"))
        );
        let sighting = ledger.sightings().borrow().clone().unwrap();
        assert!(!sighting.is_expected());
        ledger.accept(sighting.found);
        assert_eq!(ledger.health(), Health::Ready);
        let held = holders(&ledger, coupon).await;
        let told = std::mem::take(&mut *told.lock().unwrap());
        for (n, answer) in told {
            match answer {
                Ok(outcome) => {
                    let grant = grant(&outcome).unwrap();
                    let place = usize::try_from(grant.position.get()).unwrap() - 1;
                    assert_eq!(
                        held[place],
                        (user(n), grant),
                        "an answered issue is there as it was answered"
                    );
                }
                // Whatever was left open becomes definite by asking again.
                Err(_) => {
                    let again = one(&ledger, coupon, n).await.unwrap();
                    assert!(grant(&again).is_some());
                }
            }
        }
        holders(&ledger, coupon).await;
    });
}

#[test]
fn a_flushed_script_cache_is_not_noticed() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    block_on(async {
        let opened = rig::open(rig::options(&redis), &Arc::default()).await;
        let coupon = create(&opened.ledger, 0).await;
        for n in 0..5 {
            redis.command(&["SCRIPT", "FLUSH", "SYNC"]).unwrap();
            assert_eq!(
                wins(&opened.ledger, coupon, n).await.position.get(),
                u32::try_from(n).unwrap() + 1
            );
            redis.command(&["SCRIPT", "FLUSH", "SYNC"]).unwrap();
            assert_eq!(holders(&opened.ledger, coupon).await.len(), n + 1);
        }
    });
}

#[test]
fn a_full_memory_refuses_and_leaves_nothing_half_written() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    block_on(async {
        let opened = rig::open(rig::options(&redis), &Arc::default()).await;
        let ledger = &opened.ledger;
        let coupon = create(ledger, 0).await;
        wins(ledger, coupon, 1).await;
        let everything = || {
            let mut all: Vec<String> = Vec::new();
            for key in ["state", "users"] {
                let key = format!("firstcome:{{{coupon}}}:{key}");
                all.push(format!("{:?}", redis.command(&["HGETALL", &key]).unwrap()));
            }
            let stream = format!("firstcome:{{{coupon}}}:stream");
            all.push(format!(
                "{:?}",
                redis.command(&["XRANGE", &stream, "-", "+"]).unwrap()
            ));
            all
        };
        let before = everything();
        redis.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
        // More than one chunk, so that a write in the middle would show.
        for answer in issue(ledger, coupon, 0..1_500).await {
            assert!(is_unavailable(&answer), "{answer:?}");
        }
        assert!(is_unavailable(
            &super::sale::command(ledger, Some(coupon), Command::Pause).await
        ));
        assert_eq!(everything(), before, "what is unavailable has not happened");
        // Who has it already learns so even now.
        assert!(matches!(
            one(ledger, coupon, 1).await,
            Ok(Outcome::AlreadyIssued { .. })
        ));
        redis.command(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
        assert_eq!(wins(ledger, coupon, 2).await.position.get(), 2);
        assert!(done(ledger, Some(coupon), Command::Pause).await.paused);
        holders(ledger, coupon).await;
    });
}

#[test]
fn a_master_that_becomes_a_replica_refuses() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    block_on(async {
        let opened = rig::open(rig::options(&redis), &Arc::default()).await;
        let coupon = create(&opened.ledger, 0).await;
        wins(&opened.ledger, coupon, 1).await;
        // Its master is nowhere, so it keeps what it has.
        let nowhere = coupon_testkit::free_port().unwrap().to_string();
        redis.command(&["REPLICAOF", "127.0.0.1", &nowhere]).unwrap();
        assert!(is_unavailable(&one(&opened.ledger, coupon, 2).await));
        // It was asked and said so; the next call looks at what it has become.
        assert!(is_unavailable(&one(&opened.ledger, coupon, 2).await));
        assert!(matches!(opened.ledger.health(), Health::NotReady(why) if why.contains("not a master")));
        let late = rig::open(rig::options(&redis), &Arc::default()).await;
        assert!(matches!(late.ledger.health(), Health::NotReady(why) if why.contains("not a master")));
        assert!(is_unavailable(&one(&late.ledger, coupon, 2).await));
        redis.command(&["REPLICAOF", "NO", "ONE"]).unwrap();
        let again = rig::open(rig::options(&redis), &Arc::default()).await;
        assert_eq!(wins(&again.ledger, coupon, 2).await.position.get(), 2);
    });
}

#[test]
fn what_a_stalled_redis_was_asked_is_indeterminate_and_becomes_definite() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    block_on(async {
        let mut options = rig::options(&redis);
        options.response_timeout = Duration::from_millis(300);
        options.connect_timeout = Duration::from_millis(300);
        let opened = rig::open(options, &Arc::default()).await;
        let ledger = &opened.ledger;
        let coupon = create(ledger, 0).await;
        redis.pause().unwrap();
        assert!(is_indeterminate(&one(ledger, coupon, 1).await), "it was sent");
        // The connection was given up, and no new one comes about: nothing is sent.
        assert!(is_unavailable(&one(ledger, coupon, 2).await));
        redis.resume().unwrap();
        let mut again = one(ledger, coupon, 1).await;
        while is_unavailable(&again) {
            again = one(ledger, coupon, 1).await;
        }
        assert_eq!(grant(&again.unwrap()).unwrap().position.get(), 1);
        assert_eq!(wins(ledger, coupon, 2).await.position.get(), 2);
        assert_eq!(holders(ledger, coupon).await.len(), 2);
    });
}

#[test]
fn without_a_connection_nothing_happens() {
    let Some(mut redis) = start(&RedisOptions::durable()) else {
        return;
    };
    block_on(async {
        let opened = rig::open(rig::options(&redis), &Arc::default()).await;
        let coupon = create(&opened.ledger, 0).await;
        redis.stop();
        // The first call may still find out that the connection has ended.
        one(&opened.ledger, coupon, 1).await.unwrap_err();
        assert!(is_unavailable(&one(&opened.ledger, coupon, 1).await));
        assert!(matches!(opened.ledger.health(), Health::NotReady(why) if why.contains("cannot be reached")));
        assert!(is_unavailable(
            &super::sale::command(&opened.ledger, Some(coupon), Command::Pause).await
        ));
    });
}

#[test]
fn an_issue_whose_answer_is_lost_stands_and_is_on_its_way_to_the_store() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    let proxy = FaultProxy::to(redis.port()).unwrap();
    block_on(async {
        let mut options = rig::options(&redis);
        options.target = Target::Single(format!("127.0.0.1:{}", proxy.port()));
        let opened = rig::open(options, &Arc::default()).await;
        let ledger = &opened.ledger;
        let coupon = create(ledger, 0).await;
        for (loss, position) in [(Loss::Request, None), (Loss::Answer, Some(1))] {
            proxy.cut_at(b"EVALSHA", loss, 1);
            assert!(
                is_indeterminate(&one(ledger, coupon, 1).await),
                "nobody here can tell which of the two it was"
            );
            let held = holders(ledger, coupon).await;
            assert_eq!(
                held.last().map(|(_, grant)| grant.position.get()),
                position,
                "{loss:?}"
            );
        }
        assert!(matches!(
            one(ledger, coupon, 1).await,
            Ok(Outcome::AlreadyIssued { .. })
        ));
        // The same of a command: by asking again with its token it becomes definite.
        let pause = |payload| {
            let command = coupon_app::contract::ledger::order(Some(coupon), Command::Pause);
            coupon_app::Request::Command(Box::new(coupon_app::CommandRequest {
                token: coupon_app::contract::token(1, payload),
                ..command
            }))
        };
        // The reading passes; the script that applies is cut.
        proxy.cut_at(b"key-1", Loss::Answer, 1);
        assert!(is_indeterminate(
            &super::sale::batch(ledger, vec![pause(1)]).await[0]
        ));
        let told = super::sale::batch(ledger, vec![pause(1), pause(2)]).await;
        assert!(format!("{:?}", told[0]).contains("replayed: true"), "{told:?}");
        assert!(format!("{:?}", told[1]).contains("TokenReused"), "{told:?}");
    });
}

#[test]
fn the_time_that_judges_is_read_where_the_issue_is_decided() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    let Some(clock) = start(&RedisOptions::default()) else {
        return;
    };
    let proxy = FaultProxy::to(redis.port()).unwrap();
    block_on(async {
        let mut options = rig::options(&redis);
        options.target = Target::Single(format!("127.0.0.1:{}", proxy.port()));
        let ledger = Arc::new(rig::open(options, &Arc::default()).await.ledger);
        let coupon = create(&ledger, 0).await;
        // The request leaves this server now and reaches Redis later.
        proxy.stall(Direction::ToServer);
        let before = proxy.counts().stalled;
        let asking = {
            let ledger = Arc::clone(&ledger);
            rig::handle().spawn(async move { wins(&ledger, coupon, 1).await })
        };
        assert!(proxy.wait_until(Duration::from_secs(20), |counts| counts.stalled > before));
        let said = clock.command(&[
            "EVAL",
            "local t = redis.call('TIME'); return t[1] * 1000000 + t[2]",
            "0",
        ]);
        let later: i64 = said.unwrap().text().parse().unwrap();
        proxy.mend();
        let grant = asking.await.unwrap();
        assert!(
            grant.issued_at.as_micros() >= later,
            "judged by a clock that was read before it was decided"
        );
    });
}

#[test]
fn a_stream_that_has_gone_further_than_its_state_stops_the_coupon() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    block_on(async {
        let opened = rig::open(rig::options(&redis), &Arc::default()).await;
        let coupon = create(&opened.ledger, 0).await;
        wins(&opened.ledger, coupon, 1).await;
        let key = |what| format!("firstcome:{{{coupon}}}:{what}");
        redis
            .command(&["XADD", &key("stream"), "7-0", "issued", "of a state that is gone"])
            .unwrap();
        for _ in 0..2 {
            assert!(is_indeterminate(&one(&opened.ledger, coupon, 2).await));
        }
        assert_eq!(
            redis.command(&["HLEN", &key("users")]).unwrap().text(),
            "1",
            "nothing is half written"
        );
        assert_eq!(
            redis.command(&["HGET", &key("state"), "issued"]).unwrap().text(),
            "1"
        );
    });
}
