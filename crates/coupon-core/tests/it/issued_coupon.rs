//! The state of an issued coupon.

use crate::{at, grant};
use coupon_core::{Amount, CouponId, IssuedCoupon, IssuedState, Order, OrderId, Redemption, UserId};

#[test]
fn the_first_state_that_is_true_counts_and_validity_is_half_open() {
    let mut fresh = IssuedCoupon::new(CouponId::FIRST, UserId::parse("kim").unwrap(), grant(3, at(0)));
    fresh.grant.expires_at = at(10);
    let redeemed = IssuedCoupon {
        redemption: Some(Redemption {
            redeemed_at: at(5),
            order: Order {
                id: OrderId::parse("order-1").unwrap(),
                amount: Amount::ZERO,
            },
            discount: None,
        }),
        ..fresh.clone()
    };
    let revoked = IssuedCoupon {
        revoked_at: Some(at(6)),
        ..redeemed.clone()
    };
    let only_revoked = IssuedCoupon {
        revoked_at: Some(at(6)),
        ..fresh.clone()
    };
    use IssuedState::{Expired, Issued, Redeemed, Revoked};
    for (one, before, after) in [
        (&fresh, Issued, Expired),
        (&redeemed, Redeemed, Redeemed),
        (&revoked, Revoked, Revoked),
        (&only_revoked, Revoked, Revoked),
    ] {
        assert_eq!([at(-1), at(9)].map(|now| one.state(now)), [before; 2]);
        assert_eq!([at(10), at(11)].map(|now| one.state(now)), [after; 2]);
    }
    assert_eq!(fresh.id().to_string(), "1-3");
}
