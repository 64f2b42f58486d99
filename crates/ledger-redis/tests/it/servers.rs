//! Two servers at one coupon.

use super::rig::{self, Ids, block_on, start};
use super::sale::{batch, command, create, done, grant, holders, issue, one, wins};
use coupon_app::contract::ledger::{ask, change, order};
use coupon_app::contract::{quantity, token, user};
use coupon_app::{CommandOutcome, CommandRequest, IssueLedger, Reply, Request};
use coupon_core::{Command, CommandRefusal, Outcome};
use coupon_testkit::{RedisCluster, RedisOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[test]
fn two_servers_issue_exactly_and_in_the_order_of_time() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    let ids = Arc::new(Ids::default());
    block_on(async {
        let first = rig::open(rig::options(&redis), &ids).await.ledger;
        let coupon = create(&first, 500).await;
        let second = rig::open(rig::options(&redis), &ids).await.ledger;
        // A clock that only counts: an answer that left before a request came has a lower number.
        let tick = Arc::new(AtomicU64::new(0));
        let mut servers = Vec::new();
        for (number, ledger) in [first, second].into_iter().enumerate() {
            let tick = Arc::clone(&tick);
            servers.push(rig::handle().spawn(async move {
                let mut told = Vec::new();
                for n in 0..40 {
                    // Every user asks at both servers.
                    let users = (0..20).map(|k| (n * 20 + k) * 7 % 800 + number);
                    let users: Vec<usize> = users.collect();
                    let began = tick.fetch_add(1, Ordering::SeqCst);
                    let answers = issue(&ledger, coupon, users.clone()).await;
                    let ended = tick.fetch_add(1, Ordering::SeqCst);
                    for (who, answer) in users.into_iter().zip(answers) {
                        told.push((who, answer.unwrap(), began, ended));
                    }
                }
                (ledger, told)
            }));
        }
        let mut told = Vec::new();
        let mut ledgers = Vec::new();
        for server in servers {
            let (ledger, more) = server.await.unwrap();
            told.extend(more);
            ledgers.push(ledger);
        }
        let held = holders(&ledgers[0], coupon).await;
        assert_eq!(held.len(), 500, "demand exceeded the quantity");
        assert_eq!(holders(&ledgers[1], coupon).await, held, "both see the same");
        let mut winners = Vec::new();
        for (who, outcome, began, ended) in &told {
            match grant(outcome) {
                Some(grant) => {
                    let place = usize::try_from(grant.position.get()).unwrap() - 1;
                    assert_eq!(held[place], (user(*who), grant));
                    if matches!(outcome, Outcome::Issued(_)) {
                        winners.push((grant.position, *began, *ended));
                    }
                }
                None => assert_eq!(*outcome, Outcome::SoldOut),
            }
        }
        assert_eq!(winners.len(), 500, "everyone who won was told so once");
        winners.sort_unstable();
        let mut latest_begin = 0;
        for (position, began, ended) in winners {
            assert!(
                ended > latest_begin,
                "position {position:?} was answered before an earlier one was asked for"
            );
            latest_begin = latest_begin.max(began);
        }
        for (number, ledger) in ledgers.iter().enumerate() {
            assert_eq!(
                one(ledger, coupon, 5_000 + number).await.unwrap(),
                Outcome::SoldOut
            );
        }
    });
}

#[test]
fn a_command_at_one_server_judges_the_next_request_at_the_other() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    let ids = Arc::new(Ids::default());
    block_on(async {
        let [one_server, other] = [
            rig::open(rig::options(&redis), &ids).await,
            rig::open(rig::options(&redis), &ids).await,
        ];
        let coupon = create(&one_server.ledger, 0).await;
        // The other has never heard of it.
        wins(&other.ledger, coupon, 1).await;
        assert_eq!(other.board.get(coupon).unwrap().issued, 1);
        done(&one_server.ledger, Some(coupon), Command::Pause).await;
        assert_eq!(one(&other.ledger, coupon, 2).await.unwrap(), Outcome::Paused);
        assert!(
            other.board.get(coupon).unwrap().coupon.paused,
            "what a reply says is on the board"
        );
        done(&other.ledger, Some(coupon), Command::Resume).await;
        wins(&one_server.ledger, coupon, 2).await;
        done(
            &other.ledger,
            Some(coupon),
            change(|it| it.quantity = Some(quantity(2))),
        )
        .await;
        assert_eq!(
            one(&one_server.ledger, coupon, 3).await.unwrap(),
            Outcome::SoldOut
        );
        // Nothing but looking tells the first one of a coupon that it has not been asked for.
        let fresh = create(&other.ledger, 0).await;
        assert!(one_server.board.get(fresh).is_none());
        one_server.ledger.refresh().await.unwrap();
        assert!(one_server.board.get(fresh).is_some());
    });
}

