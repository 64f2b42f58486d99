//! From a notification to the end of its deliveries.

use super::NoticeHarness;
use super::exam::{LEASE, NoticeExam, after_start, redeem};
use crate::{
    AuditAction, AuditFilter, AuditedChange, AuditedMatter, DeliveryState, Origin, Report, Settled, Taken,
    Verdict,
};
use coupon_core::Timestamp;
use std::sync::Arc;

pub(super) const LONG: i64 = 1_000_000_000_000;

/// One redemption to be told of, so many microseconds after the start.
async fn redeemed(exam: &NoticeExam<'_>, micros: i64) -> &'static str {
    exam.open_sale(0).await;
    exam.issue(1..=1, 0, LONG).await;
    exam.ask(micros, vec![redeem(1, "a")]).await;
    "redeemed-1-1-1"
}

pub(super) async fn settle(exam: &NoticeExam<'_>, micros: i64, taken: &Taken, verdict: Verdict, told: &str) {
    let settled = Settled {
        delivery: taken.delivery.clone(),
        attempt: taken.attempt,
        verdict,
        report: Report::new(Some(200), told),
    };
    let outbox = &exam.office().outbox;
    outbox.settle(&[settled], after_start(micros)).await.unwrap();
}

/// State, attempts, and when it is due, of every delivery.
async fn stand(exam: &NoticeExam<'_>) -> Vec<(DeliveryState, u32, Option<Timestamp>)> {
    let all = exam.office().outbox.deliveries(None, 0, 100).await.unwrap();
    all.iter()
        .map(|one| (one.state, one.attempts, one.due_at))
        .collect()
}

pub fn what_was_taken_is_handed_out_again_when_its_lease_ends(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        let id = redeemed(exam, 10).await;
        let lease = LEASE.as_micros();
        // Also by a clock that is behind that of the event.
        assert_eq!(exam.take_new(9, 10).await.len(), 1);
        assert_eq!(exam.take_new(9 + lease - 1, 10).await.len(), 0);
        exam.crash().await;
        assert_eq!(exam.take_new(9 + lease, 10).await.len(), 1);
        exam.plan(20 + lease, id, &[("mail", "holder")]).await;
        assert_eq!(exam.take_new(LONG, 10).await.len(), 0);
        let begun = 30 + lease;
        let first = exam.take_due(begun).await;
        assert_eq!((first.len(), first[0].attempt), (1, 1));
        assert_eq!(first[0].notification.id().to_string(), id);
        assert_eq!(exam.take_due(begun + lease - 1).await, []);
        exam.crash().await;
        let second = exam.take_due(begun + lease).await;
        assert_eq!(
            (second.len(), second[0].attempt),
            (1, 2),
            "the attempt that was lost counts"
        );
    });
}

pub fn the_first_plan_counts(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        let id = redeemed(exam, 10).await;
        exam.plan(11, id, &[("mail", "holder"), ("webhook", "1"), ("webhook", "2")])
            .await;
        exam.plan(12, id, &[("mail", "other")]).await;
        exam.plan(12, id, &[]).await;
        exam.plan(12, "redeemed-1-1-9", &[("mail", "holder")]).await;
        let all = exam.office().outbox.deliveries(None, 0, 100).await.unwrap();
        let who: Vec<String> = all
            .iter()
            .map(|one| {
                format!(
                    "{} {} {}",
                    one.delivery.notification, one.delivery.channel, one.delivery.recipient
                )
            })
            .collect();
        assert_eq!(
            who,
            [
                format!("{id} mail holder"),
                format!("{id} webhook 1"),
                format!("{id} webhook 2")
            ]
        );
        assert!(all.iter().all(|one| one.at == after_start(10)), "{all:?}");
        assert_eq!(exam.take_due(11).await.len(), 3);
        let tally = exam.tally().await;
        assert_eq!(
            (tally.new, tally.waiting, tally.oldest),
            (0, 3, Some(after_start(10)))
        );
    });
}

pub fn a_plan_without_deliveries_is_an_end(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        let id = redeemed(exam, 10).await;
        exam.plan(11, id, &[]).await;
        assert_eq!(exam.take_new(LONG, 10).await.len(), 0);
        let tally = exam.tally().await;
        assert_eq!((tally.new, tally.waiting, tally.oldest), (0, 0, None));
    });
}

