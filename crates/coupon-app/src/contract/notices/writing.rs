//! What is written, and that nothing else is.

use super::NoticeHarness;
use super::exam::{NoticeExam, cancel, redeem, revoke};
use crate::contract::store::coupon;
use crate::contract::{coupon_id, quantity, run, terms, token};
use crate::{About, News, NotificationKind, NotificationKinds, RedemptionRequest};
use coupon_core::{Coupon, IssuedState};

const LONG: i64 = 1_000_000;

pub fn every_taken_step_is_told_of_and_nothing_else(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        exam.open_sale(0).await;
        exam.issue(1..=3, 0, LONG).await;
        let under_key = RedemptionRequest {
            token: token(1, 1),
            ..redeem(2, "b")
        };
        exam.ask(
            10,
            vec![
                redeem(1, "a"),
                redeem(1, "a"),
                redeem(1, "other"),
                cancel(1, "a"),
                cancel(1, "a"),
                redeem(1, "c"),
                under_key.clone(),
                under_key.clone(),
            ],
        )
        .await;
        exam.ask(11, vec![revoke(3), under_key, cancel(9, "x")]).await;
        exam.ask(12, vec![revoke(3), revoke(1), redeem(3, "z")]).await;
        let expected = [
            ("redeemed-1-1-1", 10),
            ("redeemed-1-1-3", 10),
            ("redeemed-1-2-1", 10),
            ("redemption-cancelled-1-1-2", 10),
            ("revoked-1-1", 12),
            ("revoked-1-3", 11),
        ];
        assert_eq!(
            exam.new_ones().await,
            expected.map(|(id, at)| (id.to_owned(), at))
        );
    });
}

pub fn a_step_is_told_with_what_belongs_to_it(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        exam.open_sale(0).await;
        exam.issue(1..=1, 0, LONG).await;
        exam.ask(5, vec![redeem(1, "a")]).await;
        exam.ask(6, vec![cancel(1, "a")]).await;
        exam.ask(7, vec![redeem(1, "b")]).await;
        let renamed = |coupon: Coupon| {
            let mut next = Coupon {
                revision: 2,
                ..coupon
            };
            next.terms.name = "renamed".into();
            next
        };
        exam.publish(renamed(coupon(coupon_id(1), terms(0)))).await;
        let told = exam.take_new(10, 100).await;
        assert_eq!(told.len(), 3);
        for one in &told {
            assert_eq!(&*one.coupon.terms.name, "renamed", "the coupon is told as it is");
            let About::IssuedCoupon { issued, news } = &one.about else {
                panic!("{one:?}");
            };
            assert_eq!(issued.state(one.at), IssuedState::Redeemed);
            match news {
                News::Redeemed {
                    number: 1,
                    order,
                    discount,
                } => {
                    assert_eq!((order.id.as_str(), order.amount.get()), ("a", 20_000));
                    assert_eq!(discount.map(coupon_core::Amount::get), Some(2_000));
                }
                News::RedemptionCancelled { number: 2, order } => assert_eq!(order.as_str(), "a"),
                News::Redeemed { number: 3, order, .. } => assert_eq!(order.id.as_str(), "b"),
                other => panic!("{other:?}"),
            }
        }
    });
}

pub fn the_issue_that_takes_the_last_is_told_of(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        exam.open_sale(5).await;
        exam.issue(1..=4, 0, LONG).await;
        assert_eq!(exam.new_ids().await, [""; 0]);
        exam.issue(5..=5, 9, LONG).await;
        let sold_out = ("sold-out-1-5".to_owned(), 9);
        assert_eq!(exam.new_ones().await, [sold_out.clone()]);
        // A redelivery, one too many, and a revision that changes something else.
        exam.issue(5..=6, 9, LONG).await;
        let mut next = coupon(coupon_id(1), terms(5));
        next.revision = 2;
        next.paused = true;
        exam.publish(next.clone()).await;
        assert_eq!(exam.new_ones().await, [sold_out.clone()]);
        next.revision = 3;
        next.terms.quantity = quantity(8);
        exam.publish(next).await;
        exam.issue(7..=9, 12, LONG).await;
        let again = ("sold-out-1-9".to_owned(), 12);
        // Which of them went to quarantine differs between a store that takes in entries and one that takes deliveries.
        let told = exam.new_ones().await;
        assert_eq!(told[0], sold_out);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[1] == again || told[1].0 == "sold-out-1-8", "{told:?}");
    });
}

pub fn every_issue_is_announced_once(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        exam.open_sale(0).await;
        exam.issue(1..=7, 3, LONG).await;
        assert_eq!(exam.office().calendar.announce(3).await.unwrap().written, 3);
        exam.crash().await;
        exam.issue(8..=10, 4, LONG).await;
        assert_eq!(exam.announce(3).await, 7);
        assert_eq!(exam.announce(3).await, 0);
        exam.issue(10..=11, 4, LONG).await;
        assert_eq!(exam.announce(100).await, 1, "a redelivery is no issue");
        let mut expected: Vec<(String, i64)> = (1..=11_i64)
            .map(|position| (format!("issued-1-{position}"), if position <= 7 { 3 } else { 4 }))
            .collect();
        expected.sort();
        assert_eq!(exam.new_ones().await, expected);
    });
}

pub fn a_kind_that_is_not_wanted_is_not_written(harness: &mut dyn NoticeHarness) {
    run(async {
        for kind in NotificationKind::ALL {
            let only: NotificationKinds = [kind].into_iter().collect();
            let exam = NoticeExam::begin(harness, only).await;
            exam.open_sale(4).await;
            exam.issue(1..=4, 0, 8 * super::exam::DAY).await;
            exam.ask(5, vec![redeem(1, "a"), cancel(1, "a"), revoke(2)]).await;
            exam.announce(100).await;
            exam.remind(&[7], 2 * super::exam::DAY).await;
            exam.expire(9 * super::exam::DAY).await;
            let told = exam.new_ids().await;
            assert!(!told.is_empty(), "{kind:?} is told of");
            for id in told {
                assert_eq!(super::exam::notification_id(&id).kind(), kind);
            }
        }
    });
}
