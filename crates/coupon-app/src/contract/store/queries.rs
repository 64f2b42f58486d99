//! Questions: wallets, single issued coupons, pages and counts.

use super::exam::{coupon, entry, issue_for, revised};
use super::{StoreExam, StoreHarness};
use crate::contract::{at, coupon_id, terms, user};
use crate::{Record, StoreTally, WalletCursor, WalletFilter};
use coupon_core::{IssuedCoupon, IssuedCouponId, IssuedState, Position, Timestamp, UserId};

/// Everything, judged when nothing has expired.
const ALL: WalletFilter = WalletFilter {
    state: None,
    now: Timestamp::MIN,
    after: None,
    limit: 1_000,
};

/// Eight coupons that user 1 holds: issued in pairs at the same instant, valid for 1, 2, ... 8 microseconds. User 2
/// holds each after him.
async fn wallet_of_eight(exam: &StoreExam<'_>) {
    let mut records = Vec::new();
    for number in 1..=8_u32 {
        let id = coupon_id(number);
        records.push(revised(coupon(id, terms(0))));
        // Later coupons are issued earlier, so that order by id and by time differ.
        let issued_at = at(1_000 - i64::from(number.div_ceil(2)));
        let valid = i64::from(number);
        records.push(Record::Issued(issue_for(id, &user(1), 1, issued_at, valid)));
        records.push(Record::Issued(issue_for(id, &user(2), 2, issued_at, valid)));
    }
    exam.apply_entries(&[entry(1, records)]).await;
}

async fn wallet(exam: &StoreExam<'_>, n: usize, filter: WalletFilter) -> Vec<IssuedCoupon> {
    exam.books().coupons.wallet(&user(n), filter).await.unwrap()
}

fn numbers(page: &[IssuedCoupon]) -> Vec<u32> {
    page.iter().map(|one| one.coupon.get()).collect()
}

fn cursor(one: &IssuedCoupon) -> WalletCursor {
    WalletCursor {
        issued_at: one.grant.issued_at,
        coupon: one.coupon,
    }
}

pub fn a_wallet_is_newest_first_then_by_coupon_descending(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        wallet_of_eight(exam).await;
        let page = wallet(exam, 1, ALL).await;
        assert_eq!(numbers(&page), [2, 1, 4, 3, 6, 5, 8, 7]);
        assert!(page.iter().all(|one| one.user == user(1)));
        let first = &page[0];
        assert_eq!(first.grant.position.get(), 1);
        assert_eq!(
            (first.grant.issued_at, first.grant.expires_at),
            (at(999), at(1_001))
        );
        assert_eq!((&first.redemption, first.revoked_at), (&None, None));
        assert_eq!(wallet(exam, 3, ALL).await, []);
    });
}

pub fn a_wallet_is_paged_without_gap_or_overlap(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        wallet_of_eight(exam).await;
        let whole = wallet(exam, 1, ALL).await;
        for limit in 1..=9 {
            let mut paged: Vec<IssuedCoupon> = Vec::new();
            loop {
                let after = paged.last().map(cursor);
                let page = wallet(exam, 1, WalletFilter { after, limit, ..ALL }).await;
                assert!(page.len() <= limit);
                if page.is_empty() {
                    break;
                }
                paged.extend(page);
            }
            assert_eq!(paged, whole, "in pages of {limit}");
        }
        let nothing = WalletFilter { limit: 0, ..ALL };
        assert_eq!(wallet(exam, 1, nothing).await, []);
    });
}

pub fn states_are_judged_by_the_clock_of_the_question(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        wallet_of_eight(exam).await;
        // Coupon n ends at 1,000 - ceil(n / 2) + n.
        let ends: Vec<(u32, Timestamp)> = (1..=8_u32)
            .map(|n| (n, at(1_000 - i64::from(n.div_ceil(2)) + i64::from(n))))
            .collect();
        for micros in 998..1_006 {
            let now = at(micros);
            let whole = wallet(exam, 1, ALL).await;
            for (state, expired) in [(IssuedState::Issued, false), (IssuedState::Expired, true)] {
                let expected: Vec<u32> = numbers(&whole)
                    .into_iter()
                    .filter(|n| {
                        ends.iter()
                            .any(|(number, end)| number == n && (now >= *end) == expired)
                    })
                    .collect();
                let filter = WalletFilter {
                    state: Some(state),
                    now,
                    ..ALL
                };
                assert_eq!(
                    numbers(&wallet(exam, 1, filter).await),
                    expected,
                    "{state:?} at {micros}"
                );
                let first = WalletFilter { limit: 1, ..filter };
                let page = wallet(exam, 1, first).await;
                assert_eq!(
                    numbers(&page),
                    expected[..expected.len().min(1)],
                    "the limit counts what is asked for"
                );
                if let Some(one) = page.first() {
                    let after = Some(cursor(one));
                    let rest = WalletFilter { after, ..filter };
                    assert_eq!(numbers(&wallet(exam, 1, rest).await), expected[1..]);
                }
            }
            for state in [IssuedState::Redeemed, IssuedState::Revoked] {
                let filter = WalletFilter {
                    state: Some(state),
                    now,
                    ..ALL
                };
                assert_eq!(wallet(exam, 1, filter).await, []);
            }
        }
    });
}