pub fn a_delivery_is_tried_until_it_is_settled_for_good(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        let id = redeemed(exam, 0).await;
        let to = [
            ("mail", "holder"),
            ("webhook", "1"),
            ("webhook", "2"),
            ("webhook", "3"),
        ];
        exam.plan(1, id, &to).await;
        let taken = exam.take_due(10).await;
        assert_eq!(taken.len(), 4);
        settle(exam, 11, &taken[0], Verdict::Undeliverable, "no address").await;
        settle(exam, 12, &taken[1], Verdict::Delivered, "thanks").await;
        settle(exam, 13, &taken[2], Verdict::Dead, "gone").await;
        settle(exam, 14, &taken[3], Verdict::Again(after_start(1_000)), "busy").await;
        exam.crash().await;
        assert_eq!(exam.take_due(999).await, []);
        let again = exam.take_due(1_000).await;
        assert_eq!((again.len(), again[0].attempt), (1, 2));
        settle(exam, 1_001, &again[0], Verdict::Delivered, "at last").await;
        assert_eq!(exam.take_due(LONG).await, [], "final is final");
        use DeliveryState::{Dead, Delivered, Undeliverable};
        let expected = [
            (Undeliverable, 1, None),
            (Delivered, 1, None),
            (Dead, 1, None),
            (Delivered, 2, None),
        ];
        assert_eq!(stand(exam).await, expected);
        let outbox = &exam.office().outbox;
        for (state, told) in [(Undeliverable, "no address"), (Dead, "gone")] {
            let listed = outbox.deliveries(Some(state), 0, 10).await.unwrap();
            assert_eq!((listed.len(), &*listed[0].report.text), (1, told));
            assert_eq!(listed[0].report.status, Some(200));
            let beyond = outbox
                .deliveries(Some(state), listed[0].number, 10)
                .await
                .unwrap();
            assert_eq!(beyond, []);
        }
        let tally = exam.tally().await;
        assert_eq!((tally.waiting, tally.dead, tally.undeliverable), (0, 1, 1));
    });
}

pub fn only_the_named_channels_are_handed_out(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        let id = redeemed(exam, 0).await;
        exam.plan(1, id, &[("kafka", "topic"), ("mail", "holder")]).await;
        let outbox = Arc::clone(&exam.office().outbox);
        let now = after_start(2);
        assert_eq!(outbox.take_due(&[], now, LEASE, 10).await.unwrap(), []);
        assert_eq!(
            outbox.take_due(&["kafka"], now, LEASE, 10).await.unwrap().len(),
            1
        );
        assert_eq!(exam.take_due(2).await.len(), 1);
        assert_eq!(exam.take_due(3).await.len(), 0);
    });
}

pub fn whoever_has_lost_the_lease_can_only_say_that_it_was_delivered(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        let id = redeemed(exam, 0).await;
        exam.plan(1, id, &[("mail", "holder")]).await;
        let lost = exam.take_due(10).await.remove(0);
        let later = 10 + LEASE.as_micros();
        let second = exam.take_due(later).await.remove(0);
        let due = stand(exam).await[0].2;
        for verdict in [
            Verdict::Dead,
            Verdict::Undeliverable,
            Verdict::Again(after_start(later)),
        ] {
            settle(exam, later + 1, &lost, verdict, "late").await;
            assert_eq!(
                stand(exam).await,
                [(DeliveryState::Waiting, 2, due)],
                "{verdict:?}"
            );
        }
        settle(exam, later + 2, &lost, Verdict::Delivered, "late").await;
        settle(exam, later + 3, &second, Verdict::Dead, "after the end").await;
        assert_eq!(stand(exam).await, [(DeliveryState::Delivered, 2, None)]);
        assert_eq!(exam.take_due(LONG).await, []);
    });
}

