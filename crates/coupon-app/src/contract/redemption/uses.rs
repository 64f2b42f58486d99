//! Using, giving back, taking away: once, by the law, seen everywhere.

use super::exam::{Told, VALID_US, all_told, cancel, id, order, redeem, revoke};
use super::{RedemptionExam, RedemptionHarness};
use crate::contract::store::coupon;
use crate::contract::{START, coupon_id, terms, user};
use crate::{RedemptionOutcome, RedemptionRequest, StoreTally, WalletFilter};
use coupon_core::limits::MAX_AMOUNT;
use coupon_core::{Actor, Amount, Coupon, Discount, IssuedState, Offer, Redemption};

pub fn an_issued_coupon_is_redeemed_once(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 2, async |exam| {
        let outcome = exam.one(7, redeem(1, "a", 30_001)).await;
        let RedemptionOutcome::Done {
            issued,
            decided_at,
            replayed,
        } = outcome
        else {
            panic!("{outcome:?}");
        };
        let redemption = Redemption {
            redeemed_at: super::exam::after_start(7),
            order: order("a", 30_001),
            discount: Some(Amount::new(3_001).unwrap()),
        };
        assert_eq!((decided_at, replayed), (redemption.redeemed_at, false));
        assert_eq!(issued.redemption, Some(redemption));
        for (request, expected) in [
            (redeem(1, "a", 30_001), Told::Replay),
            (redeem(1, "a", 30_000), Told::Mismatch),
            (redeem(1, "b", 30_001), Told::AlreadyRedeemed),
            (redeem(2, "a", 30_001), Told::New),
        ] {
            let outcome = exam.one(8, request.clone()).await;
            assert_eq!(super::exam::told(&outcome), expected, "{request:?}");
            if expected == Told::Replay {
                let again = RedemptionOutcome::Done {
                    issued: issued.clone(),
                    decided_at: super::exam::after_start(8),
                    replayed: true,
                };
                assert_eq!(outcome, again);
            }
        }
        exam.crash().await;
        let told = all_told(&[
            exam.one(9, redeem(1, "b", 30_001)).await,
            exam.one(9, redeem(1, "a", 30_001)).await,
        ]);
        assert_eq!(told, [Told::AlreadyRedeemed, Told::Replay], "after a crash too");
    });
}

pub fn a_use_is_given_back_once_and_only_to_its_order(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 1, async |exam| {
        for (micros, request, expected) in [
            (1, cancel(1, "a"), Told::NotRedeemed),
            (2, redeem(1, "a", 20_000), Told::New),
            (3, cancel(1, "b"), Told::Mismatch),
            (4, cancel(1, "a"), Told::New),
            (5, cancel(1, "a"), Told::Replay),
            (6, cancel(1, "b"), Told::NotRedeemed),
            (7, redeem(1, "b", 20_000), Told::New),
            (8, cancel(1, "a"), Told::Replay),
            (9, redeem(1, "b", 20_000), Told::Replay),
            (10, cancel(1, "b"), Told::New),
            (11, cancel(1, "a"), Told::Replay),
            (12, redeem(1, "a", 50_000), Told::New),
            (VALID_US, cancel(1, "a"), Told::New),
            (VALID_US + 1, redeem(1, "a", 50_000), Told::Expired),
        ] {
            let outcome = exam.one(micros, request.clone()).await;
            assert_eq!(super::exam::told(&outcome), expected, "at {micros}: {request:?}");
            exam.crash().await;
        }
        assert_eq!(exam.tally(0).await.cancelled, 3);
    });
}

pub fn validity_ends_to_the_microsecond(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 3, async |exam| {
        for (position, micros, expected) in [
            (1, VALID_US - 1, Told::New),
            (2, VALID_US, Told::Expired),
            (3, VALID_US + 1, Told::Expired),
        ] {
            let outcome = exam.one(micros, redeem(position, "a", 20_000)).await;
            assert_eq!(super::exam::told(&outcome), expected, "at {micros}");
        }
    });
}

pub fn an_order_below_the_minimum_is_refused_and_the_smallest_is_not(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 1, async |exam| {
        let outcomes = exam
            .ask(
                1,
                vec![redeem(1, "a", 0), redeem(1, "a", 19_999), redeem(1, "a", 20_000)],
            )
            .await;
        assert_eq!(all_told(&outcomes), [Told::Below, Told::Below, Told::New]);
    });
}

pub fn what_is_revoked_is_not_used_again(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 2, async |exam| {
        let first = [revoke(1), revoke(1), redeem(1, "a", 20_000), cancel(1, "a")];
        let told = all_told(&exam.ask(1, first.to_vec()).await);
        assert_eq!(told, [Told::New, Told::Replay, Told::Revoked, Told::NotRedeemed]);
        let used = [
            redeem(2, "a", 20_000),
            revoke(2),
            redeem(2, "a", 20_000),
            redeem(2, "b", 20_000),
            cancel(2, "a"),
        ];
        let told = all_told(&exam.ask(2, used.to_vec()).await);
        assert_eq!(
            told,
            [Told::New, Told::New, Told::Replay, Told::Revoked, Told::New]
        );
        assert_eq!(
            super::exam::told(&exam.one(3, redeem(2, "a", 20_000)).await),
            Told::Revoked
        );
        let expected = StoreTally {
            issued: 2,
            revoked: 2,
            cancelled: 1,
            ..StoreTally::default()
        };
        assert_eq!(
            exam.tally(VALID_US).await,
            expected,
            "neither is expired, and stock does not come back"
        );
    });
}

