//! Fencing: a holder of the lock that was overtaken writes nothing, whatever it believes.

use super::contract::Everybody;
use super::faults::race;
use super::rig::{self, create, had, issue, ledger, on_both, rows, run};
use async_trait::async_trait;
use coupon_app::LedgerError;
use coupon_app::contract::user;
use coupon_core::{CouponId, Outcome};
use coupon_testkit::SqlEngine;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use store_mysql::{Contention, LedgerOptions, NoTurn, Turn, Turns};

/// A lock service whose client keeps its lock until it is told that it was lost, and then fails for good or gets it
/// again.
#[derive(Debug, Default)]
struct Keeper {
    turn: AtomicU64,
    lost: AtomicU64,
    lets_go: bool,
}

#[async_trait]
impl Turns for Keeper {
    async fn take(&self, _coupon: CouponId) -> Result<Turn, NoTurn> {
        if self.lets_go && self.lost.load(Ordering::Relaxed) > 0 {
            return Err("somebody else holds it".into());
        }
        Ok(Turn(self.turn.load(Ordering::Relaxed)))
    }

    async fn done(&self, _coupon: CouponId, _turn: Turn) {}

    async fn lost(&self, _coupon: CouponId, turn: Turn) {
        assert_eq!(turn.0, self.turn.fetch_add(1, Ordering::Relaxed));
        self.lost.fetch_add(1, Ordering::Relaxed);
    }
}

fn options(turns: Arc<dyn Turns>) -> LedgerOptions {
    LedgerOptions {
        contention: Contention::Turns(turns),
        ..LedgerOptions::default()
    }
}

fn a_holder_that_was_overtaken_writes_nothing_under_its_old_token(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        for lets_go in [false, true] {
            let (paused, other) = (
                Arc::new(Keeper {
                    lets_go,
                    ..Keeper::default()
                }),
                Arc::new(Keeper::default()),
            );
            let first = ledger(database.url(), options(Arc::clone(&paused) as _)).await;
            let second = ledger(database.url(), options(Arc::clone(&other) as _)).await;
            let coupon = create(&first, 100).await;
            issue(&first, coupon, &user(1)).await.unwrap();
            // The first is paused past its lease; the second takes the lock and writes under a later token.
            issue(&second, coupon, &user(2)).await.unwrap();
            let told = issue(&first, coupon, &user(3)).await;
            assert_eq!(paused.lost.load(Ordering::Relaxed), 1, "it was told");
            assert_eq!(other.lost.load(Ordering::Relaxed), 0);
            if lets_go {
                assert!(matches!(told, Err(LedgerError::Unavailable(_))), "{told:?}");
                assert_eq!(rows(&database, coupon).len(), 2);
            } else {
                assert!(
                    matches!(told, Ok(Outcome::Issued(grant)) if grant.position.get() == 3),
                    "{told:?}"
                );
                // And now the second is the late one.
                issue(&second, coupon, &user(4)).await.unwrap();
                assert_eq!(other.lost.load(Ordering::Relaxed), 1);
                assert_eq!(rows(&database, coupon).len(), 4);
            }
        }
    });
}

fn a_token_is_used_as_long_as_the_turn_lasts(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let ledger = ledger(database.url(), options(Arc::new(Keeper::default()))).await;
        let coupon = create(&ledger, 100).await;
        for n in 0..5 {
            issue(&ledger, coupon, &user(n)).await.unwrap();
        }
        let given = database.query("SELECT fence_given, fence FROM coupons").unwrap();
        assert_eq!(rig::text(&given), [["1", "1"]]);
    });
}

fn refusals_under_a_turn_rest_on_what_is_committed(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let with_lock = ledger(database.url(), options(Arc::new(Everybody::default()))).await;
        let other = ledger(database.url(), options(Arc::new(Everybody::default()))).await;
        let coupon = create(&with_lock, 1).await;
        assert!(matches!(
            issue(&other, coupon, &user(1)).await,
            Ok(Outcome::Issued(_))
        ));
        assert!(matches!(
            issue(&with_lock, coupon, &user(2)).await,
            Ok(Outcome::SoldOut)
        ));
        assert!(matches!(
            issue(&with_lock, coupon, &user(1)).await,
            Ok(Outcome::AlreadyIssued { .. })
        ));
    });
}

fn a_lock_service_gone_mad_changes_nothing_about_the_result(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let mad = Arc::new(Everybody::default());
        let told = race(&database, || options(Arc::clone(&mad) as _), 150).await;
        let wins = told
            .iter()
            .filter(|(_, outcome)| matches!(outcome, Outcome::Issued(_)));
        assert_eq!(wins.count(), 150);
    });
}

on_both! {
    a_holder_that_was_overtaken_writes_nothing_under_its_old_token
    a_token_is_used_as_long_as_the_turn_lasts
    refusals_under_a_turn_rest_on_what_is_committed
    a_lock_service_gone_mad_changes_nothing_about_the_result
}
