//! One issued coupon, by its id and by its code.

use super::{Office, a_morning};
use crate::contract::store::StoreHarness;
use crate::contract::{coupon_id, user};
use coupon_core::{IssuedCouponId, Position};

pub fn an_issued_coupon_is_found_wherever_it_is(harness: &mut dyn StoreHarness) {
    Office::at_every_stage(harness, a_morning, async |office, issued, stage| {
        for one in issued {
            let found = office.desk.issued_coupon(one.id()).await.unwrap();
            assert_eq!(found.as_ref(), Some(one), "at {stage:?}");
            let id = office.desk.reverse(office.code(one));
            assert_eq!(id, Some(one.id()), "its code leads to it");
        }
    });
}

pub fn what_was_not_issued_is_not_found(harness: &mut dyn StoreHarness) {
    Office::at_every_stage(harness, a_morning, async |office, _, stage| {
        for (number, position) in [(1, 3), (2, 4), (3, 3), (1, u32::MAX), (4, 1)] {
            let id = IssuedCouponId {
                coupon: coupon_id(number),
                position: Position::new(position).unwrap(),
            };
            let found = office.desk.issued_coupon(id).await.unwrap();
            assert_eq!(found, None, "{id} at {stage:?}");
        }
    });
}

pub fn the_desk_knows_a_coupon_as_soon_as_it_was_answered(harness: &mut dyn StoreHarness) {
    Office::open(harness, async |office| {
        let coupon = office.create(2).await;
        assert_eq!(office.desk.coupon(coupon).unwrap().issued, 0);
        assert_eq!(office.desk.coupons(None, 10).len(), 1);
        office.issue(coupon, &user(1)).await;
        assert_eq!(office.desk.coupon(coupon).unwrap().issued, 1);
        assert!(office.desk.coupon(coupon_id(2)).is_none());
    });
}