pub fn wallets_are_told_apart_byte_for_byte(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let id = coupon_id(1);
        let look_alikes = [
            "kim", "Kim", "kim ", " kim", "é", "e\u{301}", "ß", "ss", "1", "01", "%", "_im",
        ]
        .map(|text| UserId::parse(text).unwrap());
        let mut records = vec![revised(coupon(id, terms(0)))];
        for (one, position) in look_alikes.iter().zip(1..) {
            records.push(Record::Issued(issue_for(id, one, position, at(0), 1)));
        }
        let applied = exam.apply_entries(&[entry(1, records)]).await;
        assert_eq!((applied.written, applied.quarantined), (12, 0));
        for (one, position) in look_alikes.iter().zip(1..) {
            let page = exam.books().coupons.wallet(one, ALL).await.unwrap();
            let positions: Vec<u32> = page.iter().map(|one| one.grant.position.get()).collect();
            assert_eq!(positions, [position], "{:?}", one.as_str());
            assert_eq!(page[0].user.as_bytes(), one.as_bytes());
        }
    });
}

pub fn an_issued_coupon_is_found_by_its_id(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        wallet_of_eight(exam).await;
        let find = async |number, position| {
            let id = IssuedCouponId {
                coupon: coupon_id(number),
                position: Position::new(position).unwrap(),
            };
            exam.books().coupons.issued_coupon(id).await.unwrap()
        };
        let found = find(5, 2).await.unwrap();
        assert_eq!((found.coupon.get(), found.user), (5, user(2)));
        assert_eq!(
            (found.grant.issued_at, found.grant.expires_at),
            (at(997), at(1_002))
        );
        for (number, position) in [(5, 3), (9, 1), (5, u32::MAX)] {
            assert_eq!(find(number, position).await, None);
        }
    });
}

pub fn who_got_a_coupon_is_paged_by_position(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let mut records: Vec<Record> = (1..=2)
            .map(|number| revised(coupon(coupon_id(number), terms(0))))
            .collect();
        for position in [3, 1, 12, 2, 10, 9] {
            let who = user(usize::try_from(position).unwrap());
            for number in 1..=2 {
                records.push(Record::Issued(issue_for(
                    coupon_id(number),
                    &who,
                    position,
                    at(0),
                    1,
                )));
            }
        }
        exam.apply_entries(&[entry(1, records)]).await;
        for (after, limit, expected) in [
            (0, 100, vec![1, 2, 3, 9, 10, 12]),
            (0, 2, vec![1, 2]),
            (2, 2, vec![3, 9]),
            (9, 2, vec![10, 12]),
            (12, 2, vec![]),
            (u32::MAX, 2, vec![]),
            (0, 0, vec![]),
        ] {
            let page = exam
                .books()
                .coupons
                .issued_coupons(coupon_id(2), after, limit)
                .await
                .unwrap();
            let positions: Vec<u32> = page.iter().map(|one| one.grant.position.get()).collect();
            assert_eq!(positions, expected, "after {after}, at most {limit}");
            assert!(page.iter().all(|one| one.coupon == coupon_id(2)));
        }
    });
}

pub fn a_tally_counts_one_coupon_at_an_instant(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let id = coupon_id(1);
        let mut records = vec![
            revised(coupon(id, terms(0))),
            revised(coupon(coupon_id(2), terms(0))),
        ];
        for position in 1..=5_u32 {
            let who = user(usize::try_from(position).unwrap());
            let valid = i64::from(position);
            records.push(Record::Issued(issue_for(id, &who, position, at(0), valid)));
        }
        exam.apply_entries(&[entry(1, records)]).await;
        for (micros, expired) in [(0, 0), (1, 1), (3, 3), (9, 5)] {
            let tally = exam.books().coupons.tally(id, at(micros)).await.unwrap();
            let expected = StoreTally {
                issued: 5,
                expired,
                ..StoreTally::default()
            };
            assert_eq!(tally, expected, "at {micros}");
        }
        for empty in [coupon_id(2), coupon_id(3)] {
            let tally = exam.books().coupons.tally(empty, at(9)).await.unwrap();
            assert_eq!(tally, StoreTally::default());
        }
    });
}
