//! What the clock makes due.

use super::NoticeHarness;
use super::exam::{BATCH, DAY, NoticeExam, after_start, cancel, id, redeem, revoke};
use crate::contract::store::coupon;
use crate::contract::{START, coupon_id, terms};
use crate::{Passed, Reminders};
use coupon_core::IssuedState;
use std::sync::Arc;
use std::time::Duration;

const VALID: i64 = 1_000;

pub fn what_has_expired_unused_is_written_down_once(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        exam.open_sale(0).await;
        exam.issue(1..=4, 0, VALID).await;
        exam.issue(5..=5, 0, 2 * VALID).await;
        exam.ask(1, vec![redeem(1, "a"), revoke(2), redeem(3, "b"), cancel(3, "b")])
            .await;
        let told_before = exam.new_ids().await;
        assert_eq!(exam.expire(VALID - 1).await, 0, "the last microsecond");
        assert_eq!(exam.expire(VALID).await, 2);
        assert_eq!(exam.expire(VALID).await, 0);
        exam.crash().await;
        assert_eq!(exam.expire(2 * VALID - 1).await, 0);
        assert_eq!(exam.expire(10 * VALID).await, 1);
        assert_eq!(exam.expire(0).await, 0, "a clock that was set back");
        let mut told = exam.new_ones().await;
        told.retain(|(id, _)| !told_before.contains(id));
        let expected = [
            ("expired-1-3", VALID),
            ("expired-1-4", VALID),
            ("expired-1-5", 2 * VALID),
        ];
        assert_eq!(told, expected.map(|(id, at)| (id.to_owned(), at)));
        let coupons = &exam.office().till.books.coupons;
        let shown = coupons.issued_coupon(id(4)).await.unwrap().unwrap();
        assert_eq!(
            shown.state(after_start(VALID - 1)),
            IssuedState::Issued,
            "the clock says it"
        );
        let tally = coupons
            .tally(coupon_id(1), after_start(10 * VALID))
            .await
            .unwrap();
        assert_eq!(
            (tally.issued, tally.redeemed, tally.revoked, tally.expired),
            (5, 1, 1, 3)
        );
    });
}

pub fn a_use_given_back_after_the_end_expires_then(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        exam.open_sale(0).await;
        exam.issue(1..=2, 0, VALID).await;
        exam.ask(1, vec![redeem(1, "a"), redeem(2, "b")]).await;
        assert_eq!(exam.expire(2 * VALID).await, 0);
        exam.ask(3 * VALID, vec![cancel(1, "a")]).await;
        assert_eq!(exam.expire(3 * VALID).await, 1);
        assert_eq!(exam.expire(4 * VALID).await, 0);
        assert!(exam.is_new("expired-1-1").await);
        // A revocation of what has expired is told of, and nothing expires again.
        exam.ask(5 * VALID, vec![revoke(1), revoke(2), cancel(2, "b")])
            .await;
        assert_eq!(exam.expire(6 * VALID).await, 0);
        assert!(!exam.is_new("expired-1-2").await);
    });
}

pub fn a_reminder_comes_by_the_time_zone_of_its_coupon(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        // Clocks in New York went forward in the night to 2027-03-14, so the seven days before this end had an hour less.
        let end = 1_805_472_000_000_000 - START.as_micros();
        let hour = DAY / 24;
        let due = [
            (1, "Asia/Seoul", end - 7 * DAY),
            (2, "America/New_York", end - 7 * DAY + hour),
        ];
        for (number, zone, _) in due {
            let mut terms = terms(0);
            terms.time_zone = zone.into();
            exam.publish(coupon(coupon_id(number), terms)).await;
            let who = crate::contract::user(1);
            let record = crate::contract::store::issue_for(coupon_id(number), &who, 1, START, end);
            exam.apply(vec![crate::Record::Issued(record)]).await;
        }
        for (number, _, at) in due {
            let id = format!("expiring-{number}-1-7");
            exam.remind(&[7], at - 1).await;
            assert!(!exam.is_new(&id).await, "{id} comes too early");
            exam.remind(&[7], at).await;
            let told = exam.new_ones().await;
            assert!(told.contains(&(id.clone(), at)), "{id} is due at {at}: {told:?}");
        }
        assert_eq!(exam.remind(&[7], end - 1).await, 0);
    });
}

