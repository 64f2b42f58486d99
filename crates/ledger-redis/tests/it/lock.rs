//! The lock: one owner at a time, as long as the lease lasts, and only the owner gives it back.

use super::rig::{self, block_on, start};
use coupon_app::{Lease, Lock};
use coupon_testkit::RedisOptions;
use ledger_redis::RedisLock;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3_600);

#[test]
fn a_lease_has_one_owner_until_he_gives_it_back() {
    let Some(redis) = start(&RedisOptions::default()) else {
        return;
    };
    block_on(async {
        let [one, other] = [0, 1].map(|_| RedisLock::new(rig::options(&redis), rig::handle()));
        let held = one.take("coupon-1", LONG).await.unwrap().unwrap();
        assert_eq!(
            one.take("coupon-1", LONG).await.unwrap(),
            None,
            "not even the same process takes it twice"
        );
        assert_eq!(other.take("coupon-1", LONG).await.unwrap(), None);
        let elsewhere = other.take("coupon-2", LONG).await.unwrap().unwrap();
        let forged = Lease {
            owner: [7; 16],
            ..held.clone()
        };
        let misled = Lease {
            owner: elsewhere.owner,
            ..held.clone()
        };
        for not_the_owner in [forged, misled] {
            assert!(!other.renew(&not_the_owner, LONG).await.unwrap());
            assert!(!other.release(not_the_owner).await.unwrap());
            assert_eq!(
                other.take("coupon-1", LONG).await.unwrap(),
                None,
                "it is still held"
            );
        }
        assert!(one.renew(&held, LONG).await.unwrap());
        assert!(one.release(held.clone()).await.unwrap());
        assert!(!one.release(held).await.unwrap());
        assert!(other.take("coupon-1", LONG).await.unwrap().is_some());
    });
}

#[test]
fn a_lease_that_is_not_renewed_ends_and_its_late_owner_takes_nothing_from_the_next() {
    let Some(redis) = start(&RedisOptions::default()) else {
        return;
    };
    block_on(async {
        let [slow, next] = [0, 1].map(|_| RedisLock::new(rig::options(&redis), rig::handle()));
        let late = slow
            .take("coupon-1", Duration::from_millis(5))
            .await
            .unwrap()
            .unwrap();
        let mut taken = None;
        while taken.is_none() {
            taken = next.take("coupon-1", LONG).await.unwrap();
        }
        assert!(!slow.renew(&late, LONG).await.unwrap());
        assert!(!slow.release(late).await.unwrap());
        assert_eq!(
            slow.take("coupon-1", LONG).await.unwrap(),
            None,
            "the next one still holds it"
        );
        assert!(next.release(taken.unwrap()).await.unwrap());
    });
}

#[test]
fn a_lease_is_renewed_for_as_long_as_is_asked() {
    let Some(redis) = start(&RedisOptions::default()) else {
        return;
    };
    block_on(async {
        let lock = RedisLock::new(rig::options(&redis), rig::handle());
        let held = lock
            .take("coupon-1", Duration::from_secs(5))
            .await
            .unwrap()
            .unwrap();
        assert!(lock.renew(&held, Duration::from_secs(500)).await.unwrap());
        let left: i64 = redis
            .command(&["PTTL", "firstcome:lock:coupon-1"])
            .unwrap()
            .text()
            .parse()
            .unwrap();
        assert!((400_000..=500_000).contains(&left), "{left}");
    });
}

#[test]
fn a_name_that_cannot_be_locked_is_refused_and_a_redis_that_is_gone_is_told() {
    let Some(mut redis) = start(&RedisOptions::default()) else {
        return;
    };
    block_on(async {
        let lock = RedisLock::new(rig::options(&redis), rig::handle());
        for name in [String::new(), "x".repeat(201)] {
            assert!(!lock.take(&name, LONG).await.unwrap_err().retriable);
        }
        redis.stop();
        assert!(lock.take("coupon-1", LONG).await.unwrap_err().retriable);
    });
}
