//! A server that is configured too weakly is said to be so, setting by setting, until the operator declares it.

use super::rig::{self, block_on, start};
use super::sale::{create, is_unavailable, wins};
use coupon_app::contract::ledger::order;
use coupon_app::{Health, IssueLedger, Request};
use coupon_core::Command;
use coupon_testkit::RedisOptions;
use ledger_redis::{Login, RedisTrouble, Setting};
use std::sync::Arc;

#[test]
fn each_weak_setting_is_named_and_closes_the_ledger_until_it_is_declared_or_mended() {
    let cases = [
        (
            Setting::AppendOnly,
            "appendonly",
            "no",
            "appendonly is no, not yes",
        ),
        (
            Setting::AppendFsync,
            "appendfsync",
            "everysec",
            "appendfsync is everysec, not always",
        ),
        (
            Setting::NoAppendFsyncOnRewrite,
            "no-appendfsync-on-rewrite",
            "yes",
            "no-appendfsync-on-rewrite is yes, not no",
        ),
        (
            Setting::MaxMemoryPolicy,
            "maxmemory-policy",
            "allkeys-lru",
            "maxmemory-policy is allkeys-lru, not noeviction",
        ),
    ];
    let strong = RedisOptions::durable();
    for (setting, name, value, said) in cases {
        let Some(redis) = start(&strong.clone().set(name, value)) else {
            return;
        };
        block_on(async {
            let opened = rig::open(rig::options(&redis), &Arc::default()).await;
            let Health::NotReady(why) = opened.ledger.health() else {
                panic!("{name} = {value} was taken to be good enough")
            };
            assert!(why.contains(said), "{why}");
            assert_eq!(
                why.matches(" is ").count(),
                1,
                "only the weak one is named: {why}"
            );
            let create_one = Command::Create(Box::new(super::sale::open_terms(1)));
            let request = Request::Command(Box::new(order(None, create_one)));
            assert!(is_unavailable(
                &super::sale::batch(&opened.ledger, vec![request]).await[0]
            ));
            let mut declaring = rig::options(&redis);
            declaring.declared = vec![setting];
            let declared = rig::open(declaring, &Arc::default()).await;
            assert_eq!(declared.ledger.health(), Health::Ready);
            let coupon = create(&declared.ledger, 1).await;
            wins(&declared.ledger, coupon, 1).await;
            redis.command(&["CONFIG", "SET", name, setting.needed()]).unwrap();
            let mended = rig::open(rig::options(&redis), &Arc::default()).await;
            assert_eq!(mended.ledger.health(), Health::Ready);
        });
    }
}

#[test]
fn settings_that_cannot_be_read_count_as_weak() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    let rules = [
        "ACL", "SETUSER", "shop", "on", ">secret", "~*", "&*", "+@all", "-config",
    ];
    redis.command(&rules).unwrap();
    let login = |password: &str| Login {
        user: Some("shop".to_owned()),
        password: password.to_owned().into(),
    };
    block_on(async {
        let mut options = rig::options(&redis);
        options.login = Some(login("secret"));
        let opened = rig::open(options.clone(), &Arc::default()).await;
        let Health::NotReady(why) = opened.ledger.health() else {
            panic!("settings that nobody can read were taken to be good enough")
        };
        assert_eq!(why.matches("cannot be read").count(), 4, "{why}");
        options.declared = Setting::ALL.to_vec();
        let declared = rig::open(options.clone(), &Arc::default()).await;
        assert_eq!(declared.ledger.health(), Health::Ready);
        let coupon = create(&declared.ledger, 1).await;
        wins(&declared.ledger, coupon, 1).await;
        options.login = Some(login("guess"));
        assert!(
            !format!("{options:?}").contains("guess"),
            "a password is not shown"
        );
        let ids = Arc::new(rig::Ids::default());
        let refused =
            ledger_redis::RedisLedger::open(options, rig::handle(), Arc::default(), ids, None).await;
        assert!(
            matches!(
                refused,
                Err(RedisTrouble::Unreachable(_) | RedisTrouble::Refused(_))
            ),
            "{refused:?}"
        );
    });
}

#[test]
fn a_setting_that_is_weakened_later_is_noticed() {
    let Some(redis) = start(&RedisOptions::durable()) else {
        return;
    };
    block_on(async {
        let mut options = rig::options(&redis);
        options.probe_every = std::time::Duration::from_millis(5);
        let opened = rig::open(options, &Arc::default()).await;
        let coupon = create(&opened.ledger, 0).await;
        redis.command(&["CONFIG", "SET", "appendfsync", "no"]).unwrap();
        while opened.ledger.health() == Health::Ready {
            tokio::task::yield_now().await;
        }
        assert!(is_unavailable(&super::sale::one(&opened.ledger, coupon, 1).await));
        redis
            .command(&["CONFIG", "SET", "appendfsync", "always"])
            .unwrap();
        while opened.ledger.health() != Health::Ready {
            tokio::task::yield_now().await;
        }
        assert_eq!(wins(&opened.ledger, coupon, 1).await.position.get(), 1);
    });
}
