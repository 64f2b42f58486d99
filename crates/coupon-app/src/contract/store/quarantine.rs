//! The hard limit: what would break an invariant is kept aside and counted, and the rest goes on.

use super::exam::{coupon, entry, issue, revised};
use super::{StoreExam, StoreHarness};
use crate::contract::{START, coupon_id, quantity, terms, user};
use crate::{Record, WalletFilter};
use coupon_core::{Coupon, IssuedCouponId, Position};

/// What is issued of the first coupon, as (position, user).
async fn issued(exam: &StoreExam<'_>) -> Vec<(u32, String)> {
    let page = exam.books().coupons.issued_coupons(coupon_id(1), 0, 1_000).await;
    page.unwrap()
        .into_iter()
        .map(|one| (one.grant.position.get(), one.user.as_str().to_owned()))
        .collect()
}

fn pairs(expected: &[(u32, usize)]) -> Vec<(u32, String)> {
    expected
        .iter()
        .map(|(position, n)| (*position, user(*n).as_str().to_owned()))
        .collect()
}

/// Applies what is in order, what is not, and what is in order again; in one transaction and in several.
fn only_the_wrong_one_is_kept_aside(
    harness: &mut dyn StoreHarness,
    count: u32,
    wrong: Record,
    then: Option<Record>,
    expected: &[(u32, usize)],
) {
    for at_once in [true, false] {
        let id = coupon_id(1);
        let mut records = vec![
            revised(coupon(id, terms(count))),
            issue(id, &user(1), 1),
            issue(id, &user(2), 2),
            wrong.clone(),
        ];
        records.extend(then.clone());
        StoreExam::sit(&mut *harness, async |exam| {
            let mut quarantined = 0;
            let mut written = 0;
            let last = u64::try_from(records.len()).unwrap();
            if at_once {
                let applied = exam.apply_entries(&[entry(1, records)]).await;
                (quarantined, written) = (applied.quarantined, applied.written);
            } else {
                for record in records {
                    let applied = exam.apply(vec![record]).await;
                    quarantined += applied.quarantined;
                    written += applied.written;
                }
                assert_eq!(
                    exam.books().records.applied().await.unwrap(),
                    last,
                    "the rest goes on"
                );
            }
            assert_eq!(quarantined, 1);
            assert_eq!(written, u64::try_from(expected.len()).unwrap());
            assert_eq!(issued(exam).await, pairs(expected));
            exam.reopen().await;
            assert_eq!(issued(exam).await, pairs(expected));
            assert_eq!(exam.loaded().await.issued.len(), expected.len());
            let tally = exam.books().coupons.tally(id, START).await.unwrap();
            assert_eq!(tally.issued, u64::try_from(expected.len()).unwrap());
        });
    }
}

pub fn an_issue_over_the_quantity_goes_to_quarantine(harness: &mut dyn StoreHarness) {
    let wrong = issue(coupon_id(1), &user(3), 3);
    only_the_wrong_one_is_kept_aside(harness, 2, wrong, None, &[(1, 1), (2, 2)]);
}

pub fn the_same_user_at_another_position_goes_to_quarantine(harness: &mut dyn StoreHarness) {
    let wrong = issue(coupon_id(1), &user(1), 3);
    let then = issue(coupon_id(1), &user(3), 4);
    only_the_wrong_one_is_kept_aside(harness, 9, wrong, Some(then), &[(1, 1), (2, 2), (4, 3)]);
}

pub fn another_user_at_the_same_position_goes_to_quarantine(harness: &mut dyn StoreHarness) {
    let wrong = issue(coupon_id(1), &user(3), 2);
    let then = issue(coupon_id(1), &user(4), 3);
    only_the_wrong_one_is_kept_aside(harness, 9, wrong, Some(then), &[(1, 1), (2, 2), (3, 4)]);
}

pub fn what_went_to_quarantine_takes_no_room(harness: &mut dyn StoreHarness) {
    let wrong = issue(coupon_id(1), &user(2), 1);
    let then = issue(coupon_id(1), &user(3), 3);
    only_the_wrong_one_is_kept_aside(harness, 3, wrong, Some(then), &[(1, 1), (2, 2), (3, 3)]);
}

pub fn users_and_positions_of_other_coupons_do_not_matter(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let mut records = Vec::new();
        for number in 1..=3 {
            records.push(revised(coupon(coupon_id(number), terms(2))));
            records.push(issue(coupon_id(number), &user(1), 1));
            records.push(issue(coupon_id(number), &user(2), 2));
        }
        let applied = exam.apply_entries(&[entry(1, records)]).await;
        assert_eq!((applied.written, applied.quarantined), (6, 0));
    });
}

pub fn the_limit_is_the_quantity_of_the_revision_before_the_issue(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let id = coupon_id(1);
        let of = |revision, count| {
            let mut one = coupon(id, terms(1));
            one.terms.quantity = quantity(count);
            revised(Coupon { revision, ..one })
        };
        // Raised, raised to unlimited, and lowered to what is issued, all in one transaction.
        let records = vec![
            of(1, 1),
            issue(id, &user(1), 1),
            of(2, 2),
            issue(id, &user(2), 2),
            of(3, 0),
            issue(id, &user(3), 3),
            issue(id, &user(4), 4),
            of(4, 4),
            issue(id, &user(5), 5),
        ];
        let applied = exam.apply_entries(&[entry(1, records)]).await;
        assert_eq!((applied.written, applied.quarantined), (4, 1));
        assert_eq!(issued(exam).await, pairs(&[(1, 1), (2, 2), (3, 3), (4, 4)]));
    });
}

pub fn what_is_in_quarantine_is_nobodys(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let id = coupon_id(1);
        exam.apply(vec![
            revised(coupon(id, terms(1))),
            issue(id, &user(1), 1),
            issue(id, &user(2), 2),
        ])
        .await;
        let position = Position::new(2).unwrap();
        let found = exam
            .books()
            .coupons
            .issued_coupon(IssuedCouponId { coupon: id, position })
            .await;
        assert_eq!(found.unwrap(), None);
        let all = WalletFilter {
            state: None,
            now: START,
            after: None,
            limit: 10,
        };
        assert_eq!(exam.books().coupons.wallet(&user(2), all).await.unwrap(), []);
    });
}
