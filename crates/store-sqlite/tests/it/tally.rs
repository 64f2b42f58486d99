//! Counts, held against counting one by one.

use crate::redeem::{cancel, redeem, revoke, take};
use crate::scene::{
    EXPIRY, START, Scene, assert_sound, at, coupon, coupon_id, entry, issue, revision, user, wait,
};
use coupon_app::{CouponStore, Record, RecordStore, RedemptionRequest, StoreTally, WalletFilter};
use coupon_core::{IssuedState, Timestamp};
use store_sqlite::SqliteStore;

fn count(store: &SqliteStore, now: Timestamp) -> StoreTally {
    let tally = wait(store.tally(coupon_id(1), now)).unwrap();
    let mut rows = Vec::new();
    let mut after = 0;
    loop {
        let page = wait(store.issued_coupons(coupon_id(1), after, 1_000)).unwrap();
        let Some(last) = page.last() else { break };
        after = last.grant.position.get();
        rows.extend(page);
    }
    let of = |state| rows.iter().filter(|one| one.state(now) == state).count() as u64;
    let counted = StoreTally {
        issued: rows.len() as u64,
        redeemed: of(IssuedState::Redeemed),
        expired: of(IssuedState::Expired),
        revoked: of(IssuedState::Revoked),
        cancelled: tally.cancelled,
    };
    assert_eq!(tally, counted, "at {now:?}");
    tally
}

#[test]
fn expired_redeemed_and_revoked_are_counted_exactly_over_many_blocks() {
    let scene = Scene::new();
    let store = scene.open();
    let mut records = vec![revision(coupon(1, None), 0)];
    for position in 1..=10_000 {
        let mut one = issue(1, position, &format!("user-{position}"));
        // Mostly later with the position, and sometimes not, as when the validity was changed.
        let shift = if position % 1_000 == 0 { -50_000 } else { 0 };
        one.grant.expires_at = at(EXPIRY + i64::from(position) * 10 + shift);
        records.push(Record::Issued(one));
    }
    wait(store.apply(&[entry(1, records)])).unwrap();
    let moments = [0, 1, 5, 40_950, 40_960, 55_555, 99_990, 100_000];
    for moment in moments {
        count(&store, at(EXPIRY + moment));
    }
    assert_eq!(count(&store, at(EXPIRY + 100_000)).expired, 10_000);
    assert_eq!(count(&store, at(START)).expired, 0);

    let every = |step: usize, request: fn(u32) -> RedemptionRequest| -> Vec<RedemptionRequest> {
        (1..=10_000)
            .filter(|position| position % step == 0)
            .map(|position| request(u32::try_from(position).unwrap()))
            .collect()
    };
    take(&store, &every(7, |position| redeem(position, "o-1")));
    take(&store, &every(11, revoke));
    take(&store, &every(14, |position| cancel(position, "o-1")));
    take(&store, &[redeem(14, "o-2")]);
    for moment in moments {
        let tally = count(&store, at(EXPIRY + moment));
        assert_eq!((tally.revoked, tally.cancelled), (909, 714));
    }
    assert_sound(&scene);
    let filter = WalletFilter {
        state: Some(IssuedState::Redeemed),
        now: at(START),
        after: None,
        limit: 9,
    };
    let redeemed = wait(store.wallet(&user("user-14"), filter)).unwrap();
    let redemption = redeemed[0].redemption.as_ref().unwrap();
    assert_eq!(redemption.order.id.as_str(), "o-2");
    assert_eq!(wait(store.wallet(&user("user-28"), filter)).unwrap(), []);
}
