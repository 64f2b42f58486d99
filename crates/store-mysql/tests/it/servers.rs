//! Several of our servers at one database.

use super::rig::{self, RUNTIME, batch, create, had, issue, ledger, on_both, run};
use coupon_app::contract::ledger::{ask, order};
use coupon_app::contract::{key, token, user};
use coupon_app::{
    Board, CommandOutcome, CommandRequest, CouponStore, Delivery, DeliveryStore, Reply, Request,
};
use coupon_core::{Command, CouponId, Outcome};
use coupon_testkit::SqlEngine;
use futures_util::future::join_all;
use std::sync::Arc;
use store_mysql::{LedgerOptions, MysqlStore, StoreOptions};

fn what_one_server_does_another_finds_on_its_board(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let board = Arc::new(Board::new());
        let here = ledger(database.url(), LedgerOptions::default()).await;
        let there = rig::try_ledger(database.url(), LedgerOptions::default(), &board)
            .await
            .unwrap();
        let coupon = create(&here, 5).await;
        issue(&here, coupon, &user(1)).await.unwrap();
        assert!(board.get(coupon).is_none());
        there.refresh_board().await.unwrap();
        let posted = board.get(coupon).unwrap();
        assert_eq!((posted.coupon.revision, posted.issued, posted.stored), (1, 1, 1));
        let pause = Request::Command(Box::new(order(Some(coupon), Command::Pause)));
        batch(&here, vec![pause, ask(coupon, &user(2), None)]).await;
        there.refresh_board().await.unwrap();
        assert!(board.get(coupon).unwrap().coupon.paused);
        // A change is seen by the next request at once, board or no board.
        assert!(matches!(
            issue(&there, coupon, &user(3)).await,
            Ok(Outcome::Paused)
        ));
        let again = rig::try_ledger(database.url(), LedgerOptions::default(), &Arc::default()).await;
        assert!(again.is_ok());
    });
}

fn a_board_that_is_ahead_is_not_turned_back(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let board = Arc::new(Board::new());
        let ledger = rig::try_ledger(database.url(), LedgerOptions::default(), &board)
            .await
            .unwrap();
        let ledger = Arc::new(ledger);
        let coupon = create(&ledger, 0).await;
        let refreshing = Arc::clone(&ledger);
        let refreshes = RUNTIME.spawn(async move {
            for _ in 0..50 {
                refreshing.refresh_board().await.unwrap();
            }
        });
        for n in 0..50 {
            let Outcome::Issued(grant) = issue(&ledger, coupon, &user(n)).await.unwrap() else {
                panic!("unlimited")
            };
            assert!(board.get(coupon).unwrap().issued >= grant.position.get());
        }
        refreshes.await.unwrap();
        assert_eq!(board.get(coupon).unwrap().issued, 50);
    });
}

fn one_token_at_two_servers_makes_one_coupon(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let mut ledgers = Vec::new();
        for _ in 0..4 {
            ledgers.push(ledger(database.url(), LedgerOptions::default()).await);
        }
        for scope in 1..=5 {
            let asking = ledgers.iter().map(|ledger| {
                let create = CommandRequest {
                    token: token(scope, 1),
                    ..order(None, Command::Create(Box::new(rig::open_now(5))))
                };
                batch(ledger, vec![Request::Command(Box::new(create))])
            });
            let mut ids = Vec::new();
            let mut fresh = 0;
            for answers in join_all(asking).await {
                let Ok(Reply::Command(outcome)) = &answers[0] else {
                    panic!("{answers:?}")
                };
                let CommandOutcome::Done { coupon, replayed, .. } = outcome.as_ref() else {
                    panic!("{outcome:?}")
                };
                fresh += usize::from(!replayed);
                ids.push(coupon.id);
            }
            assert_eq!(fresh, 1);
            assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        }
        let made = database.query("SELECT COUNT(*), MAX(id) FROM coupons").unwrap();
        assert_eq!(rig::text(&made), [["5", "5"]], "counted without gap");
    });
}

