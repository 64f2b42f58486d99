//! Quarantine: every kind of record that must not stand among the others.

use crate::scene::{Scene, assert_sound, coupon, entry, issue, issues, load, revised, revision, user, wait};
use coupon_app::{Record, RecordStore};
use coupon_core::Quantity;
use std::num::NonZeroU32;
use store_sqlite::Suspicion;

/// Applies records of which some are wrong, behind ten right ones, with users in memory and with users in the index.
fn suspicions(records: Vec<Record>) -> Vec<(Suspicion, Option<u32>)> {
    let mut found = [1, 1_000].map(|fold_rows| {
        let scene = Scene::new();
        let store = scene.open_folding(fold_rows);
        let mut first = vec![revision(coupon(1, Some(12)), 0)];
        first.extend(issues(1, 1, 10));
        wait(store.apply(&[entry(1, first)])).unwrap();
        let before = load(&store).issued;
        let applied = wait(store.apply(&[entry(2, records.clone())])).unwrap();
        let kept = wait(store.quarantine(0, 100)).unwrap();
        assert_eq!(u64::try_from(kept.len()).unwrap(), applied.quarantined);
        assert_eq!(wait(store.quarantined()).unwrap(), applied.quarantined);
        assert!(kept.iter().all(|one| one.seq == 2));
        let after = load(&store).issued;
        assert_eq!(after[..10], before[..], "what was right stays");
        assert_eq!(after.len() - 10, usize::try_from(applied.written).unwrap());
        drop(store);
        assert_sound(&scene);
        kept.into_iter()
            .map(|one| (one.suspicion, one.issued.map(|(_, grant)| grant.position.get())))
            .collect::<Vec<_>>()
    });
    assert_eq!(found[0], found[1]);
    std::mem::take(&mut found[0])
}

#[test]
fn a_position_that_another_user_has_is_suspicious() {
    let records = vec![
        Record::Issued(issue(1, 10, "other")),
        Record::Issued(issue(1, 11, "right")),
    ];
    assert_eq!(suspicions(records), [(Suspicion::PositionTaken, Some(10))]);
}

#[test]
fn a_user_at_two_positions_is_suspicious() {
    let Record::Issued(third) = &issues(1, 3, 3)[0] else {
        unreachable!()
    };
    let mut again = third.clone();
    again.grant.position = NonZeroU32::new(11).unwrap();
    let records = vec![Record::Issued(again), Record::Issued(issue(1, 12, "right"))];
    assert_eq!(suspicions(records), [(Suspicion::AlreadyHeld, Some(11))]);
}

#[test]
fn a_user_at_two_positions_of_one_batch_is_suspicious() {
    let records = vec![
        Record::Issued(issue(1, 11, "twice")),
        Record::Issued(issue(1, 12, "twice")),
    ];
    assert_eq!(suspicions(records), [(Suspicion::AlreadyHeld, Some(12))]);
}

#[test]
fn one_more_than_the_quantity_is_suspicious() {
    assert_eq!(
        suspicions(issues(1, 11, 13)),
        [(Suspicion::QuantityExceeded, Some(13))]
    );
}

#[test]
fn an_issue_of_nobodys_coupon_is_suspicious() {
    let records = vec![
        Record::Issued(issue(2, 1, "kim")),
        Record::Issued(issue(1, 11, "right")),
    ];
    assert_eq!(suspicions(records), [(Suspicion::UnknownCoupon, Some(1))]);
}

#[test]
fn a_revision_with_other_content_and_one_below_what_is_issued_are_suspicious() {
    let first = coupon(1, Some(12));
    let mut other = first.clone();
    other.terms.name = "other".into();
    let below = revised(first.clone(), |coupon| {
        coupon.terms.quantity = Quantity::limited(NonZeroU32::new(9).unwrap());
    });
    let records = vec![revision(first, 0), revision(other, 0), revision(below, 10)];
    assert_eq!(
        suspicions(records),
        [
            (Suspicion::RevisionTaken, None),
            (Suspicion::QuantityBelowIssued, None)
        ]
    );
}

#[test]
fn a_gap_that_is_filled_late_is_found_in_the_wallet_and_never_twice() {
    let scene = Scene::new();
    let store = scene.open_folding(1);
    let mut records = vec![revision(coupon(1, None), 0)];
    records.extend(issues(1, 1, 3));
    records.extend(issues(1, 5, 9));
    wait(store.apply(&[entry(1, records)])).unwrap();
    let late = Record::Issued(issue(1, 4, "late"));
    let applied = wait(store.apply(&[entry(2, vec![late])])).unwrap();
    assert_eq!((applied.written, applied.quarantined), (1, 0));
    let again = wait(store.apply(&[entry(3, vec![Record::Issued(issue(1, 10, "late"))])])).unwrap();
    assert_eq!((again.written, again.quarantined), (0, 1));
    let filter = coupon_app::WalletFilter {
        state: None,
        now: crate::scene::at(0),
        after: None,
        limit: 9,
    };
    let wallet = wait(coupon_app::CouponStore::wallet(&store, &user("late"), filter)).unwrap();
    assert_eq!(wallet.len(), 1);
    assert_sound(&scene);
}

#[test]
fn a_user_in_the_index_is_suspicious_before_and_after_everything_was_loaded() {
    for loads in [false, true] {
        let scene = Scene::new();
        let store = scene.open_folding(1);
        let mut records = vec![revision(coupon(1, None), 0)];
        records.extend(issues(1, 1, 300));
        wait(store.apply(&[entry(1, records)])).unwrap();
        drop(store);
        let store = scene.open_folding(1);
        if loads {
            assert_eq!(load(&store).issued.len(), 300);
        }
        let mut again = issues(1, 1, 300);
        for record in &mut again {
            let Record::Issued(issued) = record else {
                unreachable!()
            };
            let position = issued.grant.position.get() + 300;
            issued.grant.position = NonZeroU32::new(position).unwrap();
        }
        let applied = wait(store.apply(&[entry(2, again)])).unwrap();
        assert_eq!((applied.written, applied.quarantined), (0, 300));
        let applied = wait(store.apply(&[entry(3, issues(1, 301, 400))])).unwrap();
        assert_eq!((applied.written, applied.quarantined), (100, 0));
        assert_sound(&scene);
    }
}
