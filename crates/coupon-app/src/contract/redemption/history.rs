//! Every step leaves an entry, and nothing else does.

use super::exam::{after_start, cancel, id, order, order_id, redeem, revoke};
use super::{RedemptionExam, RedemptionHarness};
use crate::RedemptionRequest;
use crate::contract::store::coupon;
use crate::contract::{coupon_id, terms, user};
use coupon_core::{Actor, Amount, HistoryEntry, Step};

pub fn every_taken_step_is_in_the_history_and_nothing_else(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 2, async |exam| {
        let holder = RedemptionRequest {
            user: Some(user(1)),
            actor: Actor::Holder,
            ..redeem(1, "a", 30_000)
        };
        let requests = [
            holder.clone(),
            holder,
            redeem(1, "b", 30_000),
            cancel(1, "b"),
            cancel(1, "a"),
            cancel(1, "a"),
            redeem(1, "b", 20_001),
            revoke(1),
            revoke(1),
        ];
        for (request, micros) in requests.into_iter().zip(1..) {
            exam.one(micros, request).await;
        }
        let till = || Actor::Key("till".into());
        let redeemed = |name, units, discount| Step::Redeemed {
            order: order(name, units),
            discount: Some(Amount::new(discount).unwrap()),
        };
        let expected = [
            (1, Actor::Holder, redeemed("a", 30_000, 3_000)),
            (5, till(), Step::Cancelled { order: order_id("a") }),
            (7, till(), redeemed("b", 20_001, 2_001)),
            (8, till(), Step::Revoked),
        ];
        let expected: Vec<HistoryEntry> = expected
            .into_iter()
            .zip(1..)
            .map(|((micros, actor, step), number)| HistoryEntry {
                number,
                at: after_start(micros),
                actor,
                step,
            })
            .collect();
        assert_eq!(exam.history(1).await, expected);
        assert_eq!(exam.history(2).await, []);
        assert_eq!(exam.history(3).await, []);
        exam.crash().await;
        assert_eq!(exam.history(1).await, expected);
    });
}

pub fn a_history_is_paged_without_gap_or_overlap(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 2, async |exam| {
        let rounds = (0..7).flat_map(|_| [redeem(1, "a", 20_000), cancel(1, "a")]);
        exam.ask(1, rounds.chain([redeem(2, "b", 20_000)]).collect())
            .await;
        for (after, limit, expected) in [
            (0, 100, (1..=14).collect::<Vec<u32>>()),
            (0, 3, vec![1, 2, 3]),
            (3, 3, vec![4, 5, 6]),
            (13, 3, vec![14]),
            (14, 3, vec![]),
            (u32::MAX, 3, vec![]),
            (0, 0, vec![]),
        ] {
            let page = exam
                .till()
                .redemptions
                .history(id(1), after, limit)
                .await
                .unwrap();
            let numbers: Vec<u32> = page.iter().map(|entry| entry.number).collect();
            assert_eq!(numbers, expected, "after {after}, at most {limit}");
        }
    });
}

pub fn time_does_not_run_back_in_a_history(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 1, async |exam| {
        for (micros, request) in [
            (-500, redeem(1, "a", 20_000)),
            (90, cancel(1, "a")),
            (20, redeem(1, "b", 20_000)),
            (-9, revoke(1)),
        ] {
            exam.one(micros, request).await;
            exam.crash().await;
        }
        let times: Vec<_> = exam.history(1).await.iter().map(|entry| entry.at).collect();
        assert_eq!(times, [0, 90, 90, 90].map(after_start));
        assert_eq!(exam.shown(1).await.revoked_at, Some(after_start(90)));
    });
}

pub fn exactly_those_with_a_history_are_named(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 5, async |exam| {
        let requests = vec![
            redeem(2, "a", 20_000),
            cancel(2, "a"),
            revoke(4),
            redeem(5, "a", 20_000),
            redeem(3, "a", 1),
        ];
        exam.ask(1, requests).await;
        exam.crash().await;
        let mut named = Vec::new();
        exam.till()
            .redemptions
            .with_history(&mut |id| named.push(id))
            .await
            .unwrap();
        named.sort_unstable();
        assert_eq!(named, [2, 4, 5].map(id));
    });
}

pub fn a_coupon_counts_as_used_from_its_first_step_on(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 3, async |exam| {
        for number in 2..=4 {
            exam.publish(coupon(coupon_id(number), terms(0))).await;
            exam.issue(number, 1..=1).await;
        }
        let of = |number: u32, mut request: RedemptionRequest| {
            request.id.coupon = coupon_id(number);
            request
        };
        let steps = [
            (of(1, redeem(1, "a", 1)), vec![]),
            (of(4, revoke(1)), vec![4]),
            (of(2, redeem(1, "a", 20_000)), vec![2, 4]),
            (of(2, cancel(1, "a")), vec![2, 4]),
            (of(1, redeem(3, "a", 20_000)), vec![1, 2, 4]),
        ];
        for (request, expected) in steps {
            exam.one(1, request).await;
            let mut used = exam.till().redemptions.used_coupons().await.unwrap();
            used.sort_unstable();
            assert_eq!(used, expected.into_iter().map(coupon_id).collect::<Vec<_>>());
        }
    });
}