pub fn a_final_delivery_is_replayed_by_hand(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        let id = redeemed(exam, 0).await;
        exam.plan(1, id, &[("mail", "holder")]).await;
        let outbox = Arc::clone(&exam.office().outbox);
        let taken = exam.take_due(2).await.remove(0);
        let mut unknown = taken.delivery.clone();
        unknown.channel = "webhook".into();
        for (delivery, micros) in [(&unknown, 3), (&taken.delivery, 3)] {
            let replayed = outbox
                .replay(delivery, after_start(micros), &"key-1".into())
                .await
                .unwrap();
            assert!(!replayed, "nothing final is there");
        }
        settle(exam, 4, &taken, Verdict::Dead, "gone").await;
        let order = Origin::of_request("key-7".into(), "r-7");
        assert!(
            outbox
                .replay(&taken.delivery, after_start(50), &order)
                .await
                .unwrap()
        );
        let filter = AuditFilter {
            action: Some(AuditAction::DeliveryReplayed),
            limit: 9,
            ..AuditFilter::default()
        };
        let log = exam.office().till.books.audit.audit_log(&filter).await.unwrap();
        let told: Vec<_> = log
            .iter()
            .map(|entry| (&*entry.actor, entry.request.as_deref(), entry.at, &entry.change))
            .collect();
        let (_, matter) = AuditedMatter::of_delivery(&taken.delivery, DeliveryState::Dead);
        let change = AuditedChange::Matter(matter);
        assert_eq!(told, [("key-7", Some("r-7"), after_start(50), &change)]);
        assert_eq!(exam.tally().await.dead, 0);
        assert_eq!(
            outbox.forget(after_start(LONG), 10).await.unwrap(),
            0,
            "it waits again"
        );
        assert_eq!(exam.take_due(49).await, []);
        let again = exam.take_due(50).await;
        assert_eq!((again.len(), again[0].attempt), (1, 1));
    });
}

pub fn what_is_final_is_forgotten_on_demand_and_never_told_again(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        exam.open_sale(2).await;
        exam.issue(1..=2, 0, 1_000).await;
        exam.announce(10).await;
        exam.expire(1_000).await;
        let new = exam.take_new(2_000, 100).await;
        assert_eq!(new.len(), 5);
        for one in new.iter().take(4) {
            exam.plan(2_001, &one.id().to_string(), &[("mail", "holder")])
                .await;
        }
        let taken = exam.take_due(2_002).await;
        for one in taken.iter().take(3) {
            settle(exam, 2_003, one, Verdict::Delivered, "thanks").await;
        }
        let outbox = Arc::clone(&exam.office().outbox);
        assert_eq!(
            outbox.forget(after_start(2_003), 10).await.unwrap(),
            0,
            "not before"
        );
        assert_eq!(
            outbox.forget(after_start(2_004), 2).await.unwrap(),
            2,
            "no more than asked"
        );
        assert_eq!(outbox.forget(after_start(2_004), 10).await.unwrap(), 1);
        assert_eq!(
            outbox.forget(after_start(LONG), 10).await.unwrap(),
            0,
            "the rest is not final"
        );
        assert_eq!(outbox.deliveries(None, 0, 10).await.unwrap().len(), 1);
        exam.issue(1..=2, 0, 1_000).await;
        assert_eq!((exam.announce(10).await, exam.expire(5_000).await), (0, 0));
        let tally = exam.tally().await;
        assert_eq!((tally.new, tally.waiting), (1, 1), "nothing comes again");
    });
}

pub fn of_many_who_ask_at_once_each_delivery_is_handed_to_one(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        exam.open_sale(0).await;
        exam.issue(1..=60, 0, LONG).await;
        exam.announce(100).await;
        let outbox = Arc::clone(&exam.office().outbox);
        let (now, mut new) = (after_start(5), Vec::new());
        let takers = (0..6).map(|_| outbox.take_new(now, LEASE, 20));
        for taken in futures_util::future::join_all(takers).await {
            new.extend(taken.unwrap());
        }
        // Whoever asks while others do may get fewer than there are; asked once more, everything has been handed out.
        new.extend(outbox.take_new(now, LEASE, 100).await.unwrap());
        let mut ids: Vec<String> = new.iter().map(|one| one.id().to_string()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!((ids.len(), new.len()), (60, 60));
        for id in &ids {
            exam.plan(6, id, &[("mail", "holder")]).await;
        }
        let mut due = Vec::new();
        let takers = (0..6).map(|_| outbox.take_due(&["mail"], after_start(7), LEASE, 20));
        for taken in futures_util::future::join_all(takers).await {
            due.extend(taken.unwrap());
        }
        due.extend(exam.take_due(7).await);
        assert!(due.iter().all(|one| one.attempt == 1));
        assert_eq!(due.len(), 60);
    });
}
