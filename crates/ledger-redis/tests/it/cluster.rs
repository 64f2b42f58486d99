//! Three nodes: everything of a coupon in one slot, slots that move, and a node that is killed.

use super::rig::{self, Ids, block_on};
use super::sale::{create, holders, is_unavailable, issue, one, wins};
use coupon_app::contract::ledger::ask;
use coupon_app::contract::user;
use coupon_app::{DeliverySource, Health, IssueLedger, Reply};
use coupon_core::{CouponId, Outcome};
use coupon_testkit::{RedisCluster, RedisOptions};
use ledger_redis::{RedisDeliveries, WorkerOptions};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

fn start() -> Option<RedisCluster> {
    coupon_testkit::or_skip(RedisCluster::start(&RedisOptions::durable()))
}

fn state(coupon: CouponId) -> String {
    format!("firstcome:{{{coupon}}}:state")
}

#[test]
fn coupons_spread_over_the_nodes_and_one_batch_serves_them_all() {
    let Some(cluster) = start() else { return };
    block_on(async {
        let options = rig::options_at(rig::cluster_target(&cluster));
        let ledger = rig::open(options.clone(), &Arc::default()).await.ledger;
        let mut coupons = Vec::new();
        for _ in 0..12 {
            coupons.push(create(&ledger, 3).await);
        }
        let owners = coupons
            .iter()
            .map(|coupon| cluster.owner_of(&state(*coupon)).unwrap());
        assert_eq!(
            owners.collect::<BTreeSet<_>>().len(),
            3,
            "the coupons of this test lie on every node"
        );
        let asks = (0..4).flat_map(|n| coupons.iter().map(move |coupon| ask(*coupon, &user(n), None)));
        let told = super::sale::batch(&ledger, asks.collect()).await;
        let won = told
            .iter()
            .filter(|it| matches!(it, Ok(Reply::Issue(Outcome::Issued(_)))))
            .count();
        assert_eq!(won, 36);
        let worker = WorkerOptions {
            group: "store".to_owned(),
            groups: vec!["store".to_owned()],
            consumer: "one".to_owned(),
            claim_after: Duration::from_secs(3_600),
        };
        let worker = RedisDeliveries::new(options, worker, rig::handle());
        let mut records = 0;
        while records < 48 {
            let taken = worker.next(1_000).await.unwrap();
            records += taken.iter().map(|(_, it)| it.records.len()).sum::<usize>();
            let tickets: Vec<_> = taken.into_iter().map(|(ticket, _)| ticket).collect();
            worker.done(&tickets).await.unwrap();
        }
        assert_eq!(records, 48, "twelve creations and three issues of each");
        assert_eq!(worker.backlog().await.unwrap(), coupon_app::Backlog::default());
    });
}

#[test]
fn a_sale_goes_on_while_its_slot_moves() {
    let Some(cluster) = start() else { return };
    block_on(async {
        let options = rig::options_at(rig::cluster_target(&cluster));
        let ledger = rig::open(options, &Arc::default()).await.ledger;
        let coupon = create(&ledger, 0).await;
        let key = state(coupon);
        for round in 0..6 {
            let users = round * 10..round * 10 + 10;
            for answer in issue(&ledger, coupon, users).await {
                assert!(matches!(answer, Ok(Outcome::Issued(_))), "{answer:?}");
            }
            let owner = cluster.owner_of(&key).unwrap();
            cluster.move_slot_of(&key, (owner + 1) % 3).unwrap();
        }
        assert_eq!(holders(&ledger, coupon).await.len(), 60);
        assert_eq!(ledger.health(), Health::Ready, "a slot that moved is no loss");
    });
}

#[test]
fn a_node_that_was_killed_is_not_trusted_until_somebody_vouches_for_it() {
    let Some(mut cluster) = start() else { return };
    block_on(async {
        let mut options = rig::options_at(rig::cluster_target(&cluster));
        // A node that is gone keeps the client busy for this long.
        options.connect_timeout = Duration::from_secs(3);
        let ledger = rig::open(options, &Arc::new(Ids::default())).await.ledger;
        let coupon = create(&ledger, 0).await;
        wins(&ledger, coupon, 1).await;
        let owner = cluster.owner_of(&state(coupon)).unwrap();
        cluster.nodes_mut()[owner].kill9();
        one(&ledger, coupon, 2).await.unwrap_err();
        cluster.nodes_mut()[owner].restart().unwrap();
        assert!(cluster.wait_until_in_order());
        let mut told = one(&ledger, coupon, 2).await;
        while !matches!(ledger.health(), Health::NotReady(why) if why.contains("not the one that is expected"))
        {
            told = one(&ledger, coupon, 2).await;
        }
        assert!(told.is_err() && is_unavailable(&one(&ledger, coupon, 2).await));
        let found = ledger.sightings().borrow().clone().unwrap().found;
        ledger.accept(found);
        assert!(matches!(
            one(&ledger, coupon, 1).await,
            Ok(Outcome::AlreadyIssued { .. })
        ));
        holders(&ledger, coupon).await;
    });
}
