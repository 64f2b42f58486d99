//! Redis loses what it had: the coupon closes, and opens again from the store.

use super::rig::{self, Ids, Record, block_on, start};
use super::sale::{command, create, done, grant, is_unavailable, issue, one, wins};
use coupon_app::contract::{key, quantity, user};
use coupon_app::{CommandOutcome, Health, IssueLedger, IssuedRecord, Record as Change};
use coupon_core::{Command, CouponId, Outcome};
use coupon_testkit::{FaultProxy, RedisOptions};
use ledger_redis::{Fenced, ReopenError, Reopened, Retired};
use std::sync::Arc;

/// What the store would have: every issue of a coupon's stream.
async fn stored(ledger: &ledger_redis::RedisLedger, coupon: CouponId) -> Vec<IssuedRecord> {
    let entries = ledger.entries_after(coupon, "0-0").await.unwrap();
    let records = entries.into_iter().flat_map(|(_, delivery)| delivery.records);
    records
        .filter_map(|record| match record {
            Change::Issued(issued) => Some(issued),
            Change::Revised(_) => None,
        })
        .collect()
}

#[test]
fn a_flushed_coupon_closes_and_opens_again_from_the_store() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    let ids = Arc::new(Ids::default());
    block_on(async {
        let record = Arc::new(Record::default());
        let first = rig::open_beside(rig::options(&redis), &ids, &record).await;
        let coupon = create(&first.ledger, 10).await;
        let coupon_facts = first.board.get(coupon).unwrap().coupon;
        issue(&first.ledger, coupon, 0..4).await;
        let stored = stored(&first.ledger, coupon).await;
        record.has(coupon, 1, &stored[..3]);
        redis.command(&["FLUSHALL"]).unwrap();
        let late = rig::open_beside(rig::options(&redis), &ids, &record).await;
        let stranger = CouponId::new(77).unwrap();
        for server in [&first.ledger, &late.ledger] {
            for n in [0, 9] {
                assert!(
                    is_unavailable(&one(server, coupon, n).await),
                    "neither a winner nor a new one is answered"
                );
            }
            assert!(is_unavailable(
                &command(server, Some(coupon), Command::Pause).await
            ));
            assert_eq!(
                one(server, stranger, 1).await.unwrap(),
                Outcome::UnknownCoupon,
                "one that never was is told apart"
            );
        }
        // The fourth had not reached the store, but the first server has seen it.
        record.has(coupon, 2, &stored[..3]);
        let mut building = late
            .ledger
            .reopen(coupon_facts.as_ref().clone(), 2)
            .await
            .unwrap();
        building.add(&stored[..2]).await.unwrap();
        assert!(
            is_unavailable(&one(&late.ledger, coupon, 0).await),
            "half a state is not seen"
        );
        building.add(&stored[2..3]).await.unwrap();
        assert_eq!(building.open(4).await.unwrap(), Reopened { lost: 1 });
        assert_eq!(
            building.open(4).await.unwrap(),
            Reopened { lost: 1 },
            "doing it again is harmless"
        );
        for server in [&first.ledger, &late.ledger] {
            for (n, before) in stored[..3].iter().enumerate() {
                let again = one(server, coupon, n).await.unwrap();
                assert_eq!(grant(&again), Some(before.grant));
                assert!(matches!(again, Outcome::AlreadyIssued { .. }));
            }
        }
        assert_eq!(
            wins(&first.ledger, coupon, 3).await.position.get(),
            5,
            "a lost position is never used again"
        );
        let more = issue(&late.ledger, coupon, 20..40).await;
        let won = more
            .iter()
            .filter(|it| matches!(it, Ok(Outcome::Issued(_))))
            .count();
        assert_eq!(won, 6, "the quantity counts coupons that exist");
        assert_eq!(more.last().unwrap().as_ref().unwrap(), &Outcome::SoldOut);
        for (_, delivery) in first.ledger.entries_after(coupon, "0-0").await.unwrap() {
            assert_eq!(delivery.epoch, 2);
        }
    });
}