#[test]
fn commands_of_two_servers_make_one_row_of_revisions_beside_a_sale() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    let ids = Arc::new(Ids::default());
    block_on(async {
        let first = Arc::new(rig::open(rig::options(&redis), &ids).await.ledger);
        let second = Arc::new(rig::open(rig::options(&redis), &ids).await.ledger);
        let coupon = create(&first, 2_000).await;
        let mut tasks = Vec::new();
        for (number, ledger) in [&first, &second].into_iter().enumerate() {
            let ledger = Arc::clone(ledger);
            tasks.push(rig::handle().spawn(async move {
                for n in 0..20 {
                    let from = number * 10_000 + n * 10;
                    // Each lowers the quantity towards what is issued while the other issues.
                    let lower =
                        change(|it| it.quantity = Some(quantity(2_000 - u32::try_from(n).unwrap() * 90)));
                    let requests = (from..from + 10)
                        .map(|n| ask(coupon, &user(n), None))
                        .chain([Request::Command(Box::new(order(Some(coupon), lower)))])
                        .collect();
                    let refused = |it: &CommandOutcome| {
                        matches!(it, CommandOutcome::Refused(CommandRefusal::BelowIssued { .. }))
                    };
                    for answer in batch(&ledger, requests).await {
                        match answer.unwrap() {
                            Reply::Issue(_) => {}
                            Reply::Command(outcome) => {
                                let done = matches!(*outcome, CommandOutcome::Done { .. });
                                assert!(done || refused(&outcome), "{outcome:?}");
                            }
                            Reply::Look(seen) => panic!("{seen:?}"),
                        }
                    }
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        // Never below what was issued at that moment: `holders` counts against the quantity.
        let held = holders(&first, coupon).await;
        let mut revisions = Vec::new();
        let mut issued = 0;
        for (_, delivery) in first.entries_after(coupon, "0-0").await.unwrap() {
            for record in delivery.records {
                match record {
                    coupon_app::Record::Issued(one) => {
                        issued += 1;
                        assert_eq!(one.grant.position.get(), issued);
                    }
                    coupon_app::Record::Revised(revised) => {
                        assert_eq!(revised.issued, issued, "commands stand between the issues");
                        assert!(revised.coupon.terms.quantity.limit().unwrap().get() >= issued);
                        revisions.push(revised.coupon.revision);
                    }
                }
            }
        }
        assert_eq!(usize::try_from(issued).unwrap(), held.len());
        assert!(
            revisions
                .iter()
                .copied()
                .eq(1..=u32::try_from(revisions.len()).unwrap())
        );
    });
}

#[test]
fn one_token_at_two_servers_at_once_creates_one_coupon() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    let ids = Arc::new(Ids::default());
    block_on(async {
        let servers = [
            Arc::new(rig::open(rig::options(&redis), &ids).await.ledger),
            Arc::new(rig::open(rig::options(&redis), &ids).await.ledger),
        ];
        for round in 0..20 {
            let create = CommandRequest {
                token: token(round, 1),
                ..order(None, Command::Create(Box::new(super::sale::open_terms(5))))
            };
            let asking = servers.iter().map(|ledger| {
                let (ledger, create) = (Arc::clone(ledger), create.clone());
                rig::handle().spawn(async move {
                    let answer = batch(&ledger, vec![Request::Command(Box::new(create))])
                        .await
                        .remove(0);
                    match answer.unwrap() {
                        Reply::Command(outcome) => match *outcome {
                            CommandOutcome::Done { coupon, replayed, .. } => (coupon.id, replayed),
                            other => panic!("{other:?}"),
                        },
                        other => panic!("{other:?}"),
                    }
                })
            });
            let asking: Vec<_> = asking.collect();
            let mut told = Vec::new();
            for asked in asking {
                told.push(asked.await.unwrap());
            }
            assert_eq!(told[0].0, told[1].0, "both speak of the same coupon");
            assert_ne!(told[0].1, told[1].1, "one of them has made it");
        }
    });
}

#[test]
fn a_closed_ledger_leaves_the_other_server_alone() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    let ids = Arc::new(Ids::default());
    block_on(async {
        let [first, second] = [
            rig::open(rig::options(&redis), &ids).await.ledger,
            rig::open(rig::options(&redis), &ids).await.ledger,
        ];
        let coupon = create(&first, 0).await;
        first.close().await.unwrap();
        assert!(super::sale::is_unavailable(&one(&first, coupon, 1).await));
        assert!(super::sale::is_unavailable(
            &command(&first, Some(coupon), Command::Pause).await
        ));
        wins(&second, coupon, 1).await;
    });
}

#[test]
fn a_change_at_one_server_is_on_the_boards_of_the_others_without_their_asking() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    let Some(cluster) = coupon_testkit::or_skip(RedisCluster::start(&RedisOptions::durable())) else {
        return;
    };
    for target in [rig::target(&redis), rig::cluster_target(&cluster)] {
        let ids = Arc::new(Ids::default());
        block_on(async {
            // They read all coupons once in an hour.
            let options = rig::options_at(target);
            let here = rig::open(options.clone(), &ids).await;
            let there = rig::open(options, &ids).await;
            let coupon = create(&here.ledger, 5).await;
            let heard = async |revision: u32| {
                let until = tokio::time::Instant::now() + Duration::from_secs(60);
                while there
                    .board
                    .get(coupon)
                    .is_none_or(|posted| posted.coupon.revision < revision)
                {
                    assert!(
                        tokio::time::Instant::now() < until,
                        "revision {revision} is not heard of"
                    );
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            heard(1).await;
            done(&here.ledger, Some(coupon), Command::Pause).await;
            heard(2).await;
            assert!(there.board.get(coupon).unwrap().coupon.paused);
        });
    }
}