pub fn after_a_downtime_only_the_reminder_nearest_to_the_end_comes(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        exam.open_sale(0).await;
        exam.issue(1..=1, 0, 30 * DAY).await;
        exam.issue(2..=2, 0, 10 * DAY).await;
        exam.issue(3..=3, 0, 7 * DAY).await;
        let days = [14, 7, 1];
        assert_eq!(
            exam.remind(&days, 16 * DAY - 1).await,
            0,
            "number 2 has expired, 3 was issued too late"
        );
        assert_eq!(exam.remind(&days, 16 * DAY).await, 1);
        exam.crash().await;
        assert_eq!(exam.remind(&days, 16 * DAY).await, 0);
        // Down for two weeks.
        assert_eq!(exam.remind(&days, 29 * DAY + 5).await, 1);
        assert_eq!(exam.remind(&days, 30 * DAY - 1).await, 0);
        assert_eq!(exam.remind(&days, 30 * DAY).await, 0);
        assert_eq!(exam.remind(&days, 23 * DAY).await, 0, "a clock that was set back");
        let expected = [("expiring-1-1-1", 29 * DAY), ("expiring-1-1-14", 16 * DAY)];
        assert_eq!(
            exam.new_ones().await,
            expected.map(|(id, at)| (id.to_owned(), at))
        );
    });
}

pub fn whoever_has_used_it_is_not_reminded_until_the_use_is_given_back(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        exam.open_sale(0).await;
        exam.issue(1..=3, 0, 10 * DAY).await;
        exam.ask(1, vec![redeem(1, "a"), revoke(2)]).await;
        assert_eq!(exam.remind(&[7, 2], 4 * DAY).await, 1);
        exam.ask(5 * DAY, vec![cancel(1, "a"), redeem(3, "c")]).await;
        assert_eq!(exam.remind(&[7, 2], 5 * DAY).await, 1);
        assert_eq!(exam.remind(&[7, 2], 5 * DAY).await, 0);
        assert_eq!(exam.remind(&[7, 2], 8 * DAY).await, 1);
        let mut told = exam.new_ids().await;
        told.retain(|id| id.starts_with("expiring"));
        assert_eq!(told, ["expiring-1-1-2", "expiring-1-1-7", "expiring-1-3-7"]);
    });
}

pub fn other_days_count_for_what_is_there_already(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        exam.open_sale(0).await;
        exam.issue(1..=1, 0, 30 * DAY).await;
        assert_eq!(exam.remind(&[], 29 * DAY).await, 0);
        assert_eq!(exam.remind(&[1], 25 * DAY).await, 0);
        assert_eq!(exam.remind(&[10, 1], 25 * DAY).await, 1);
        assert_eq!(exam.remind(&[10, 6, 1], 25 * DAY).await, 1);
        assert_eq!(exam.remind(&[14], 26 * DAY).await, 0, "that is past");
        assert_eq!(exam.new_ids().await, ["expiring-1-1-10", "expiring-1-1-6"]);
    });
}

pub fn a_crowd_expires_in_bounded_batches(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        let crowd = exam.crowd();
        exam.open_sale(0).await;
        exam.issue(1..=crowd, 0, VALID).await;
        exam.issue(crowd + 1..=crowd + 3, 0, 2 * VALID).await;
        let calendar = Arc::clone(&exam.office().calendar);
        let (mut written, mut calls) = (0, 0);
        loop {
            let passed = calendar.expire(after_start(VALID), BATCH).await.unwrap();
            // About the limit: a store may finish what it has begun to read.
            assert!(passed.written <= 8_192 + u64::try_from(BATCH).unwrap());
            assert!(
                passed.held > Duration::ZERO,
                "whoever calls again could not tell how long to rest"
            );
            written += passed.written;
            calls += 1;
            if !passed.more {
                break;
            }
            assert!(
                passed.written > 0,
                "whoever says that there is more has done something"
            );
        }
        assert_eq!(written, u64::from(crowd));
        assert!(calls > 1, "not all at once");
        assert_eq!(exam.expire(2 * VALID).await, 3);
        assert_eq!(exam.tally().await.new, u64::from(crowd) + 3);
    });
}

