//! Who got a coupon, and how many.

use super::{Followed, Office, a_morning};
use crate::contract::store::StoreHarness;
use crate::contract::{START, coupon_id, user};
use coupon_core::{IssuedCoupon, Span};

pub fn the_list_runs_on_across_store_and_ledger(harness: &mut dyn StoreHarness) {
    Office::at_every_stage(harness, a_morning, async |office, issued, stage| {
        for number in 1..=4 {
            let id = coupon_id(number);
            let in_order: Vec<&IssuedCoupon> = issued.iter().filter(|one| one.coupon == id).collect();
            for limit in [0, 1, 2, 100] {
                for after in 0..5_u32 {
                    let page = office.desk.issued_coupons(id, after, limit).await.unwrap();
                    let rest = in_order.iter().filter(|one| one.grant.position.get() > after);
                    let expected: Vec<IssuedCoupon> = rest.take(limit).copied().cloned().collect();
                    assert_eq!(
                        page, expected,
                        "{id} after {after}, at most {limit}, at {stage:?}"
                    );
                }
            }
        }
    });
}

pub fn a_tally_counts_ledger_and_store_together(harness: &mut dyn StoreHarness) {
    Office::at_every_stage(harness, a_morning, async |office, issued, stage| {
        for number in 1..=3 {
            let id = coupon_id(number);
            let count = issued.iter().filter(|one| one.coupon == id).count();
            let stored = office
                .books
                .coupons
                .issued_coupons(id, 0, 100)
                .await
                .unwrap()
                .len();
            let tally = office.desk.tally(id).await.unwrap().unwrap();
            assert_eq!(tally.issued, u64::try_from(count).unwrap(), "{id} at {stage:?}");
            assert_eq!(
                tally.pending,
                u64::try_from(count - stored).unwrap(),
                "{id} at {stage:?}"
            );
            assert_eq!((tally.redeemed, tally.revoked, tally.cancelled), (0, 0, 0));
            assert_eq!(tally.expired, 0);
        }
        assert!(office.desk.tally(coupon_id(4)).await.unwrap().is_none());
        if matches!(stage, Followed::All | Followed::AllUntold) {
            office
                .clock
                .set(START.saturating_add(Span::from_secs(40 * 86_400)));
            let tally = office.desk.tally(coupon_id(2)).await.unwrap().unwrap();
            assert_eq!((tally.expired, tally.pending), (3, 0));
        }
    });
}

pub fn an_issue_that_arrives_between_two_questions_is_neither_lost_nor_doubled(
    harness: &mut dyn StoreHarness,
) {
    Office::open(harness, async |office| {
        let issued = a_morning(office).await;
        for count in 0..=10 {
            office.follow(Followed::Some(count)).await;
            let page = office.desk.issued_coupons(coupon_id(2), 0, 100).await.unwrap();
            let positions: Vec<u32> = page.iter().map(|one| one.grant.position.get()).collect();
            assert_eq!(positions, [1, 2, 3], "with {count} entries in the store");
            let late = office.issue(coupon_id(3), &user(50 + count)).await;
            let found = office.desk.issued_coupon(late.id()).await.unwrap();
            assert_eq!(found, Some(late));
        }
        assert_eq!(issued.len(), 7);
    });
}