pub fn only_its_holder_or_whoever_acts_for_all_may_use_it(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 2, async |exam| {
        let by = |who: usize, request: RedemptionRequest| RedemptionRequest {
            user: Some(user(who)),
            actor: Actor::Holder,
            ..request
        };
        let requests = vec![
            by(2, redeem(1, "a", 20_000)),
            by(1, redeem(1, "a", 20_000)),
            by(2, redeem(1, "a", 20_000)),
            by(2, cancel(1, "a")),
            redeem(1, "a", 20_000),
        ];
        let told = all_told(&exam.ask(1, requests).await);
        assert_eq!(
            told,
            [
                Told::Unknown,
                Told::New,
                Told::Unknown,
                Told::Unknown,
                Told::Replay
            ]
        );
        assert_eq!(exam.history(1).await[0].actor, Actor::Holder);
    });
}

pub fn what_became_of_it_is_seen_wherever_it_is_asked_for(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 4, async |exam| {
        exam.ask(
            1,
            vec![
                redeem(1, "a", 20_000),
                redeem(2, "b", 20_000),
                cancel(2, "b"),
                revoke(3),
            ],
        )
        .await;
        let states = [
            IssuedState::Redeemed,
            IssuedState::Issued,
            IssuedState::Revoked,
            IssuedState::Issued,
        ];
        let coupons = &exam.till().books.coupons;
        let listed = coupons.issued_coupons(coupon_id(1), 0, 9).await.unwrap();
        for ((state, position), listed) in states.into_iter().zip(1..).zip(&listed) {
            let shown = exam.shown(position).await;
            assert_eq!((shown.state(START), listed), (state, &shown));
            for asked in [None, Some(state), Some(IssuedState::Expired)] {
                let filter = WalletFilter {
                    state: asked,
                    now: START,
                    after: None,
                    limit: 9,
                };
                let who = user(usize::try_from(position).unwrap());
                let wallet = coupons.wallet(&who, filter).await.unwrap();
                let expected = if asked == Some(IssuedState::Expired) {
                    vec![]
                } else {
                    vec![shown.clone()]
                };
                assert_eq!(wallet, expected, "{asked:?}");
            }
        }
        let expected = StoreTally {
            issued: 4,
            redeemed: 1,
            expired: 0,
            revoked: 1,
            cancelled: 1,
        };
        assert_eq!(exam.tally(VALID_US - 1).await, expected);
        assert_eq!(
            exam.tally(VALID_US).await,
            StoreTally {
                expired: 2,
                ..expected
            }
        );
    });
}

pub fn an_issued_coupon_keeps_the_discount_that_it_was_issued_under(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 2, async |exam| {
        let first = coupon(coupon_id(1), terms(0));
        let mut second = Coupon {
            revision: 2,
            ..first.clone()
        };
        second.terms.discount = Some(Discount::Amount { value: 7 });
        second.terms.min_order_amount = 0;
        let mut third = Coupon {
            revision: 3,
            ..second.clone()
        };
        third.terms.discount = None;
        exam.publish(second.clone()).await;
        exam.issue(1, 3..=3).await;
        exam.publish(third.clone()).await;
        exam.issue(1, 4..=4).await;
        let offers = [&first, &first, &second, &third].map(|coupon| Offer::from(&coupon.terms));
        for (position, offer) in (1..).zip(offers) {
            let redeemable = exam
                .till()
                .redemptions
                .redeemable(id(position))
                .await
                .unwrap()
                .unwrap();
            assert_eq!(redeemable.offer, offer, "at {position}");
        }
        let requests: Vec<RedemptionRequest> =
            (1..=4).map(|position| redeem(position, "a", 30_000)).collect();
        exam.ask(1, requests).await;
        let mut discounts = Vec::new();
        for position in 1..=4 {
            let redemption = exam.shown(position).await.redemption.unwrap();
            discounts.push(redemption.discount.map(Amount::get));
        }
        assert_eq!(discounts, [Some(3_000), Some(3_000), Some(7), None]);
        exam.issue(1, 5..=5).await;
        let small = exam.one(2, redeem(5, "a", 0)).await;
        assert_eq!(
            super::exam::told(&small),
            Told::New,
            "the new minimum is for new ones"
        );
    });
}

pub fn amounts_and_order_ids_are_kept_to_their_ends(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 3, async |exam| {
        let longest = "한".repeat(42) + "xx";
        for (position, name) in [
            (1, longest.as_str()),
            (2, "'; DROP TABLE coupons; -- \" \\ %"),
            (3, " "),
        ] {
            exam.one(1, redeem(position, name, MAX_AMOUNT)).await;
            exam.crash().await;
            let redemption = exam.shown(position).await.redemption.unwrap();
            assert_eq!(redemption.order, order(name, MAX_AMOUNT));
            let told = all_told(
                &exam
                    .ask(
                        2,
                        vec![redeem(position, name, MAX_AMOUNT), cancel(position, name)],
                    )
                    .await,
            );
            assert_eq!(told, [Told::Replay, Told::New]);
        }
    });
}
