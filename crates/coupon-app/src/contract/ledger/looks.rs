//! Readings: a look sees everything that was answered before it was asked.

use super::{Exam, LedgerHarness, ask, order};
use crate::contract::{coupon_id, terms, user};
use crate::{Look, Reply, Request, Seen};
use coupon_core::{Command, CouponId};

fn positions(coupon: CouponId, after: u32, limit: usize) -> Look {
    Look::Positions { coupon, after, limit }
}

pub fn a_look_sees_what_was_decided_before_it_and_nothing_after(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(0)).await;
        exam.wins(coupon, &user(1)).await;
        exam.crash(stage).await;
        let look = |look: Look| Request::Look(Box::new(look));
        let holder = |n| Look::Holder {
            user: user(n),
            coupons: vec![coupon],
        };
        let batch = vec![
            look(holder(2)),
            look(Look::Coupon(coupon)),
            ask(coupon, &user(2), None),
            Request::Command(Box::new(order(Some(coupon), Command::Pause))),
            look(holder(2)),
            look(Look::Coupon(coupon)),
            look(positions(coupon, 1, 9)),
        ];
        let replies = exam.batch(batch).await;
        let seen = |index: usize| match &replies[index] {
            Reply::Look(seen) => seen.as_ref().clone(),
            other @ (Reply::Issue(_) | Reply::Command(_)) => panic!("{other:?}"),
        };
        assert_eq!(seen(0), Seen::Holder(vec![]));
        assert!(matches!(seen(1), Seen::Coupon(Some((it, 1))) if !it.paused));
        assert!(matches!(seen(4), Seen::Holder(held) if held.len() == 1 && held[0].1.position.get() == 2));
        assert!(matches!(seen(5), Seen::Coupon(Some((it, 2))) if it.paused));
        assert!(matches!(seen(6), Seen::Positions(page) if page.len() == 1 && page[0].0 == user(2)));
    });
}

pub fn a_holder_is_shown_what_he_holds_in_the_order_asked(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let mut coupons = Vec::new();
        for _ in 0..4 {
            coupons.push(exam.create(terms(0)).await);
        }
        exam.wins(coupons[3], &user(1)).await;
        exam.wins(coupons[0], &user(9)).await;
        exam.wins(coupons[0], &user(1)).await;
        exam.wins(coupons[2], &user(1)).await;
        exam.crash(stage).await;
        let asked = [2, 1, 0, 3].map(|index: usize| coupons[index]);
        let with_unknown = asked.into_iter().chain([coupon_id(77)]).collect();
        let held = exam.held(&user(1), with_unknown).await;
        let found: Vec<(CouponId, u32)> = held
            .into_iter()
            .map(|(id, grant)| (id, grant.position.get()))
            .collect();
        assert_eq!(found, [(coupons[2], 1), (coupons[0], 2), (coupons[3], 1)]);
        assert_eq!(exam.held(&user(1), vec![]).await, []);
        assert_eq!(exam.held(&user(2), coupons).await, []);
    });
}

pub fn positions_are_paged_without_overlap(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(0)).await;
        for n in 1..=10 {
            exam.wins(coupon, &user(n)).await;
            if n == 5 {
                exam.crash(stage).await;
            }
        }
        let cases = [
            (0, 3, 1..4),
            (3, 3, 4..7),
            (9, 3, 10..11),
            (10, 3, 11..11),
            (u32::MAX, 3, 11..11),
            (0, 0, 1..1),
            (4, usize::MAX, 5..11),
        ];
        for (after, limit, expected) in cases {
            let seen = exam.look(positions(coupon, after, limit)).await;
            let Seen::Positions(page) = seen else {
                panic!("{seen:?}")
            };
            let users: Vec<_> = page.iter().map(|(user, _)| user.clone()).collect();
            assert_eq!(users, expected.clone().map(user).collect::<Vec<_>>());
            let found = page.iter().map(|(_, grant)| grant.position.get());
            assert!(
                found
                    .zip(expected)
                    .all(|(position, n)| u64::from(position) == u64::try_from(n).unwrap())
            );
        }
        let unknown = exam.look(positions(coupon_id(9), 0, 9)).await;
        assert_eq!(unknown, Seen::Positions(vec![]));
    });
}

pub fn a_look_makes_no_entry(harness: &mut dyn LedgerHarness) {
    Exam::sit(harness, async |exam| {
        let coupon = exam.create(terms(0)).await;
        exam.wins(coupon, &user(1)).await;
        let made = exam.entries_made();
        exam.everything().await;
        assert_eq!(exam.sees(coupon_id(2)).await, None);
        assert_eq!(exam.entries_made(), made);
    });
}