#[test]
fn an_epoch_that_the_store_does_not_know_is_not_believed() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    let ids = Arc::new(Ids::default());
    block_on(async {
        let record = Arc::new(Record::default());
        let server = rig::open_beside(rig::options(&redis), &ids, &record).await;
        let coupon = create(&server.ledger, 0).await;
        wins(&server.ledger, coupon, 1).await;
        let facts = server.board.get(coupon).unwrap().coupon.as_ref().clone();
        let stored = stored(&server.ledger, coupon).await;
        let other = rig::open_beside(rig::options(&redis), &ids, &record).await;
        let mut building = other.ledger.reopen(facts.clone(), 3).await.unwrap();
        building.add(&stored).await.unwrap();
        building.open(1).await.unwrap();
        record.has(coupon, 2, &stored);
        assert!(
            is_unavailable(&one(&server.ledger, coupon, 2).await),
            "the store says 2, Redis says 3"
        );
        record.has(coupon, 3, &stored);
        assert_eq!(wins(&server.ledger, coupon, 2).await.position.get(), 2);
        // Somebody who reconciles late, under an epoch that has passed.
        let late = server.ledger.reopen(facts.clone(), 2).await.unwrap();
        assert!(matches!(late.open(9).await, Err(ReopenError::Epoch { found: 3 })));
        // Somebody who has not looked at the stream's end.
        let blind = server.ledger.reopen(facts, 4).await.unwrap();
        assert!(matches!(
            blind.open(1).await,
            Err(ReopenError::StreamAhead { position: 2 })
        ));
        assert_eq!(wins(&server.ledger, coupon, 3).await.position.get(), 3);
    });
}

#[test]
fn a_redis_that_comes_back_empty_is_not_trusted() {
    let Some(mut redis) = start(&RedisOptions::durable()) else {
        return;
    };
    block_on(async {
        let opened = rig::open(rig::options(&redis), &Arc::default()).await;
        let coupon = create(&opened.ledger, 0).await;
        wins(&opened.ledger, coupon, 1).await;
        redis.restart_empty().unwrap();
        // At the latest the second call finds the connection gone and looks at the new server.
        let _ = one(&opened.ledger, coupon, 1).await;
        assert!(is_unavailable(&one(&opened.ledger, coupon, 1).await));
        assert!(matches!(opened.ledger.health(), Health::NotReady(_)));
        let found = opened.ledger.sightings().borrow().clone().unwrap().found;
        opened.ledger.accept(found);
        assert_eq!(opened.ledger.health(), Health::Ready);
        assert!(
            is_unavailable(&one(&opened.ledger, coupon, 1).await),
            "whoever accepts the server has not brought the coupon back"
        );
    });
}

#[test]
fn a_promoted_replica_that_lagged_behind_is_found_out() {
    let Some(master) = start(&RedisOptions::durable()) else {
        return;
    };
    let Some(replica) = start(&RedisOptions::durable()) else {
        return;
    };
    let proxy = FaultProxy::to(master.port()).unwrap();
    block_on(async {
        let mut options = rig::options(&master);
        options.target = ledger_redis::Target::Single(format!("127.0.0.1:{}", proxy.port()));
        let opened = rig::open(options, &Arc::default()).await;
        let ledger = &opened.ledger;
        let coupon = create(ledger, 0).await;
        issue(ledger, coupon, 0..3).await;
        replica
            .command(&["REPLICAOF", "127.0.0.1", &master.port().to_string()])
            .unwrap();
        let state = format!("firstcome:{{{coupon}}}:state");
        let follows = || {
            let said = replica.command(&["HGET", &state, "issued"]);
            said.is_ok_and(|it| it.text() == "3")
        };
        assert!(coupon_testkit::wait_until(
            std::time::Duration::from_secs(20),
            follows
        ));
        replica.command(&["REPLICAOF", "NO", "ONE"]).unwrap();
        issue(ledger, coupon, 3..5).await;
        proxy.retarget(replica.port());
        proxy.cut();
        let _ = one(ledger, coupon, 9).await;
        assert!(is_unavailable(&one(ledger, coupon, 9).await));
        let sighting = ledger.sightings().borrow().clone().unwrap();
        assert!(
            !sighting.is_expected(),
            "it is another server with another history"
        );
        ledger.accept(sighting.found);
        let behind = one(ledger, coupon, 9).await;
        assert!(is_unavailable(&behind), "{behind:?}");
        assert!(format!("{behind:?}").contains("Behind"), "{behind:?}");
    });
}

