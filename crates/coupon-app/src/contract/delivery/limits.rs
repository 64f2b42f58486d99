//! The hard limit: what would break an invariant is kept aside with its reason, and the rest goes on.

use super::exam::{delivery, issue, revision};
use super::{DeliveryExam, DeliveryHarness};
use crate::contract::{coupon_id, user};
use crate::{Quarantined, Suspicion};

pub fn each_suspicion_is_kept_with_its_reason_once_and_the_rest_goes_on(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        let id = coupon_id(1);
        let wrong = [
            (issue(id, &user(1), 3), Suspicion::AlreadyHeld),
            (issue(id, &user(9), 2), Suspicion::PositionTaken),
            (issue(id, &user(4), 4), Suspicion::QuantityExceeded),
        ];
        let mut records = vec![
            revision(id, 1, 3, 0),
            issue(id, &user(1), 1),
            issue(id, &user(2), 2),
        ];
        records.extend(wrong[..2].iter().map(|(record, _)| record.clone()));
        records.push(issue(id, &user(3), 3));
        records.push(wrong[2].0.clone());
        let stranger = delivery(coupon_id(2), vec![issue(coupon_id(2), &user(1), 1)]);
        for round in 0..3 {
            let delivered = exam
                .deliver(&[delivery(id, records.clone()), stranger.clone()])
                .await;
            assert_eq!(delivered.quarantined, if round == 0 { 4 } else { 0 });
            assert_eq!(delivered.written, if round == 0 { 3 } else { 0 });
            assert_eq!(delivered.redelivered, if round == 0 { 0 } else { 8 });
            exam.crash().await;
        }
        let positions: Vec<u32> = exam
            .holders(id)
            .await
            .into_iter()
            .map(|(position, _)| position)
            .collect();
        assert_eq!(positions, [1, 2, 3]);
        let kept = exam.quarantine().await;
        for (record, reason) in &wrong {
            let found = kept.iter().find(|one| one.record == *record).unwrap();
            assert_eq!((found.reason, found.epoch), (*reason, 1));
        }
        let last = kept
            .iter()
            .find(|one| one.reason == Suspicion::UnknownCoupon)
            .unwrap();
        assert_eq!(last.record, stranger.records[0]);
    });
}

pub fn the_limit_holds_across_deliveries(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        let id = coupon_id(1);
        exam.deliver(&[delivery(id, vec![revision(id, 1, 7, 0)])]).await;
        for position in 1..=10 {
            let who = user(usize::try_from(position).unwrap());
            exam.deliver(&[delivery(id, vec![issue(id, &who, position)])])
                .await;
        }
        assert_eq!(exam.holders(id).await.len(), 7);
        assert_eq!(exam.suspicions().await, [Suspicion::QuantityExceeded; 3]);
    });
}

pub fn quarantine_is_paged_by_number(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        let id = coupon_id(1);
        let strangers = (1..=7).map(|n| issue(id, &user(usize::try_from(n).unwrap()), n));
        exam.deliver(&[delivery(id, strangers.collect())]).await;
        let whole = exam.quarantine().await;
        assert!(whole.is_sorted_by_key(|one| one.number));
        let mut paged: Vec<Quarantined> = Vec::new();
        loop {
            let after = paged.last().map_or(0, |one| one.number);
            let page = exam.intake().deliveries.quarantine(after, 3).await.unwrap();
            assert!(page.len() <= 3);
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, whole);
        assert_eq!(whole.len(), 7);
    });
}
