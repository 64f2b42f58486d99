//! What the database did not take is on the list of dead letters until somebody has looked after it.

use super::rig::{self, had, on_both, run};
use coupon_app::contract::dead_letter::letters_are_looked_after_from_the_front;
use coupon_app::contract::{START, user};
use coupon_app::{
    DeadLetterOffice, Delivered, Delivery, DeliveryStore, IssuedRecord, Record, RevisedRecord, Suspicion,
};
use coupon_core::{Coupon, CouponId, Grant, Position, Timestamp};
use coupon_testkit::SqlEngine;
use std::sync::Arc;
use store_mysql::{MysqlStore, QuarantineOffice};

const COUPON: CouponId = CouponId::FIRST;

async fn deliver(store: &MysqlStore, epoch: u32, records: Vec<Record>) -> Delivered {
    let delivery = Delivery {
        coupon: COUPON,
        epoch,
        records,
    };
    store.deliver(&[delivery]).await.unwrap()
}

fn revision(revision: u32, count: u32) -> Record {
    let coupon = Coupon {
        id: COUPON,
        revision,
        terms: rig::open_now(count),
        paused: false,
        closed_at: None,
        deleted: false,
        created_at: START,
        revised_at: START,
    };
    Record::Revised(Box::new(RevisedRecord {
        coupon,
        issued: 1,
        lost: 0,
        actor: "key-1".into(),
        token: None,
    }))
}

fn issue(number: usize, position: u32) -> Record {
    Record::Issued(IssuedRecord {
        coupon: COUPON,
        user: user(number),
        grant: Grant {
            position: Position::new(position).unwrap(),
            issued_at: START,
            expires_at: Timestamp::MAX,
        },
        key: None,
    })
}

fn quarantine_is_looked_after_from_the_front(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let store = rig::store(database.url()).await;
        deliver(&store, 1, vec![revision(1, 1), issue(1, 1)]).await;
        for record in [
            issue(2, 2),
            issue(3, 3),
            issue(4, 4),
            issue(9, 1),
            issue(5, 5),
            issue(6, 6),
        ] {
            assert_eq!(deliver(&store, 1, vec![record]).await.quarantined, 1);
        }
        let office: Arc<dyn DeadLetterOffice> = Arc::new(QuarantineOffice::of(store.clone()));
        // There is room, and nobody has let in who waits: as if a revision had been mended by hand.
        database.query("UPDATE coupons SET quantity = 100").unwrap();
        let sent = letters_are_looked_after_from_the_front(Arc::clone(&office)).await;
        assert_eq!(sent, 4);
        let positions: Vec<u32> = rig::rows(&database, COUPON)
            .into_iter()
            .map(|row| row.0)
            .collect();
        assert_eq!(positions, [1, 2, 3, 4, 5]);
        // Off the list is not out of quarantine.
        let kept = store.quarantine(0, 9).await.unwrap();
        let reasons: Vec<Suspicion> = kept.iter().map(|one| one.reason).collect();
        assert_eq!(reasons, [Suspicion::PositionTaken, Suspicion::QuantityExceeded]);
        // What was dismissed and comes again is no news.
        assert_eq!(deliver(&store, 1, vec![issue(9, 1)]).await.redelivered, 1);
        assert_eq!(office.list(None, 9).await.unwrap(), Some(Vec::new()));
    });
}

fn what_still_has_no_room_stays_on_the_list(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let store = rig::store(database.url()).await;
        deliver(&store, 1, vec![revision(1, 1), issue(1, 1), issue(2, 2)]).await;
        let office = QuarantineOffice::of(store.clone());
        let letters = office.list(None, 9).await.unwrap().unwrap();
        let [letter] = letters.as_slice() else {
            panic!("{letters:?}")
        };
        assert!(
            letter.whole && letter.why.starts_with("quantity-exceeded"),
            "{letter:?}"
        );
        let replayed = office.replay(&letter.name).await.unwrap().unwrap();
        assert_eq!(
            (replayed.sent, replayed.stopped_at.as_ref()),
            (0, Some(&letter.name))
        );
        assert_eq!(office.list(None, 9).await.unwrap().unwrap(), letters);
        deliver(&store, 1, vec![revision(2, 2)]).await;
        assert_eq!(office.list(None, 9).await.unwrap().unwrap(), []);
    });
}

on_both! {
    quarantine_is_looked_after_from_the_front
    what_still_has_no_room_stays_on_the_list
}