#[test]
fn a_coupon_is_given_up_only_after_the_sale_and_with_everything_stored() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    let ids = Arc::new(Ids::default());
    block_on(async {
        let record = Arc::new(Record::default());
        let opened = rig::open_beside(rig::options(&redis), &ids, &record).await;
        let ledger = &opened.ledger;
        let coupon = create(ledger, 0).await;
        let requests = (0..3).map(|n| coupon_app::contract::ledger::ask(coupon, &user(n), key(7)));
        super::sale::batch(ledger, requests.collect()).await;
        let stored = stored(ledger, coupon).await;
        record.has(coupon, 1, &stored);
        let refused =
            |it: Retired, because: &str| matches!(it, Retired::NotYet(why) if why.contains(because));
        assert!(refused(ledger.retire(coupon, 3).await.unwrap(), "has not closed"));
        let closed_at = done(ledger, Some(coupon), Command::Close)
            .await
            .closed_at
            .unwrap();
        assert!(refused(
            ledger.retire(coupon, 2).await.unwrap(),
            "the store has position 2 of 3"
        ));
        assert!(refused(ledger.retire(coupon, 3).await.unwrap(), "its stream"));
        let stream = format!("firstcome:{{{coupon}}}:stream");
        redis.command(&["XTRIM", &stream, "MAXLEN", "0"]).unwrap();
        assert_eq!(ledger.retire(coupon, 3).await.unwrap(), Retired::Done);
        assert_eq!(ledger.retire(coupon, 3).await.unwrap(), Retired::Done);
        let left = redis
            .command(&["EXISTS", &format!("firstcome:{{{coupon}}}:users"), &stream])
            .unwrap();
        assert_eq!(left.text(), "0");
        // The store answers for those who have it; everyone else comes too late.
        let again = coupon_app::contract::ledger::ask(coupon, &user(1), key(7));
        let told = super::sale::batch(ledger, vec![again]).await.remove(0).unwrap();
        let expected = Outcome::AlreadyIssued {
            grant: stored[1].grant,
            same_key: true,
        };
        assert_eq!(told, coupon_app::Reply::Issue(expected));
        assert_eq!(
            one(ledger, coupon, 9).await.unwrap(),
            Outcome::Closed { closed_at }
        );
        let more = coupon_app::contract::ledger::change(|it| it.quantity = Some(quantity(9)));
        let told = command(ledger, Some(coupon), more).await.unwrap();
        assert_eq!(told, CommandOutcome::Refused(coupon_core::CommandRefusal::Closed));
    });
}

#[test]
fn inside_a_fence_nothing_is_decided_until_the_coupon_is_reconciled() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    let ids = Arc::new(Ids::default());
    block_on(async {
        let record = Arc::new(Record::default());
        let [first, second] = [
            rig::open_beside(rig::options(&redis), &ids, &record).await,
            rig::open_beside(rig::options(&redis), &ids, &record).await,
        ];
        let coupon = create(&first.ledger, 0).await;
        let facts = first.board.get(coupon).unwrap().coupon.as_ref().clone();
        issue(&first.ledger, coupon, 0..3).await;
        wins(&second.ledger, coupon, 3).await;
        let stood = Some(Fenced {
            epoch: 1,
            last_position: 4,
        });
        assert_eq!(second.ledger.fence(coupon).await.unwrap(), stood);
        assert_eq!(second.ledger.fence(coupon).await.unwrap(), stood);
        for server in [&first.ledger, &second.ledger] {
            for n in [0, 9] {
                assert!(is_unavailable(&one(server, coupon, n).await));
            }
            assert!(is_unavailable(
                &command(server, Some(coupon), Command::Close).await
            ));
            let look = coupon_app::Request::Look(Box::new(coupon_app::Look::Coupon(coupon)));
            assert!(is_unavailable(&super::sale::batch(server, vec![look]).await[0]));
        }
        second.ledger.unfence(coupon).await.unwrap();
        assert_eq!(wins(&first.ledger, coupon, 4).await.position.get(), 5);
        first.ledger.fence(coupon).await.unwrap();
        let all = stored(&first.ledger, coupon).await;
        assert_eq!(all.len(), 5, "everything that was answered is in the stream");
        record.has(coupon, 2, &all);
        let mut building = second.ledger.reopen(facts, 2).await.unwrap();
        building.add(&all).await.unwrap();
        assert!(is_unavailable(&one(&first.ledger, coupon, 9).await));
        assert_eq!(building.open(5).await.unwrap(), Reopened { lost: 0 });
        assert_eq!(wins(&first.ledger, coupon, 9).await.position.get(), 6);
        let stranger = CouponId::new(77).unwrap();
        assert_eq!(first.ledger.fence(stranger).await.unwrap(), None);
    });
}