fn the_key_of_the_codes_is_the_same_for_all_and_for_ever(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let mut stores = Vec::new();
        for _ in 0..4 {
            stores.push(rig::store(database.url()).await);
        }
        let asking = stores
            .iter()
            .enumerate()
            .map(|(n, store)| store.code_key([u8::try_from(n).unwrap(); 16]));
        let keys: Vec<[u8; 16]> = join_all(asking).await.into_iter().map(Result::unwrap).collect();
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
        let later = rig::store(database.url()).await;
        assert_eq!(later.code_key([0xff; 16]).await.unwrap(), keys[0]);
    });
}

fn a_store_goes_on_after_its_server_was_restarted(engine: SqlEngine) {
    let mut server = had!(rig::server(&coupon_testkit::SqlOptions::on(engine)));
    let database = rig::migrated(server.fresh_database().unwrap());
    run(async {
        let ledger = ledger(database.url(), LedgerOptions::default()).await;
        let store = rig::store(database.url()).await;
        let coupon = create(&ledger, 0).await;
        // As many connections as the pool may have.
        let asking = || join_all((0..16).map(|n| issued(&store, coupon, n)));
        asking().await;
        for round in 0..2 {
            server.kill9();
            server.restart().unwrap();
            let delivery = Delivery {
                coupon,
                epoch: 1,
                records: vec![],
            };
            store.deliver(&[delivery]).await.unwrap();
            assert!(matches!(
                issue(&ledger, coupon, &user(round)).await,
                Ok(Outcome::Issued(_))
            ));
            assert_eq!(asking().await.len(), 16);
        }
    });
}

async fn issued(store: &MysqlStore, coupon: CouponId, after: u32) -> usize {
    store.issued_coupons(coupon, after, 9).await.unwrap().len()
}

fn what_users_hold_is_told_in_the_order_asked(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let ledger = ledger(database.url(), LedgerOptions::default()).await;
        let store = rig::store(database.url()).await;
        let coupon = create(&ledger, 0).await;
        let crowd = (0..2_000).map(|n| ask(coupon, &user(n), key(u64::MAX - 1)));
        batch(&ledger, crowd.collect()).await;
        let asked: Vec<_> = (0..2_002).rev().map(user).collect();
        let held = store.held(coupon, &asked).await.unwrap();
        assert_eq!(held.iter().filter(|one| one.is_none()).count(), 2);
        for (place, one) in held.iter().enumerate().skip(2) {
            let held = one.unwrap();
            assert_eq!(usize::try_from(held.grant.position.get()).unwrap(), 2_002 - place);
            assert_eq!(held.key, key(u64::MAX - 1));
        }
        assert_eq!(store.held(coupon, &[]).await.unwrap(), []);
    });
}

fn servers_that_migrate_at_once_do_it_once(engine: SqlEngine) {
    let server = had!(coupon_testkit::or_skip(coupon_testkit::Sql::shared(engine)));
    let database = server.fresh_database().unwrap();
    run(async {
        let migrating = (0..4).map(|_| {
            let url = database.url().to_owned();
            RUNTIME.spawn(async move { MysqlStore::migrate(&url).await })
        });
        for migrated in join_all(migrating).await {
            migrated.unwrap().unwrap();
        }
        let url = database.url().to_owned();
        let opened = RUNTIME.spawn(async move { MysqlStore::open(&url, StoreOptions::default()).await });
        opened.await.unwrap().unwrap();
    });
}

on_both! {
    what_one_server_does_another_finds_on_its_board
    a_board_that_is_ahead_is_not_turned_back
    one_token_at_two_servers_makes_one_coupon
    the_key_of_the_codes_is_the_same_for_all_and_for_ever
    a_store_goes_on_after_its_server_was_restarted
    what_users_hold_is_told_in_the_order_asked
    servers_that_migrate_at_once_do_it_once
}
