//! Several workers at once.

use super::exam::{delivery, issue, revision};
use super::{DeliveryExam, DeliveryHarness};
use crate::contract::{coupon_id, user};
use crate::{Delivered, Delivery};
use futures_util::future::join_all;

fn entries(number: u32) -> Vec<Delivery> {
    let id = coupon_id(number);
    let one = |n: u32| {
        let who = user(usize::try_from(n).unwrap());
        delivery(
            id,
            vec![
                issue(id, &who, 2 * n - 1),
                issue(id, &user(1_000 + usize::try_from(n).unwrap()), 2 * n),
            ],
        )
    };
    (1..=20).map(one).collect()
}

fn sum(delivered: &[Delivered]) -> (u64, u64) {
    delivered
        .iter()
        .fold((0, 0), |sum, one| (sum.0 + one.written, sum.1 + one.quarantined))
}

pub fn several_workers_at_once_write_everything_once(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        for number in 1..=3 {
            let id = coupon_id(number);
            exam.deliver(&[delivery(id, vec![revision(id, 1, 40, 0)])]).await;
        }
        // Each of six workers brings every entry of every coupon, each in an order of its own, a few at a time.
        let works = (0..6_usize).map(|worker| {
            let mut all: Vec<Delivery> = (1..=3).flat_map(entries).collect();
            let length = all.len();
            all.rotate_left(worker * 17 % length);
            if worker % 2 == 1 {
                all.reverse();
            }
            let exam = &*exam;
            async move {
                let mut delivered = Vec::new();
                for call in all.chunks(4) {
                    delivered.push(exam.deliver(call).await);
                }
                delivered
            }
        });
        let delivered: Vec<Delivered> = join_all(works).await.into_iter().flatten().collect();
        assert_eq!(sum(&delivered), (120, 0));
        for number in 1..=3 {
            let positions: Vec<u32> = exam
                .holders(coupon_id(number))
                .await
                .into_iter()
                .map(|(position, _)| position)
                .collect();
            assert_eq!(positions, (1..=40).collect::<Vec<_>>());
        }
        assert_eq!(exam.quarantine().await, []);
    });
}

pub fn several_workers_that_bring_a_coupon_and_its_issues_lose_nothing(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        let mut works: Vec<Delivery> = (1..=3).flat_map(entries).collect();
        for number in 1..=3 {
            let id = coupon_id(number);
            works.insert(
                usize::try_from(number).unwrap() * 13,
                delivery(id, vec![revision(id, 1, 40, 0)]),
            );
        }
        let each = works.chunks(1).map(|one| exam.deliver(one));
        let delivered = join_all(each).await;
        let written: u64 = delivered.iter().map(|one| one.written).sum();
        assert_eq!(written, 120);
        assert_eq!(
            exam.quarantine().await,
            [],
            "who came before the coupon has been let in"
        );
    });
}