pub fn a_crowd_is_reminded_in_bounded_batches_and_passed_over_afterwards(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        let crowd = exam.crowd();
        exam.open_sale(0).await;
        exam.issue(1..=crowd, 0, 9 * DAY).await;
        let reminders = Reminders::new([7]).unwrap();
        let first = exam.remind_once(&reminders, 2 * DAY).await;
        assert!(first.more && first.written > 0, "{first:?}");
        assert!(first.held > Duration::ZERO, "{first:?}");
        exam.crash().await;
        let rest = exam.remind(&[7], 2 * DAY).await;
        assert_eq!(first.written + rest, u64::from(crowd));
        assert_eq!(exam.remind(&[7], 3 * DAY).await, 0);
        exam.issue(crowd + 1..=crowd + 1, 0, 9 * DAY).await;
        assert_eq!(exam.remind(&[7], 3 * DAY).await, 1, "a latecomer");
        assert_eq!(exam.tally().await.new, u64::from(crowd) + 1);
    });
}

pub fn what_expires_behind_a_pass_in_the_middle_of_a_crowd_is_not_overlooked(
    harness: &mut dyn NoticeHarness,
) {
    NoticeExam::sit(harness, async |exam| {
        let pass = async |exam: &NoticeExam<'_>, micros| {
            let calendar = Arc::clone(&exam.office().calendar);
            calendar.expire(after_start(micros), BATCH).await.unwrap()
        };
        in_the_middle(exam, 0, pass, "expired").await;
    });
}

pub fn whoever_is_to_be_reminded_behind_a_pass_in_the_middle_of_a_crowd_is_not_overlooked(
    harness: &mut dyn NoticeHarness,
) {
    NoticeExam::sit(harness, async |exam| {
        let reminders = Reminders::new([7]).unwrap();
        let pass = async |exam: &NoticeExam<'_>, micros| exam.remind_once(&reminders, micros).await;
        in_the_middle(exam, 7 * DAY, pass, "expiring").await;
    });
}

/// Changes what a pass has gone by before it goes on, in a crowd that is due after two days, so long before its end.
async fn in_the_middle(
    exam: &NoticeExam<'_>,
    before_the_end: i64,
    pass: impl AsyncFn(&NoticeExam<'_>, i64) -> Passed,
    word: &str,
) {
    let crowd = 3 * u32::try_from(BATCH).unwrap();
    let (soon, later, last) = (2 * DAY, 4 * DAY, 6 * DAY);
    exam.open_sale(0).await;
    exam.issue(1..=3, 0, soon + before_the_end).await;
    exam.issue(4..=5, 0, last + before_the_end).await;
    exam.issue(7..=crowd, 0, soon + before_the_end).await;
    exam.ask(1, vec![redeem(3, "a"), redeem(4, "b")]).await;
    let in_the_middle = async || {
        let passed = pass(exam, soon).await;
        assert!(passed.more && passed.written > 0, "{passed:?}");
    };
    in_the_middle().await;
    // Two uses are given back, of which one is due.
    exam.ask(soon, vec![cancel(3, "a"), cancel(4, "b")]).await;
    in_the_middle().await;
    // A gap is filled.
    exam.issue(6..=6, 0, later + before_the_end).await;
    let told = async || {
        let all = exam.new_ids().await;
        let of_the_job = all.iter().filter(|id| id.starts_with(word));
        u32::try_from(of_the_job.count()).unwrap()
    };
    while pass(exam, soon).await.more {}
    assert_eq!(crowd - told().await, 3, "4, 5 and 6 are not due yet");
    while pass(exam, later).await.more {}
    assert_eq!(crowd - told().await, 2, "6 is due");
    while pass(exam, last).await.more {}
    assert_eq!(told().await, crowd);
}

pub fn workers_at_once_write_everything_once(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        exam.open_sale(0).await;
        exam.issue(1..=700, 0, 9 * DAY).await;
        let worker = async || {
            let announced = exam.announce(100).await;
            let reminded = exam.remind(&[7], 3 * DAY).await;
            let expired = exam.expire(9 * DAY).await;
            (announced, reminded, expired)
        };
        let (one, two, three) = futures_util::future::join3(worker(), worker(), worker()).await;
        assert_eq!(one.0 + two.0 + three.0, 700, "announced");
        assert_eq!(one.2 + two.2 + three.2, 700, "expired");
        let mut told = exam.new_ids().await;
        let all = told.len();
        told.dedup();
        assert_eq!(told.len(), all, "nothing is told twice");
        let reminded = usize::try_from(one.1 + two.1 + three.1).unwrap();
        assert_eq!(all, 1_400 + reminded, "what was counted was written");
    });
}
